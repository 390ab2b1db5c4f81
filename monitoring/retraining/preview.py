"""What recalibrating or refitting would gain, before either is done: cheap, on rows each part of it did not see.

A level that is off shows as loss beyond what the PDs foretold; to shift it changes no rank, so at equal exposure it
gains nothing by itself. Recalibration and refit are fitted by cross-validation on the matured decisions themselves and
judged out of fold by what the policy makes of them. A refit is previewed by a few shallow trees on top of the champion:
what those gain, a model tuned and fitted on all data should gain too; what they miss is not promised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from scipy.special import expit, logit

from configs.settings import Product
from configs.watching import Worth as WorthSettings
from features.declaration import Feature
from monitoring.retraining.worth import Worth, compare, decided, misstated
from training.calibrate import platt
from training.dataset import customer_draw
from training.fit import fixed_parameters, raw_score, to_lightgbm
from training.validate import Interval

FOLDS = 5
_TREES = {"learning_rate": 0.05, "num_leaves": 8, "min_data_in_leaf": 50, "lambda_l2": 10.0}
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Judged:
    """Matured decisions, (rows,) each; `values` (rows, features), `reads` what the policy looks at."""

    values: np.ndarray
    reads: np.ndarray
    default_probability: np.ndarray
    bad: np.ndarray
    customer_id: np.ndarray


@dataclass(frozen=True, slots=True)
class Preview:
    """Loss beyond what was foretold and what each remedy gains, money over the horizon; None: too few defaults."""

    misstated: Interval | None
    recalibrate: Worth | None
    refit: Worth | None


def preview(
    product: Product, rows: Judged, features: tuple[Feature, ...], yearly: float, settings: WorthSettings
) -> Preview:
    """Value the remedies on `rows`, at `yearly` decisions in twelve months."""
    if int(rows.bad.sum()) < settings.minimum_defaults or bool(rows.bad.all()):
        return Preview(None, None, None)
    log_odds = logit(np.clip(rows.default_probability, 1e-9, 1 - 1e-9))
    now = decided(product, rows.default_probability, rows.reads, settings)

    def worth(fitted: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Worth | None:
        pds = _out_of_fold(rows.customer_id, fitted, settings.seed)
        then = decided(product, pds, rows.reads, settings)
        return compare(product, now, then, rows.bad, rows.customer_id, yearly, settings)

    def recalibrated(learn: np.ndarray, judge: np.ndarray) -> np.ndarray:
        return platt(log_odds[learn], rows.bad[learn]).default_probability(log_odds[judge])

    def refitted(learn: np.ndarray, judge: np.ndarray) -> np.ndarray:
        return _boosted(rows, log_odds, features, learn, judge, settings.seed)

    off = misstated(product, now, rows.default_probability, rows.bad, rows.customer_id, yearly, settings)
    return Preview(off, worth(recalibrated), worth(refitted))


def _out_of_fold(
    customer_id: np.ndarray, fitted: Callable[[np.ndarray, np.ndarray], np.ndarray], seed: int
) -> np.ndarray:
    fold = (customer_draw(customer_id, seed) * FOLDS).astype(int)
    out = np.empty(len(customer_id))
    for number in range(FOLDS):
        judge = fold == number
        if judge.any():
            out[judge] = fitted(np.flatnonzero(~judge), np.flatnonzero(judge))
    return out


def _boosted(
    rows: Judged, log_odds: np.ndarray, features: tuple[Feature, ...], learn: np.ndarray, judge: np.ndarray, seed: int
) -> np.ndarray:
    """PDs of the judged rows: the champion's log-odds, recalibrated, and the trees that its errors call for."""
    line = platt(log_odds[learn], rows.bad[learn])
    start = line.log_odds(log_odds)
    # Corrections may go either way, also against a declared direction that the champion overdid.
    params = {**fixed_parameters(features, seed, 1), **_TREES, "monotone_constraints": [0] * len(features)}
    data = to_lightgbm(rows.values[learn], rows.bad[learn], features).set_init_score(start[learn])
    booster = lgb.train(params, data, _ROUNDS)
    return np.asarray(expit(start[judge] + raw_score(booster, rows.values[judge], 1)))
