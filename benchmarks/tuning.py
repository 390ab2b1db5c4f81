"""Tuning on UCI credit cards: our study beside `optuna` + `cross_val_score` on the sklearn wrapper, same trials.

Both draw from the same search space with the same samplers from the same first trials, with the same monotone
constraints and fixed parameters, on the same rows and folds by customer; both use every core, a fold to each. Ours
learns at one quick rate, stops early, prunes and keeps its bins, and pays at last for the slow trees of its best
trial. The wrapper inside `cross_val_score` can do none of that: learning rate and number of trees are two more
parameters, the trees up to the same bound, and log-loss is its objective. The rival is measured twice: once so, once
with rate and trees fixed at those of our first trial, as if somebody had told it. Rounds of trials alternate, so a
busy machine slows both. Out-of-fold AUC is worked out off the clock.
Run: python -m benchmarks.tuning --data FOLDER [--trials 8]
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import optuna
from optuna.trial import TrialState
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_score

from benchmarks.common import keep
from configs.settings import Training, load_product, load_settings
from features.contracts import to_day
from features.load import load
from features.sources import open_source
from training import dataset, fit, tune
from training.folds import QUICK, Folds, Rows, fold_of, slowed


@dataclass
class Runner:
    """One way to tune: its study, the seconds it has taken, and its best (seconds, log-loss, parameters) so far."""

    name: str
    study: optuna.Study
    objective: Callable[[optuna.Trial], float]
    seconds: float = 0.0
    curve: list[tuple[float, float, dict[str, Any], int]] = field(default_factory=list)

    def trial(self, seed: int) -> None:
        """One more trial, on the clock."""
        started = time.monotonic()
        self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)
        self.study.optimize(self.objective, n_trials=1)
        self.seconds += time.monotonic() - started
        run = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        if self.study.best_trial.number == run[-1].number:
            best = self.study.best_trial
            rounds = int(best.user_attrs.get("rounds", best.params.get("n_estimators", 0)))
            self.curve.append((self.seconds, float(self.study.best_value), dict(best.params), rounds))


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=8)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(Path(home)).training
        product = load_product("uci_default", Path(home))
        tables = load(open_source([str(arguments.data)], product.reader), product).tables
        data = dataset.split(dataset.assemble(product, tables, to_day(dt.date(2006, 1, 1))), settings).train
        rows = Rows.of(data)
        ours = our_runner(rows, settings, home)
        ours.trial(settings.seed)
        known = ours.curve[0][3]
        rivals = [rival(rows, settings, home, None), rival(rows, settings, home, known)]
        for runner in rivals:
            runner.trial(settings.seed)
        for number in range(1, arguments.trials):
            for runner in (ours, *rivals):
                runner.trial(settings.seed + number)
                print(
                    f"trial {number + 1:>3}  {runner.name:<44} {runner.seconds:7.1f} s  best {runner.curve[-1][1]:.5f}"
                )
        learn_slowly(ours, rows, settings)
        report(rows, settings, ours, rivals, arguments.trials)


def learn_slowly(ours: Runner, rows: Rows, settings: Training) -> None:
    """The best trial's slow trees out of fold, as a model is made of it: on the clock of every point of the curve."""
    started = time.monotonic()
    slow = [(seconds, loss, *slowed(QUICK | params, rounds, settings)) for seconds, loss, params, rounds in ours.curve]
    Folds(rows, settings).out_of_fold(*slow[-1][2:])
    taken = time.monotonic() - started
    ours.seconds += taken
    ours.curve = [(seconds + taken, loss, params, rounds) for seconds, loss, params, rounds in slow]


def our_runner(rows: Rows, settings: Training, home: str) -> Runner:
    """The study as `tune.search` runs it; the seconds begin with what binning costs."""
    started = time.monotonic()
    objective = tune._Objective(rows, settings)
    study = tune._study(f"sqlite:///{home}/ours.db", "ours", shared=False)
    for start in tune._known_starts(rows):
        study.enqueue_trial(start)
    return Runner("creditloop", study, objective, time.monotonic() - started)


