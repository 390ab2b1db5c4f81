"""Find the best parameters: a study that goes on after a kill, by one process, several, or the workers of a cluster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from configs.errors import ConfigError, Refusal
from configs.settings import Training
from training import crew, study
from training.dataset import Dataset
from training.folds import QUICK, Rows

Progress = Callable[[int, int, float], None]
"""Called after each trial with (trials done, trials wanted, best objective so far)."""
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best trial: parameters, trees, mean log-loss over the folds; and every trial, for the record.

    All trials learn at one quick rate: it ranks them as a slow one does, in a third of the trees.

    `started_from` names the earlier study whose best parameters were tried too.
    """

    params: dict[str, Any]
    rounds: int
    log_loss: float
    trials: tuple[dict[str, Any], ...]
    started_from: str | None = None


def search(
    data: Dataset,
    settings: Training,
    storage: str,
    study_name: str,
    progress: Progress,
    family: str | None = None,
) -> Tuned:
    """Tune on `data` (the rows the tuner may see), folds by customer and group.

    The objective is the mean log-loss over the folds plus `stability_weight` times its spread over time. A study of
    this name in `storage` is taken up where it stopped: a rerun after a kill runs only the trials that are missing,
    and, where one process works alone, ends where it would have ended. A new study also tries the best parameters of
    the newest earlier one of its `family` (a product and its program). With several `workers`, processes share the
    study, with a `scheduler` all workers of that Dask cluster; should all of them die, this process does what is left.
    Raises Refusal if no trial could be completed in the time allowed, ConfigError if the storage cannot be shared,
    InputError where no scheduler answers or its workers do not find the study.
    """
    if settings.shares_study() and ":memory:" in storage:
        who = f"scheduler = {settings.scheduler!r}" if settings.scheduler else f"workers = {settings.workers}"
        raise ConfigError(f"training.{who}: processes cannot share {storage}; name a file or a database")
    deadline = time.monotonic() + settings.timeout_seconds
    rows = Rows.of(data)
    shared = settings.shares_study()
    with study.quiet(), study.opened_study(storage, study_name, settings.survivors, shared) as opened:
        starts = study.starts_of(opened, rows, family)
        if shared and study.finished(opened) < settings.trials:
            study.queue(opened, starts)
            _share(opened, rows, settings, (storage, study_name), progress, deadline)
        if study.finished(opened) < settings.trials:
            _alone(opened, starts, rows, settings, progress, deadline)
        if math.isnan(study.best_value(opened)):
            raise Refusal(f"no trial finished within {settings.timeout_seconds:g} s; raise training.timeout_seconds")
        best = opened.best_trial
        return Tuned(
            {**QUICK, **best.params},
            int(best.user_attrs["rounds"]),
            float(best.user_attrs["log_loss"]),
            study.record(opened),
            study.started_from(opened),
        )


def _alone(
    opened: study.Study,
    starts: list[dict[str, Any]],
    data: Rows,
    settings: Training,
    progress: Progress,
    deadline: float,
) -> None:
    """Run the trials that are missing, one after the other."""
    objective = study.Objective(data, settings)
    done = study.finished(opened)
    while done < settings.trials and time.monotonic() < deadline:
        study.one_trial(opened, objective, settings.seed + done, starts[done] if done < len(starts) else None)
        done += 1
        progress(done, settings.trials, study.best_value(opened))


def _share(
    opened: study.Study,
    data: Rows,
    settings: Training,
    place: crew.Place,
    progress: Progress,
    deadline: float,
) -> None:
    """Let others work on the study until all have ended, and tell how far they are."""
    hired = crew.cluster if settings.scheduler else crew.processes
    left = settings.model_copy(update={"timeout_seconds": max(deadline - time.monotonic(), 1e-9)})
    told, working = study.finished(opened), True
    with hired(data, left, place) as still_working:
        while working:
            time.sleep(_POLL_SECONDS)
            working = still_working()
            done = study.finished(opened)
            for number in range(told + 1, min(done, settings.trials) + 1):
                progress(number, settings.trials, study.best_value(opened))
            told = max(told, done)
