"""Our model beside what a user would pick instead, on four public portfolios, honestly nested.

Outer stratified folds judge. Inside each, ours is made as `creditloop train` makes it: tuned and, out of fold,
calibrated by inner folds, fitted on all outer training rows. Rivals learn from the same rows, on the published
columns but those that may not decide about credit; the WOE scorecard reads our features. No judged row is seen by
anything before it is judged. FLAML gets as many seconds as ours took on the same fold, 30 at least.
Run: python -m benchmarks.rivals [german polish_1 polish_5 taiwan] --data FOLDER [--trials 30] [--outer 5] [--inner 5]
The rivals are no part of the stack. In an environment of its own, beside the stack: pip install xgboost catboost flaml
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold
from tqdm import tqdm

from benchmarks.common import begun, keep, kept_as
from benchmarks.judging import table, told
from benchmarks.portfolios import PORTFOLIOS, Portfolio
from configs.settings import Training, load_settings
from training.dataset import Split
from training.model import make
from training.scorecard import make_scorecard

try:
    from benchmarks.contenders import RIVALS, Contender, Effort, lightgbm_defaults
except ImportError as error:
    raise SystemExit(f"{error}: the rivals are no part of the stack; pip install xgboost catboost flaml") from None

FOLD_SEED = 7
OURS = "creditloop"
_SPREAD = "95 % intervals: DeLong for AUC, 2,000 bootstrap draws of rows for log-loss and Brier; differences paired"
_LEAST_SECONDS = 30.0
_PATIENCE = 50  # rounds a rival goes on without gain: some learn more slowly than our trials do
_PACKAGES = ("lightgbm", "xgboost", "catboost", "flaml", "optuna", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Fold:
    """An outer fold: the rows that may be learnt from, the rows that judge, and what to spend."""

    portfolio: Portfolio
    learn: np.ndarray
    judge: np.ndarray
    settings: Training

    def ours(self) -> np.ndarray:
        """Tuned, fitted and calibrated as `creditloop train` does."""
        data, learn = self.portfolio.data, self.learn
        split = Split(data.take(learn), data.take(self.judge), by_time=False)
        with tempfile.TemporaryDirectory() as home:
            model = make(split, self.settings, f"sqlite:///{home}/study.db", "study", lambda *_: None)
        return model.default_probability(split.test.matrix)

    def scorecard(self) -> np.ndarray:
        """The WOE scorecard of the house, from all rows that may be learnt from."""
        data = self.portfolio.data
        return make_scorecard(data.take(self.learn), self.settings.seed).default_probability(data.matrix[self.judge])

    def rival(self, contender: Contender, columns: pd.DataFrame, seconds: float) -> np.ndarray:
        """One rival on these columns."""
        settings = self.settings
        effort = Effort(
            settings.trials,
            settings.folds,
            settings.max_rounds,
            _PATIENCE,
            max(seconds, _LEAST_SECONDS),
            settings.seed,
            settings.threads or os.cpu_count() or 1,
        )
        bad = self.portfolio.data.defaulted[self.learn]
        return contender(columns.iloc[self.learn], bad, columns.iloc[self.judge], effort)


def contenders(fold: Fold, taken: Mapping[str, float]) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Who competes on a fold, ours first: from then on `taken` must hold the seconds ours took."""
    raw, denied = fold.portfolio.raw, fold.portfolio.denied
    yield OURS, fold.ours
    yield "WOE scorecard", fold.scorecard
    for name, rival in RIVALS.items():
        yield name, partial(fold.rival, rival, raw, taken[OURS])
    if len(denied.columns):
        everything = pd.concat([raw, denied], axis=1)
        yield "LightGBM defaults, denied columns too", partial(fold.rival, lightgbm_defaults, everything, 0.0)


def compete(portfolio: Portfolio, settings: Training, outer: int, kept: Path) -> dict[str, Any]:
    """PDs of every row by every contender, and the seconds each took; what lies in `kept` is not worked out again."""
    data = portfolio.data
    predicted: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = {}
    fold_of = np.empty(len(data), int)
    splits = list(StratifiedKFold(outer, shuffle=True, random_state=FOLD_SEED).split(data.matrix, data.defaulted))
    bar = tqdm(total=outer * (len(RIVALS) + 2 + bool(len(portfolio.denied.columns))), desc=portfolio.name)
    for number, (learn, judge) in enumerate(splits):
        fold_of[judge] = number
        taken: dict[str, float] = {}
        for name, run in contenders(Fold(portfolio, learn, judge, settings), taken):
            bar.set_postfix_str(name)
            place = kept / f"{portfolio.name}-{name}-{number}.json"
            values, taken[name] = _once(place, run)
            predicted.setdefault(name, np.empty(len(data)))[judge] = values
            seconds[name] = seconds.get(name, 0.0) + taken[name]
            bar.update()
    bar.close()
    return {
        "rows": len(data),
        "defaults": int(data.defaulted.sum()),
        "features_of_ours": len(data.program.features),
        "raw_columns": len(portfolio.raw.columns),
        "denied_columns": list(portfolio.denied.columns),
        "trials": settings.trials,
        "outer_folds": outer,
        "inner_folds": settings.folds,
        "threads": settings.threads or os.cpu_count(),
        "seed": settings.seed,
        "rivals": {name: version(name) for name in _PACKAGES},
        "contenders": table(predicted, data.defaulted.astype(bool), fold_of, OURS, settings.seed),
        "seconds": seconds,
    }


def _once(place: Path, run: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    if not place.exists():
        started = time.monotonic()
        values = run().tolist()
        place.write_text(json.dumps({"seconds": time.monotonic() - started, "default_probability": values}))
    known = json.loads(place.read_text())
    return np.array(known["default_probability"]), float(known["seconds"])


def main() -> None:
    """Measure, print and keep: portfolios measured before stay in the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portfolios", nargs="*", metavar="PORTFOLIO", help=f"of {', '.join(PORTFOLIOS)}; none: all")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the four data sets")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--outer", type=int, default=5, help="folds that judge")
    parser.add_argument("--inner", type=int, default=5, help="folds that tune, inside each")
    parser.add_argument("--threads", type=int, default=0, help="of each contender; 0: all cores")
    parser.add_argument("--kept", type=Path, help="a folder for predictions: a run that was stopped goes on from there")
    arguments = parser.parse_args()
    unknown = set(arguments.portfolios) - set(PORTFOLIOS)
    if unknown:
        parser.error(f"no such portfolio: {', '.join(sorted(unknown))}; there are {', '.join(PORTFOLIOS)}")
    with tempfile.TemporaryDirectory() as scratch:
        changed = {"training": {"trials": arguments.trials, "folds": arguments.inner, "threads": arguments.threads}}
        settings = load_settings(Path(scratch), changed).training
        place = arguments.kept or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        for name in arguments.portfolios or PORTFOLIOS:
            run = begun(dt.datetime.now(dt.UTC), (settings.seed, FOLD_SEED), _SPREAD)
            result = compete(PORTFOLIOS[name](arguments.data), settings, arguments.outer, place)
            print(told(name, result))
            measured = kept_as("rivals").get("portfolios", {})
            print(keep("rivals", {"portfolios": {**measured, name: result | {"run": run.told()}}}, run))


if __name__ == "__main__":
    main()
