"""The one place that knows Optuna: a study over LightGBM in a store, its starts, its trials, what it remembers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import optuna
from optuna import Study as Study
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from configs.lock import making
from configs.settings import Training
from training.folds import QUICK, Folds, Judged, Rows

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
_FULL_TRIALS = 4  # judged by all folds before any is pruned
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's lines on every trial and its warnings of what is experimental."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def open_study(storage: str, name: str, survivors: float, shared: bool, made: bool = False) -> Study:
    """The study; made if it is not there, unless it must have been `made` already: then KeyError.

    After each fold a trial goes on only if it is among the best share `survivors` of those judged so far. Shared, a
    trial whose process died is told by its silence and run again.
    """
    return _study(_store(storage, shared), name, survivors, made)


@contextmanager
def opened_study(storage: str, name: str, survivors: float, shared: bool, made: bool = False) -> Iterator[Study]:
    """As `open_study`; at the end its connections are closed, which Optuna never does."""
    store = _store(storage, shared)
    try:
        yield _study(store, name, survivors, made)
    finally:
        _let_go(store)


def _store(storage: str, shared: bool) -> RDBStorage:
    patient = {"connect_args": {"timeout": 60}} if storage.startswith("sqlite") else {}
    alive: dict[str, Any] = {
        "heartbeat_interval": _HEARTBEAT_SECONDS,
        "grace_period": _DEAD_AFTER_SECONDS,
        "heartbeat_stale_trial_callback": optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=2),
    }
    with making(storage):
        return RDBStorage(storage, engine_kwargs=patient, **(alive if shared else {}))


def _study(store: RDBStorage, name: str, survivors: float, made: bool) -> Study:
    if made:
        study = optuna.load_study(storage=store, study_name=name)
    else:
        study = optuna.create_study(storage=store, study_name=name, load_if_exists=True, direction="minimize")
    study.pruner = BestShare(survivors)
    return study


def _let_go(store: RDBStorage) -> None:
    store.remove_session()
    store.engine.dispose()


class BestShare(optuna.pruners.BasePruner):
    """Prunes a trial whose mean over its folds is not among the best share of all that were judged by as many.

    From the first fold on: trials are judged by the same rows, so what one fold tells apart is not their luck. Optuna's
    own percentile pruner asks for the best mean a trial ever had: one easy first fold would shield it for good.
    """

    def __init__(self, share: float) -> None:
        self.share = share

    def prune(self, study: Study, trial: optuna.trial.FrozenTrial) -> bool:
        """Whether `trial` shall go no further; never before four trials were judged by all folds."""
        ended = study.get_trials(deepcopy=False, states=_FINISHED)
        if sum(other.state is TrialState.COMPLETE for other in ended) < _FULL_TRIALS or trial.last_step is None:
            return False
        step = trial.last_step
        means = [other.intermediate_values[step] for other in ended if step in other.intermediate_values]
        return bool(trial.intermediate_values[step] > np.quantile(means, self.share))


def starts_of(study: Study, data: Rows, family: str | None) -> list[dict[str, Any]]:
    """The parameters tried first: those known to be good, and the best of the newest earlier study of the family.

    The study remembers where they came from, so a rerun starts from the same.
    """
    if _ORIGIN not in study.user_attrs:
        study.set_user_attr(_FAMILY, family)
        study.set_user_attr(_ORIGIN, None if family is None else _origin(study, family))
    known = known_starts(data)
    origin = study.user_attrs[_ORIGIN]
    if origin is None:
        return known
    earlier = {name: origin["params"][name] for name in known[0]}
    return [*known, {**earlier, "min_data_in_leaf": min(earlier["min_data_in_leaf"], largest_minimum(data))}]


def known_starts(data: Rows) -> list[dict[str, Any]]:
    """Parameters that do well on most portfolios, as far as so many rows can fill their leaves."""
    largest = largest_minimum(data)
    return [
        {**_FIRST_TRIAL, "min_data_in_leaf": min(60, largest)},
        {**_SECOND_TRIAL, "min_data_in_leaf": min(20, largest)},
    ]


def _origin(study: Study, family: str) -> dict[str, Any] | None:
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


def one_trial(study: Study, objective: Objective, seed: int, start: dict[str, Any] | None = None) -> None:
    """One more trial, of `start` where that is given and no trial waits. A sampler for each trial: a study that was
    killed draws what it would have drawn."""
    if start is not None and not study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
        study.enqueue_trial(start)
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8, constant_liar=objective.shared)
    study.optimize(objective, n_trials=1)


def queue(study: Study, starts: list[dict[str, Any]]) -> None:
    """Let whoever comes first try each of `starts`; once, however often it is asked for."""
    for start in starts:
        study.enqueue_trial(start, skip_if_exists=True)


def finished(study: Study) -> int:
    """Trials that ended, pruned ones too."""
    return len(study.get_trials(deepcopy=False, states=_FINISHED))


def taken(study: Study) -> tuple[int, int]:
    """Trials that ended or are in hand; and all there are."""
    trials = study.get_trials(deepcopy=False)
    return sum(trial.state in (*_FINISHED, TrialState.RUNNING) for trial in trials), len(trials)


def best_value(study: Study) -> float:
    """The least objective of all complete trials; NaN where there is none."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min((trial.value for trial in complete if trial.value is not None), default=float("nan"))


def started_from(study: Study) -> str | None:
    """The name of the earlier study that lent its best parameters."""
    origin = study.user_attrs[_ORIGIN]
    return None if origin is None else str(origin["study"])


def record(study: Study) -> tuple[dict[str, Any], ...]:
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


def largest_minimum(data: Rows) -> int:
    """The most rows a leaf may be asked to hold: few rows cannot fill large leaves."""
    return max(5, min(300, len(data) // 30))


class Objective:
    """Mean log-loss over the folds, and what its spread over time costs."""

    def __init__(self, data: Rows, settings: Training) -> None:
        self.folds = Folds(data, settings)
        self.weight = settings.stability_weight
        self.shared = settings.shares_study()
        self.largest_minimum = largest_minimum(data)

    def __call__(self, trial: optuna.Trial) -> float:
        judged: list[Judged] = []
        with closing(self.folds.judge(draw(trial, self.largest_minimum))) as folds:
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


def draw(trial: optuna.Trial, most_in_leaf: int) -> dict[str, Any]:
    """The parameters of a trial, out of the space that is searched."""
    return {
        **QUICK,
        "num_leaves": trial.suggest_int("num_leaves", 4, 40, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, most_in_leaf, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.15, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        "lambda_l1": trial.suggest_float("lambda_l1", 1e-3, 10.0, log=True),
        "lambda_l2": trial.suggest_float("lambda_l2", 1e-2, 50.0, log=True),
    }
