"""Who competes: each learns from outer training rows, as a careful user of it would, and tells PDs of judged rows.

The tuned ones search as ours does: the same number of Optuna trials from a sensible first one, folds and pruner alike,
log-loss, early stopping on each inner fold, then a fit on all rows they were given with the mean number of trees.
Rivals live in an environment of their own: pip install xgboost catboost flaml (dependency group `bench`).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import catboost
import flaml
import lightgbm as lgb
import numpy as np
import optuna
import pandas as pd
import xgboost as xgb
from sklearn.model_selection import StratifiedKFold

from training.study import BestShare

_FIRST_XGBOOST = {
    "learning_rate": 0.05,
    "max_depth": 4,
    "min_child_weight": 5.0,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "reg_lambda": 1.0,
    "reg_alpha": 0.01,
    "gamma": 0.01,
}
_FIRST_CATBOOST = {
    "learning_rate": 0.05,
    "depth": 5,
    "l2_leaf_reg": 3.0,
    "random_strength": 1.0,
    "bagging_temperature": 1.0,
    "rsm": 0.8,
}


@dataclass(frozen=True, slots=True)
class Effort:
    """What a contender may spend: trials, inner folds, trees; or, where it counts time, `seconds`."""

    trials: int
    folds: int
    max_rounds: int
    early_stopping_rounds: int
    seconds: float
    seed: int
    threads: int


class Contender(Protocol):
    """PDs of `judge` (rows,) by what `learn` and its outcomes `bad` (0 or 1) taught."""

    def __call__(self, learn: pd.DataFrame, bad: np.ndarray, judge: pd.DataFrame, effort: Effort) -> np.ndarray: ...


def lightgbm_defaults(learn: pd.DataFrame, bad: np.ndarray, judge: pd.DataFrame, effort: Effort) -> np.ndarray:
    """The sklearn wrapper as it comes: 100 trees of 31 leaves."""
    model = lgb.LGBMClassifier(verbosity=-1, random_state=effort.seed, n_jobs=effort.threads).fit(learn, bad)
    return np.asarray(model.predict_proba(judge))[:, 1]


def xgboost_tuned(learn: pd.DataFrame, bad: np.ndarray, judge: pd.DataFrame, effort: Effort) -> np.ndarray:
    """XGBoost, native categories, histogram trees."""
    fixed = {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "tree_method": "hist",
        "nthread": effort.threads,
        "seed": effort.seed,
    }

    def matrix(columns: pd.DataFrame, label: np.ndarray | None = None) -> xgb.DMatrix:
        return xgb.DMatrix(columns, label, enable_categorical=True)

    folds = [(matrix(learn.iloc[a], bad[a]), matrix(learn.iloc[b], bad[b])) for a, b in _folds(learn, bad, effort)]

    def judged(params: dict[str, Any], number: int) -> tuple[float, int]:
        learned, held = folds[number]
        booster = xgb.train(
            {**fixed, **params},
            learned,
            effort.max_rounds,
            evals=[(held, "held")],
            early_stopping_rounds=effort.early_stopping_rounds,
            verbose_eval=False,
        )
        return float(booster.best_score), int(booster.best_iteration) + 1

    params, rounds = _searched(_draw_xgboost, _FIRST_XGBOOST, judged, effort)
    booster = xgb.train({**fixed, **params}, matrix(learn, bad), rounds)
    return np.asarray(booster.predict(matrix(judge)))


def catboost_tuned(learn: pd.DataFrame, bad: np.ndarray, judge: pd.DataFrame, effort: Effort) -> np.ndarray:
    """CatBoost, native categories by its ordered statistics."""
    fixed = {
        "loss_function": "Logloss",
        "bootstrap_type": "Bayesian",
        "allow_writing_files": False,
        "logging_level": "Silent",
        "thread_count": effort.threads,
        "random_seed": effort.seed,
    }
    categories = list(learn.select_dtypes("category").columns)

    def pool(columns: pd.DataFrame, label: np.ndarray | None = None) -> catboost.Pool:
        return catboost.Pool(columns.astype(dict.fromkeys(categories, str)), label, cat_features=categories)

    folds = [(pool(learn.iloc[a], bad[a]), pool(learn.iloc[b], bad[b])) for a, b in _folds(learn, bad, effort)]

    def judged(params: dict[str, Any], number: int) -> tuple[float, int]:
        learned, held = folds[number]
        model = catboost.CatBoost({**fixed, **params, "iterations": effort.max_rounds})
        model.fit(learned, eval_set=held, early_stopping_rounds=effort.early_stopping_rounds)
        return float(model.get_best_score()["validation"]["Logloss"]), int(model.get_best_iteration()) + 1

    params, rounds = _searched(_draw_catboost, _FIRST_CATBOOST, judged, effort)
    model = catboost.CatBoost({**fixed, **params, "iterations": rounds}).fit(pool(learn, bad))
    return np.asarray(model.predict(pool(judge), prediction_type="Probability"))[:, 1]


def flaml_search(learn: pd.DataFrame, bad: np.ndarray, judge: pd.DataFrame, effort: Effort) -> np.ndarray:
    """FLAML over all its learners for `seconds`, with its own choice of cross-validation or holdout."""
    logging.getLogger("flaml").setLevel(logging.ERROR)
    search = flaml.AutoML()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the learners inside, about arguments FLAML gives them
        search.fit(
            X_train=learn,
            y_train=bad.astype(int),
            task="classification",
            metric="log_loss",
            time_budget=effort.seconds,
            n_jobs=effort.threads,
            seed=effort.seed,
            verbose=0,
        )
        return np.asarray(search.predict_proba(judge))[:, 1]


def _draw_xgboost(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 10),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 100.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 50.0, log=True),
        "reg_alpha": trial.suggest_float("reg_alpha", 1e-3, 10.0, log=True),
        "gamma": trial.suggest_float("gamma", 1e-3, 5.0, log=True),
    }


def _draw_catboost(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "depth": trial.suggest_int("depth", 3, 8),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 1.0, 30.0, log=True),
        "random_strength": trial.suggest_float("random_strength", 0.1, 10.0, log=True),
        "bagging_temperature": trial.suggest_float("bagging_temperature", 0.0, 2.0),
        "rsm": trial.suggest_float("rsm", 0.3, 1.0),
    }


def _folds(learn: pd.DataFrame, bad: np.ndarray, effort: Effort) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    return list(StratifiedKFold(effort.folds, shuffle=True, random_state=effort.seed).split(learn, bad))


def _searched(
    draw: Callable[[optuna.Trial], dict[str, Any]],
    first: dict[str, Any],
    judged: Callable[[dict[str, Any], int], tuple[float, int]],
    effort: Effort,
) -> tuple[dict[str, Any], int]:
    """The best parameters of a pruned study and the mean number of trees over the folds at them."""

    def objective(trial: optuna.Trial) -> float:
        params, losses, rounds = draw(trial), [], []
        for number in range(effort.folds):
            loss, best = judged(params, number)
            losses.append(loss)
            rounds.append(best)
            trial.report(float(np.mean(losses)), number)
            if number + 1 < effort.folds and trial.should_prune():
                raise optuna.TrialPruned
        trial.set_user_attr("rounds", max(1, round(float(np.mean(rounds)))))
        return float(np.mean(losses))

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=effort.seed, n_startup_trials=8),
        pruner=BestShare(0.25),
    )
    study.enqueue_trial(first)
    study.optimize(objective, n_trials=effort.trials)
    return study.best_params, int(study.best_trial.user_attrs["rounds"])


RIVALS: dict[str, Contender] = {
    "LightGBM defaults": lightgbm_defaults,
    "XGBoost tuned": xgboost_tuned,
    "CatBoost tuned": catboost_tuned,
    "FLAML": flaml_search,
}
