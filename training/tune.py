"""The one place that knows Optuna: a study over LightGBM that goes on after a kill, alone or shared by processes."""

from __future__ import annotations

import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from configs.errors import ConfigError, Refusal
from configs.settings import Training
from training.dataset import Dataset
from training.folds import QUICK, Folds, Judged, Rows

Progress = Callable[[int, int, float], None]
"""Called after each trial with (trials done, trials wanted, best objective so far)."""

# Where Optuna starts: a small, well regularised model, and a sharp one near LightGBM's own defaults.
_FIRST_TRIAL = {
    "num_leaves": 12,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "lambda_l1": 0.01,
    "lambda_l2": 5.0,
}
_SECOND_TRIAL = {
    "num_leaves": 31,
    "feature_fraction": 1.0,
    "bagging_fraction": 1.0,
    "lambda_l1": 0.001,
    "lambda_l2": 0.01,
}
_FAMILY, _ORIGIN = "family", "started_from"  # what a study remembers of itself
_HEARTBEAT_SECONDS, _DEAD_AFTER_SECONDS = 5, 30
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
    study; should all of them die, this one does what is left. Raises Refusal if no trial could be completed in the
    time allowed, ConfigError if processes cannot share the storage.
    """
    if settings.workers > 1 and ":memory:" in storage:
        raise ConfigError(f"training.workers = {settings.workers}: processes cannot share {storage}; name a file")
    deadline = time.monotonic() + settings.timeout_seconds
    rows = Rows.of(data)
    with _quiet():
        study = _study(storage, study_name, settings.workers > 1)
        starts = _starts(study, rows, family)
        if settings.workers > 1 and _finished(study) < settings.trials:
            _share(study, starts, rows, settings, (storage, study_name), progress, deadline)
        if _finished(study) < settings.trials:
            _alone(study, starts, rows, settings, progress, deadline)
    if np.isnan(_best(study)):
        raise Refusal(f"no trial finished within {settings.timeout_seconds:g} s; raise training.timeout_seconds")
    best = study.best_trial
    origin = study.user_attrs[_ORIGIN]
    return Tuned(
        {**QUICK, **best.params},
        int(best.user_attrs["rounds"]),
        float(best.user_attrs["log_loss"]),
        _record(study),
        None if origin is None else str(origin["study"]),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _study(storage: str, name: str, shared: bool) -> optuna.Study:
    """The study, made if it is not there. Shared, a trial whose process died is told by its silence and run again."""
    patient = {"connect_args": {"timeout": 60}} if storage.startswith("sqlite") else {}
    alive: dict[str, Any] = {
        "heartbeat_interval": _HEARTBEAT_SECONDS,
        "grace_period": _DEAD_AFTER_SECONDS,
        "heartbeat_stale_trial_callback": optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=2),
    }
    store = optuna.storages.RDBStorage(storage, engine_kwargs=patient, **(alive if shared else {}))
    study = optuna.create_study(storage=store, study_name=name, load_if_exists=True, direction="minimize")
    # From the first fold on: trials are judged by the same rows, so what one fold tells apart is not their luck.
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=4)
    return study


def _starts(study: optuna.Study, data: Rows, family: str | None) -> list[dict[str, Any]]:
    """The parameters tried first: those known to be good, and the best of the newest earlier study of the family.

    The study remembers where they came from, so a rerun starts from the same.
    """
    if _ORIGIN not in study.user_attrs:
        study.set_user_attr(_FAMILY, family)
        study.set_user_attr(_ORIGIN, None if family is None else _origin(study, family))
    known = _known_starts(data)
    origin = study.user_attrs[_ORIGIN]
    if origin is None:
        return known
    earlier = {name: origin["params"][name] for name in known[0]}
    return [*known, {**earlier, "min_data_in_leaf": min(earlier["min_data_in_leaf"], _largest_minimum(data))}]


def _known_starts(data: Rows) -> list[dict[str, Any]]:
    largest = _largest_minimum(data)
    return [
        {**_FIRST_TRIAL, "min_data_in_leaf": min(60, largest)},
        {**_SECOND_TRIAL, "min_data_in_leaf": min(20, largest)},
    ]


def _origin(study: optuna.Study, family: str) -> dict[str, Any] | None:
    """The newest study of the family in the same storage that has a best trial: its name and those parameters."""
    store = study._storage
    kin = [
        (other.datetime_start, other.study_name, other.best_trial.params)
        for other in optuna.get_all_study_summaries(storage=store, include_best_trial=True)
        if other.user_attrs.get(_FAMILY) == family and other.study_name != study.study_name and other.best_trial
    ]
    if not kin:
        return None
    _, name, params = max(kin, key=lambda other: other[:2])
    return {"study": name, "params": dict(params)}


def _alone(
    study: optuna.Study,
    starts: list[dict[str, Any]],
    data: Rows,
    settings: Training,
    progress: Progress,
    deadline: float,
) -> None:
    """Run the trials that are missing, one after the other."""
    objective = _Objective(data, settings)
    done = _finished(study)
    while done < settings.trials and time.monotonic() < deadline:
        if done < len(starts) and not study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
            study.enqueue_trial(starts[done])
        _one_trial(study, objective, settings.seed + done)
        done += 1
        progress(done, settings.trials, _best(study))


def _one_trial(study: optuna.Study, objective: _Objective, seed: int) -> None:
    # A sampler for each trial: a study that was killed draws what it would have drawn.
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8, constant_liar=objective.shared)
    study.optimize(objective, n_trials=1)


def _share(
    study: optuna.Study,
    starts: list[dict[str, Any]],
    data: Rows,
    settings: Training,
    place: tuple[str, str],
    progress: Progress,
    deadline: float,
) -> None:
    """Let processes work on the study until all have ended. Spawned: a process forked after LightGBM ran hangs."""
    for start in starts:
        study.enqueue_trial(start, skip_if_exists=True)
    share = max(1, (settings.threads or os.cpu_count() or 1) // settings.workers)
    own = settings.model_copy(update={"threads": share, "timeout_seconds": max(deadline - time.monotonic(), 1e-9)})
    spawn = multiprocessing.get_context("spawn")
    workers = [
        spawn.Process(target=_work, args=(data, own, *place, number, os.getpid()), daemon=True)
        for number in range(settings.workers)
    ]
    for worker in workers:
        worker.start()
    told = _finished(study)
    try:
        while any(worker.is_alive() for worker in workers):
            workers[0].join(_POLL_SECONDS) if workers[0].is_alive() else time.sleep(_POLL_SECONDS)
            done = _finished(study)
            for number in range(told + 1, min(done, settings.trials) + 1):
                progress(number, settings.trials, _best(study))
            told = max(told, done)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _work(data: Rows, settings: Training, storage: str, study_name: str, number: int, parent: int) -> None:
    """What one process does: trials while the study needs more than are done or in hand, and its parent lives."""
    deadline = time.monotonic() + settings.timeout_seconds
    with _quiet():
        study = _study(storage, study_name, shared=True)
        objective = _Objective(data, settings)
        while time.monotonic() < deadline and os.getppid() == parent:
            trials = study.get_trials(deepcopy=False)
            taken = sum(trial.state in (*_FINISHED, TrialState.RUNNING) for trial in trials)
            if taken >= settings.trials:
                return
            _one_trial(study, objective, settings.seed + len(trials) + 100_003 * (number + 1))


_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def _finished(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=_FINISHED))


def _best(study: optuna.Study) -> float:
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min((trial.value for trial in complete if trial.value is not None), default=float("nan"))


def _record(study: optuna.Study) -> tuple[dict[str, Any], ...]:
    """Every trial; only a complete one has a log-loss, for the first folds alone do not compare with all of them."""
    return tuple(
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            **{key: trial.user_attrs.get(key) for key in ("log_loss", "spread", "rounds")},
            **QUICK,
            **trial.params,
        }
        for trial in study.trials
    )


def _largest_minimum(data: Rows) -> int:
    """The most rows a leaf may be asked to hold: few rows cannot fill large leaves."""
    return max(5, min(300, len(data) // 30))


class _Objective:
    """Mean log-loss over the folds, and what its spread over time costs."""

    def __init__(self, data: Rows, settings: Training) -> None:
        self.folds = Folds(data, settings)
        self.weight = settings.stability_weight
        self.shared = settings.workers > 1
        self.largest_minimum = _largest_minimum(data)

    def __call__(self, trial: optuna.Trial) -> float:
        judged: list[Judged] = []
        with closing(self.folds.judge(self._draw(trial))) as folds:
            for fold in folds:
                judged.append(fold)
                trial.report(float(np.mean([each.log_loss for each in judged])), len(judged) - 1)
                if len(judged) < len(self.folds.pairs) and trial.should_prune():
                    raise optuna.TrialPruned
        log_loss = float(np.mean([fold.log_loss for fold in judged]))
        spread = self.folds.spread(judged)
        trial.set_user_attr("rounds", max(1, round(float(np.mean([fold.rounds for fold in judged])))))
        trial.set_user_attr("log_loss", log_loss)
        trial.set_user_attr("spread", spread)
        return log_loss + self.weight * spread

    def _draw(self, trial: optuna.Trial) -> dict[str, Any]:
        return {
            **QUICK,
            "num_leaves": trial.suggest_int("num_leaves", 4, 40, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, self.largest_minimum, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.15, 1.0),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
            "lambda_l1": trial.suggest_float("lambda_l1", 1e-3, 10.0, log=True),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-2, 50.0, log=True),
        }
