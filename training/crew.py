"""Who works on a study together: processes of this machine, or the workers of a Dask cluster. The store is the link."""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from configs.errors import InputError
from configs.settings import Training
from features import distribute
from training import study
from training.folds import Rows

Place = tuple[str, str]
"""The URL of the store and the name of the study in it."""
StillWorking = Callable[[], bool]


@contextmanager
def processes(data: Rows, settings: Training, place: Place) -> Iterator[StillWorking]:
    """`workers` processes with an equal share of the threads each; ended on the way out.

    Spawned: a process forked after LightGBM ran hangs.
    """
    share = max(1, (settings.threads or os.cpu_count() or 1) // settings.workers)
    own = settings.model_copy(update={"threads": share})
    spawn = multiprocessing.get_context("spawn")
    hired = [
        spawn.Process(target=work, args=(data, own, place, number, os.getpid()), daemon=True)
        for number in range(settings.workers)
    ]
    for worker in hired:
        worker.start()
    try:
        yield lambda: any(worker.is_alive() for worker in hired)
    finally:
        for worker in hired:
            worker.terminate()
            worker.join()


@contextmanager
def cluster(data: Rows, settings: Training, place: Place) -> Iterator[StillWorking]:
    """Every worker of the Dask `scheduler`, with as many threads as Dask gave it.

    Raises InputError where no scheduler answers, or a worker finds no study at this place.
    """
    with distribute.on_each_worker(settings.scheduler, _on_a_worker, (data, settings, place)) as still_working:
        yield still_working


def _on_a_worker(given: tuple[Rows, Training, Place], number: int, threads: int) -> None:
    data, settings, place = given
    try:
        work(data, settings.model_copy(update={"threads": threads}), place, number, None)
    except KeyError:  # Optuna's for a study that is not there
        raise InputError(
            f"the worker on {platform.node()} finds no study {place[1]} in its {place[0]}; "
            "stores.studies must be a database that all workers reach, as postgresql://..."
        ) from None


def work(data: Rows, settings: Training, place: Place, number: int, parent: int | None) -> None:
    """What one of the crew does: trials while the study needs more than are done or in hand, and its parent lives.

    `parent` is the process that asked; None where that is on another machine.
    """
    deadline = time.monotonic() + settings.timeout_seconds
    with study.quiet(), study.opened_study(*place, settings.survivors, shared=True, made=True) as opened:
        objective = study.Objective(data, settings)
        while time.monotonic() < deadline and parent in (None, os.getppid()):
            taken, all_trials = study.taken(opened)
            if taken >= settings.trials:
                return
            study.one_trial(opened, objective, settings.seed + all_trials + 100_003 * (number + 1))