def rival(rows: Rows, settings: Training, home: str, trees: int | None) -> Runner:
    """`optuna` + `cross_val_score` on LGBMClassifier; `trees` None: they are tuned too."""
    name = "cross_val_score, trees tuned" if trees is None else f"cross_val_score, told {trees} trees"
    cores = settings.threads or os.cpu_count() or 1
    side_by_side = min(cores, settings.folds)
    fixed = fit.fixed_parameters(rows.features, settings.seed, 1)
    for taken in ("objective", "metric", "num_threads", "seed"):
        del fixed[taken]
    folds = PredefinedSplit(fold_of(rows.kin, rows.defaulted, settings.folds, settings.seed))
    categories = [place for place, item in enumerate(rows.features) if item.categories] or "auto"
    draw = tune._Objective._draw
    space = type("Space", (), {"largest_minimum": tune._largest_minimum(rows)})()

    def objective(trial: optuna.Trial) -> float:
        params = draw(space, trial)
        count = trees or trial.suggest_int("n_estimators", 50, settings.max_rounds, log=True)
        rate = QUICK["learning_rate"] if trees else trial.suggest_float("learning_rate", 0.02, 0.2, log=True)
        params |= {"n_estimators": count, "learning_rate": rate}
        model = lgb.LGBMClassifier(n_jobs=1, random_state=settings.seed, **fixed, **params)
        scores = cross_val_score(
            model,
            rows.matrix,
            rows.defaulted,
            scoring="neg_log_loss",
            cv=folds,
            n_jobs=side_by_side,
            params={"categorical_feature": categories},
        )
        return -float(scores.mean())

    study = optuna.create_study(storage=f"sqlite:///{home}/rival-{trees}.db", direction="minimize")
    for start in tune._known_starts(rows):
        study.enqueue_trial(start | ({} if trees else {"n_estimators": 300, "learning_rate": 0.05}))
    return Runner(name, study, objective)


def out_of_fold_auc(rows: Rows, settings: Training, params: dict[str, Any], rounds: int) -> float:
    """AUC of the rows as judged by trees that did not see them."""
    params = QUICK | {key: value for key, value in params.items() if key != "n_estimators"}
    fold = fold_of(rows.kin, rows.defaulted, settings.folds, settings.seed)
    score = np.empty(len(rows))
    for number in range(settings.folds):
        learn, judge = fold != number, fold == number
        booster = fit.fit(rows.matrix[learn], rows.defaulted[learn], rows.features, params, rounds, settings.seed, 1)
        score[judge] = fit.raw_score(booster, rows.matrix[judge], 1)
    return float(roc_auc_score(rows.defaulted, score))


def report(rows: Rows, settings: Training, ours: Runner, rivals: list[Runner], trials: int) -> None:
    """Seconds for all trials, and to the out-of-fold AUC that both reach in the end; keeps the numbers."""
    curves = {
        runner.name: [
            (seconds, loss, out_of_fold_auc(rows, settings, params, rounds or _told(runner)))
            for seconds, loss, params, rounds in runner.curve
        ]
        for runner in (ours, *rivals)
    }
    values: dict[str, Any] = {"trials": trials, "rows": len(rows), "runs": {}}
    for runner in (ours, *rivals):
        curve = curves[runner.name]
        goal = min(curve[-1][2], curves[ours.name][-1][2])
        values["runs"][runner.name] = {
            "seconds": runner.seconds,
            "log_loss": curve[-1][1],
            "auc": curve[-1][2],
            "common_auc": goal,
            "seconds_to_common_auc": _reached(curve, goal),
            "ours_to_common_auc": _reached(curves[ours.name], goal),
            "ratio_all_trials": runner.seconds / ours.seconds,
            "ratio_to_common_auc": _reached(curve, goal) / _reached(curves[ours.name], goal),
        }
    for name, run in values["runs"].items():
        print(f"{name:<32} " + "  ".join(f"{key} {value:.4g}" for key, value in run.items()))
    print(keep("tuning", values))


def _reached(curve: list[tuple[float, float, float]], goal: float) -> float:
    return next(seconds for seconds, _, auc in curve if auc >= goal)


def _told(runner: Runner) -> int:
    return int(runner.name.split()[-2])


if __name__ == "__main__":
    main()
