"""A study shared through a Dask scheduler: two workers finish it, and one that sees another store says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configs.errors import ConfigError, InputError
from configs.settings import Settings, Training
from features import distribute
from training import crew, study
from training.dataset import Dataset
from training.folds import Rows
from training.tune import search

dask = pytest.importorskip("dask.distributed", reason="Dask is optional: pip install 'creditloop[dask]'")
TRIALS = 6


@pytest.fixture(scope="module")
def scheduler(repository: Path) -> Iterator[str]:
    """A scheduler with two worker processes on loopback, without its dashboard."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(repository))  # the workers import this repository
        with dask.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster:
            yield cluster.scheduler_address


@pytest.fixture(scope="module")
def data(numbers: Callable[..., Dataset]) -> Dataset:
    return numbers(600)


@pytest.fixture
def shared(small_settings: Callable[..., Settings], scheduler: str, tmp_path: Path) -> Training:
    few = {"trials": TRIALS, "folds": 3, "max_rounds": 25, "scheduler": scheduler, "stability_weight": 0.0}
    return small_settings(tmp_path, **few).training


def wait(working: Callable[[], bool]) -> None:
    while working():
        time.sleep(0.05)


def test_the_workers_of_a_scheduler_finish_a_study_together(data: Dataset, shared: Training, tmp_path: Path) -> None:
    told: list[int] = []
    store = f"sqlite:///{tmp_path}/optuna.db"
    found = search(data, shared, store, "study", lambda done, *_: told.append(done))
    finished = [trial for trial in found.trials if trial["state"] in ("complete", "pruned")]
    assert len(finished) >= TRIALS  # both may take the last one
    assert told == list(range(1, TRIALS + 1))
    assert found.trials[0].items() >= study._FIRST_TRIAL.items()
    assert len({trial["lambda_l2"] for trial in finished}) == len(finished)


def test_a_worker_that_does_not_find_the_study_says_which_store_it_needs(
    data: Dataset, shared: Training, tmp_path: Path
) -> None:
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.db"
    with study.quiet():
        study.open_study(elsewhere, "another", 0.25, shared=True)
    said = r"finds no study study in its sqlite:.*stores\.studies must be a database"
    hired = crew.cluster(Rows.of(data), shared, (elsewhere, "study"))
    with hired as working, pytest.raises(InputError, match=said):
        wait(working)


def test_a_scheduler_that_does_not_answer_is_told_before_any_trial(
    data: Dataset, shared: Training, tmp_path: Path
) -> None:
    nobody = shared.model_copy(update={"scheduler": "tcp://127.0.0.1:1"})
    with pytest.raises(InputError, match="no Dask scheduler answers there"):
        search(data, nobody, f"sqlite:///{tmp_path}/optuna.db", "study", lambda *_: None)


def test_a_cluster_cannot_share_a_store_in_memory(data: Dataset, shared: Training) -> None:
    with pytest.raises(ConfigError, match=r"training.scheduler = 'tcp:.*': processes cannot share sqlite:///:memory:"):
        search(data, shared, "sqlite:///:memory:", "study", lambda *_: None)


def _fails(given: str, number: int, threads: int) -> None:
    raise InputError(f"{given} {number} {threads}")


def test_what_a_task_raises_is_raised_here(scheduler: str) -> None:
    lent = distribute.on_each_worker(scheduler, _fails, "lent")
    with lent as working, pytest.raises(InputError, match=r"lent [01] 1"):
        wait(working)


def test_a_scheduler_without_workers_is_told_with_the_way_out() -> None:
    with dask.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", host="127.0.0.1", protocol="tcp") as empty:
        lent = distribute.on_each_worker(empty.scheduler_address, _fails, "lent")
        with pytest.raises(InputError, match="the scheduler has no worker; start some: dask worker"), lent:
            pass
