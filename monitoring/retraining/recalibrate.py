"""The cheap remedies carried out: the champion's own trees under a new level, or a new line, as a challenger.

What the champion foretold of the decisions since it was made is held against what became of them. The line through its
log-odds is fitted on some customers and judged on the others, whose side is that of every split (training.dataset).
Trees, features, reasons and the order of all customers stay.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import expit, logit

from configs.errors import Refusal
from configs.settings import Product, Settings
from features import matrix
from features.contracts import Columns, iso, to_day
from features.outcome import Labels
from training import interval, pipeline
from training.bundle import Bundle
from training.calibrate import Calibration, Chosen, intercept_shift, platt
from training.dataset import Dataset, Split, groups
from training.model import Model
from training.tune import Tuned

LINES: dict[str, Callable[[np.ndarray, np.ndarray], Calibration]] = {
    "shift_intercept": intercept_shift,
    "recalibrate": platt,
}
"""By remedy the line of `defaulted` (rows,) on the champion's log-odds (rows,): of slope 1, or of its own slope."""

_OF_THE_TREES = ("reasons", "seed_stability", "training_window")


def recalibrate(
    remedy: str,
    product: Product,
    tables: Mapping[str, Columns],
    settings: Settings,
    current: Bundle,
    labels: Labels,
    side: np.ndarray,
    now: int,
    stage: Callable[[str], None],
) -> pipeline.Outcome:
    """A challenger of `current`'s trees whose log-odds lie on the line that `remedy` names; the gate judges it.

    `side` (labels,) is true for customers that judge, false for those that teach. Raises Refusal where too few
    defaults of either side are known since the champion was made.
    """
    stage("gather what became of the decisions since the champion was made")
    data = _since(current, tables, labels, now)
    test = side[labels.as_of > _last_judged(current)]
    split = Split(data.take(np.flatnonzero(~test)), data.take(np.flatnonzero(test)), by_time=True)
    _require_defaults(split, settings.training.minimum_defaults, current)
    train = split.train
    log_odds = _log_odds(current, train.matrix)
    line = LINES[remedy](log_odds, train.defaulted)
    stage(f"{remedy}: log-odds {line.intercept:+.3f} {line.slope:+.3f} x the champion's")
    calibration = current.calibration.through(line.intercept, line.slope)
    told = current.training
    tuned = Tuned(told["params"], told["rounds"], told["folds_log_loss"], (), current.version)
    pds = calibration.default_probability(current.raw_score(train.matrix))
    model = Model(current.booster, told["params"], Chosen(calibration, (), None), tuned, pds)
    before = current.reference()
    moved = expit(line.log_odds(logit(before["_default_probability"].to_numpy())))
    reference = before.assign(_default_probability=moved)
    known = _known(current, pds, train, settings)
    return pipeline.published(product, tables, data, split, model, reference, current, settings, now, stage, known)


def _since(current: Bundle, tables: Mapping[str, Columns], labels: Labels, now: int) -> Dataset:
    """What has matured of the questions asked after the last that taught or judged the champion."""
    new = np.flatnonzero(labels.as_of > _last_judged(current))
    customers, days = labels.customer_id[new], labels.as_of[new]
    return Dataset(
        current.program,
        matrix.build(current.program, tables, customers, days),
        labels.defaulted[new],
        customers,
        days,
        labels.immature,
        labels.clock,
        groups(customers, tables["customers"], now) if "customers" in tables else None,
    )


def _last_judged(current: Bundle) -> int:
    parts = current.training["parts"].values()
    return to_day(max(dt.date.fromisoformat(part["to"]) for part in parts))


def _require_defaults(split: Split, minimum: int, current: Bundle) -> None:
    needed = {"teach": (split.train, minimum), "judge": (split.test, max(5, minimum // 3))}
    for name, (part, wanted) in needed.items():
        bad = int(part.defaulted.sum())
        if min(bad, len(part) - bad) < wanted:
            raise Refusal(
                f"{bad} defaults and {len(part) - bad} goods asked about after {iso(_last_judged(current))} {name}; "
                f"{wanted} of each are needed to move the champion's level. Wait, or train anew: --anyway REASON"
            )


def _log_odds(current: Bundle, values: np.ndarray) -> np.ndarray:
    return current.calibration.log_odds(current.raw_score(values))


def _known(current: Bundle, pds: np.ndarray, train: Dataset, settings: Settings) -> dict[str, Any]:
    """What rests on the trees is the champion's. How sure the PDs are is measured anew."""
    band = interval.measure(train, pds, settings.explanation)
    return {
        "pd_interval": None if band is None else band.to_json(),
        **{name: current.training[name] for name in _OF_THE_TREES if name in current.training},
        "recalibrated_from": current.version,
    }
