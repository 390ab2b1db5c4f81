"""The one place that knows Optuna: a resumable study over LightGBM, pruned fold by fold."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import optuna
from sklearn.model_selection import StratifiedGroupKFold

from configs.errors import Refusal
from configs.settings import Training
from training.dataset import Dataset
from training.fit import fixed_parameters, to_lightgbm

Progress = Callable[[int, int, float], None]
"""Called after each trial with (trials done, trials wanted, best log-loss so far)."""

# Where Optuna starts: a slow, small, well regularised model, good on every portfolio tried.
_FIRST_TRIAL = {
    "learning_rate": 0.03,
    "num_leaves": 12,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "lambda_l1": 0.01,
    "lambda_l2": 5.0,
}


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best trial: parameters, trees, mean log-loss over the folds; and every trial, for the record."""

    params: dict[str, Any]
    rounds: int
    log_loss: float
    trials: tuple[dict[str, Any], ...]


def search(data: Dataset, settings: Training, storage: str, study_name: str, progress: Progress) -> Tuned:
    """Tune on `data` (the rows the tuner may see), folds by customer.

    A study of this name in `storage` is taken up where it stopped: a rerun after a kill runs only the trials that
    are missing, and ends where it would have ended. Raises Refusal if no trial could be completed in the time allowed.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(storage=storage, study_name=study_name, load_if_exists=True, direction="minimize")
    done = _finished(study)
    if done == 0 and not study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.WAITING]):
        study.enqueue_trial({**_FIRST_TRIAL, "min_data_in_leaf": min(60, _largest_minimum(data))})
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)
    objective = _Objective(data, settings)
    deadline = time.monotonic() + settings.timeout_seconds
    while done < settings.trials and time.monotonic() < deadline:
        # A sampler for each trial: a study that was killed draws what it would have drawn.
        study.sampler = optuna.samplers.TPESampler(seed=settings.seed + done, n_startup_trials=8)
        study.optimize(objective, n_trials=1)
        done += 1
        progress(done, settings.trials, _best(study))
    if np.isnan(_best(study)):
        raise Refusal(f"no trial finished within {settings.timeout_seconds:g} s; raise training.timeout_seconds")
    best = study.best_trial
    return Tuned(dict(best.params), int(best.user_attrs["rounds"]), _best(study), _record(study))


def _finished(study: optuna.Study) -> int:
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return sum(trial.state in states for trial in study.trials)


def _best(study: optuna.Study) -> float:
    complete = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    return min((trial.value for trial in complete if trial.value is not None), default=float("nan"))


def _record(study: optuna.Study) -> tuple[dict[str, Any], ...]:
    """Every trial; only a complete one has a log-loss, for the first folds alone do not compare with all of them."""
    complete = optuna.trial.TrialState.COMPLETE
    return tuple(
        {
            "number": t.number,
            "state": t.state.name.lower(),
            "log_loss": t.value if t.state == complete else None,
            **t.params,
        }
        for t in study.trials
    )


def _largest_minimum(data: Dataset) -> int:
    """The most rows a leaf may be asked to hold: few rows cannot fill large leaves."""
    return max(5, min(300, len(data) // 30))


class _Objective:
    """Mean log-loss over folds whose LightGBM datasets are binned once for all trials."""

    def __init__(self, data: Dataset, settings: Training) -> None:
        self.settings = settings
        self.features = data.program.features
        self.largest_minimum = _largest_minimum(data)
        folds = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
        self.folds: list[tuple[lgb.Dataset, lgb.Dataset]] = []
        for learn, judge in folds.split(data.matrix, data.defaulted, data.customer_id):
            learned = to_lightgbm(data.matrix[learn], data.defaulted[learn], self.features)
            judged = to_lightgbm(data.matrix[judge], data.defaulted[judge], self.features, learned)
            self.folds.append((learned.construct(), judged.construct()))

    def __call__(self, trial: optuna.Trial) -> float:
        params = {
            **fixed_parameters(self.features, self.settings.seed, self.settings.threads),
            **self._draw(trial),
        }
        losses, rounds = [], []
        for number, (learned, judged) in enumerate(self.folds):
            booster = lgb.train(
                params,
                learned,
                num_boost_round=self.settings.max_rounds,
                valid_sets=[judged],
                callbacks=[lgb.early_stopping(self.settings.early_stopping_rounds, verbose=False)],
            )
            losses.append(booster.best_score["valid_0"]["binary_logloss"])
            rounds.append(booster.best_iteration)
            trial.report(float(np.mean(losses)), number)
            if number + 1 < len(self.folds) and trial.should_prune():
                raise optuna.TrialPruned
        trial.set_user_attr("rounds", max(1, round(float(np.mean(rounds)))))
        return float(np.mean(losses))

    def _draw(self, trial: optuna.Trial) -> dict[str, Any]:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.12, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 40, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, self.largest_minimum, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.15, 1.0),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
            "lambda_l1": trial.suggest_float("lambda_l1", 1e-3, 10.0, log=True),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-2, 50.0, log=True),
        }
