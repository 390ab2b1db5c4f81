"""Tuning on UCI credit cards: our study beside `optuna` + `cross_val_score` on the sklearn wrapper, same trials.

Both draw from the same search space with the same samplers from the same first trials, with the same monotone
constraints and fixed parameters, on the same rows and folds by customer; both use every core, a fold to each. Ours
learns at one quick rate, stops early, prunes and keeps its bins, and pays at last for the slow trees of its best
trial. The wrapper inside `cross_val_score` can do none of that: learning rate and number of trees are two more
parameters, the trees up to the same bound, and log-loss is its objective. The rival is measured twice: once so, once
with rate and trees fixed at those of our first trial, as if somebody had told it. Rounds of trials alternate, so a
busy machine slows both. The goal of a pair is the worse of the two log-losses out of fold that they reach in the end:
both did reach it, and the seconds of each until then are compared. Log-loss and AUC out of fold are worked out off the
clock. With --threads 1 seconds are those of the processor, which other work on the machine does not change.
Run: python -m benchmarks.tuning --data FOLDER [--trials 30] [--threads 0] [--minutes 9]
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
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_score

from benchmarks.common import begun, keep
from configs.settings import Training, load_product, load_settings
from features.contracts import to_day
from features.load import load
from features.sources import open_source
from training import dataset, fit, study
from training.folds import QUICK, Folds, Rows, fold_of, slowed

Clock = Callable[[], float]


@dataclass(frozen=True)
class Point:
    """A best so far: the seconds until it was known, what it tells to train, and how many trials that took."""

    seconds: float
    params: dict[str, Any]
    rounds: int
    trials: int


@dataclass
class Runner:
    """One way to tune: its study, the seconds it has taken, and its best parameters as they came."""

    name: str
    study: optuna.Study
    objective: Callable[[optuna.Trial], float]
    clock: Clock
    seconds: float = 0.0
    curve: list[Point] = field(default_factory=list)

    def trial(self, seed: int) -> None:
        """One more trial, on the clock."""
        started = self.clock()
        self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)
        self.study.optimize(self.objective, n_trials=1)
        self.seconds += self.clock() - started
        run = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        best = self.study.best_trial
        if best.number == run[-1].number:
            params = dict(best.params)
            rounds = int(best.user_attrs["rounds"] if "rounds" in best.user_attrs else params.pop("n_estimators"))
            self.curve.append(Point(self.seconds, QUICK | params, rounds, len(run)))


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores, by the clock on the wall")
    parser.add_argument("--minutes", type=float, default=9.0, help="no round of trials starts after so long")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    deadline = time.monotonic() + 60 * arguments.minutes
    clock: Clock = time.process_time if arguments.threads == 1 else time.monotonic
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(Path(home), {"training": {"threads": arguments.threads}}).training
        run = begun(dt.datetime.now(dt.UTC), (settings.seed,), "one run; rounds of trials alternate")
        rows = credit_cards(arguments.data, settings, Path(home))
        ours = our_runner(rows, settings, home, clock)
        ours.trial(settings.seed)
        rivals = [rival(rows, settings, home, clock, told) for told in (None, ours.curve[0].rounds)]
        runners, done = [ours, *rivals], 1
        for runner in rivals:
            runner.trial(settings.seed)
        while done < arguments.trials and time.monotonic() < deadline:
            for runner in runners:
                runner.trial(settings.seed + done)
                print(f"trial {done + 1:>3}  {runner.name:<36} {runner.seconds:7.1f} s", flush=True)
            done += 1
        learn_slowly(ours, rows, settings)
        values = report(rows, settings, runners, done)
        print(keep("tuning", values | {"threads": arguments.threads}, run))


def credit_cards(folder: Path, settings: Training, home: Path) -> Rows:
    """The rows that our tuner may see."""
    product = load_product("uci_default", home)
    tables = load(open_source([str(folder)], product.reader), product).tables
    data = dataset.assemble(product, tables, to_day(dt.date(2006, 1, 1)))
    return Rows.of(dataset.split(data, settings).train)


def learn_slowly(ours: Runner, rows: Rows, settings: Training) -> None:
    """The slow trees of the best trial out of fold, as a model is made of it: the last point of the curve."""
    started, best = ours.clock(), ours.curve[-1]
    params, rounds = slowed(best.params, best.rounds, settings)
    Folds(rows, settings).out_of_fold(params, rounds)
    ours.seconds += ours.clock() - started
    ours.curve.append(Point(ours.seconds, params, rounds, best.trials))


def our_runner(rows: Rows, settings: Training, home: str, clock: Clock) -> Runner:
    """The study as `tune.search` runs it; the seconds begin with what binning costs."""
    started = clock()
    objective = study.Objective(rows, settings)
    opened = study.open_study(f"sqlite:///{home}/ours.db", "ours", settings.survivors, shared=False)
    study.queue(opened, study.known_starts(rows))
    return Runner("creditloop", opened, objective, clock, clock() - started)


def rival(rows: Rows, settings: Training, home: str, clock: Clock, trees: int | None) -> Runner:
    """`optuna` + `cross_val_score` on LGBMClassifier; `trees` None: they are tuned too."""
    name = "cross_val_score, trees tuned" if trees is None else f"cross_val_score, told {trees} trees"
    side_by_side = min(settings.threads or os.cpu_count() or 1, settings.folds)
    fixed = fit.fixed_parameters(rows.features, settings.seed, 1)
    for taken in ("objective", "metric", "num_threads", "seed"):
        del fixed[taken]
    folds = PredefinedSplit(fold_of(rows.kin, rows.defaulted, settings.folds, settings.seed))
    categories = [place for place, item in enumerate(rows.features) if item.categories] or "auto"
    most_in_leaf = study.largest_minimum(rows)

    def objective(trial: optuna.Trial) -> float:
        params = study.draw(trial, most_in_leaf)
        count = trees or trial.suggest_int("n_estimators", 50, settings.max_rounds, log=True)
        rate = QUICK["learning_rate"] if trees else trial.suggest_float("learning_rate", 0.02, 0.2, log=True)
        params |= {"n_estimators": count, "learning_rate": rate}
        model = lgb.LGBMClassifier(n_jobs=1, random_state=settings.seed, **fixed, **params)
        if trees:
            trial.set_user_attr("rounds", trees)
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

    opened = optuna.create_study(storage=f"sqlite:///{home}/rival-{trees}.db", direction="minimize")
    for start in study.known_starts(rows):
        opened.enqueue_trial(start | ({} if trees else {"n_estimators": 300, "learning_rate": 0.05}))
    return Runner(name, opened, objective, clock)


def out_of_fold(rows: Rows, folds: Folds, point: Point) -> dict[str, float]:
    """Log-loss and AUC of all rows, each as told by trees that did not see it; as they are, not calibrated."""
    score = folds.out_of_fold(point.params, point.rounds)
    return {
        "log_loss": float(log_loss(rows.defaulted, 1 / (1 + np.exp(-score)))),
        "auc": float(roc_auc_score(rows.defaulted, score)),
    }


def report(rows: Rows, settings: Training, runners: list[Runner], trials: int) -> dict[str, Any]:
    """Seconds for all trials, and until the log-loss that both of a pair reach; printed."""
    folds = Folds(rows, settings)
    curves = {
        runner.name: [{"seconds": point.seconds, "trials": point.trials, **out_of_fold(rows, folds, point)}
                      for point in runner.curve]
        for runner in runners
    }  # fmt: skip
    ours = runners[0]
    values: dict[str, Any] = {"trials": trials, "rows": len(rows), "curves": curves, "runs": {}}
    for runner in runners:
        own, other = curves[runner.name], curves[ours.name]
        goal = max(min(point["log_loss"] for point in curve) for curve in (own, other))
        theirs_until, ours_until = _reached(own, goal), _reached(other, goal)
        values["runs"][runner.name] = {
            "seconds": runner.seconds,
            **{name: own[-1][name] for name in ("log_loss", "auc")},
            "common_log_loss": goal,
            "seconds_to_common": theirs_until,
            "ours_to_common": ours_until,
            "ratio_all_trials": runner.seconds / ours.seconds,
            "ratio_to_common": theirs_until / ours_until,
        }
    for name, run in values["runs"].items():
        print(f"{name:<32} " + "  ".join(f"{key} {value:.5g}" for key, value in run.items()))
    return values


def _reached(curve: list[dict[str, float]], goal: float) -> float:
    return next(point["seconds"] for point in curve if point["log_loss"] <= goal)


if __name__ == "__main__":
    main()
