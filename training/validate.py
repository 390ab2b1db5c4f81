"""How good a model is on rows that taught it nothing: discrimination, calibration, grades; JSON first."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from training.backtests import jeffreys_interval, jeffreys_p
from training.calibrate import logistic_line
from training.scaling import Scale

_95 = 1.959963984540054  # of the standard normal, two-sided


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its two-sided 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GradeRow:
    """One grade: rows, defaults, mean PD, default rate, and the Jeffreys p-value: small says the PD is too low."""

    grade: str
    rows: int
    defaults: int
    mean_pd: float
    default_rate: float
    jeffreys_p: float


@dataclass(frozen=True, slots=True)
class Validation:
    """The numbers of one model on one set of judged rows."""

    rows: int
    defaults: int
    auc: Interval
    gini: float
    ks: float
    log_loss: float
    brier: float
    calibration_intercept: Interval
    calibration_slope: Interval
    observed_to_expected: Interval
    grades: tuple[GradeRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for validation.json and for MLflow."""
        return asdict(self)


def validate(default_probability: np.ndarray, defaulted: np.ndarray, scale: Scale) -> Validation:
    """Judge PDs (rows,) against what became of them (rows,)."""
    pd_, bad = np.clip(default_probability, 1e-15, 1 - 1e-15), defaulted.astype(bool)
    auc = auc_interval(pd_, bad)
    intercept, slope = calibration_line(pd_, bad)
    return Validation(
        rows=len(bad),
        defaults=int(bad.sum()),
        auc=auc,
        gini=2 * auc.value - 1,
        ks=kolmogorov_smirnov(pd_, bad),
        log_loss=float(-np.mean(np.where(bad, np.log(pd_), np.log1p(-pd_)))),
        brier=float(np.mean((pd_ - bad) ** 2)),
        calibration_intercept=intercept,
        calibration_slope=slope,
        observed_to_expected=observed_to_expected(int(bad.sum()), len(bad), float(pd_.mean())),
        grades=grade_table(pd_, bad, scale),
    )


def calibration_line(default_probability: np.ndarray, bad: np.ndarray) -> tuple[Interval, Interval]:
    """Intercept and slope of logit(outcome) on logit(PD) (Cox, 1958), each with its Wald interval.

    PDs that are all alike tell nothing about a slope: the intervals are then the whole line.
    """
    line = logit(default_probability)
    with threadpool_limits(1):  # how many threads add up decides the last digit, and this number is re-derived
        intercept, slope = logistic_line(line, bad)
    fitted = expit(intercept + slope * line)
    weight = fitted * (1 - fitted)
    total = float(weight.sum())
    centre = float((weight * line).sum()) / total if total > 0 else math.nan
    information = float((weight * (line - centre) ** 2).sum())
    if not information > 0:
        return Interval(intercept, -math.inf, math.inf), Interval(slope, -math.inf, math.inf)
    variance = 1 / information  # of the slope: the inverse of the information matrix, worked out
    return _around(intercept, 1 / total + centre**2 * variance), _around(slope, variance)


def _around(value: float, variance: float) -> Interval:
    spread = _95 * math.sqrt(variance)
    return Interval(value, value - spread, value + spread)


def observed_to_expected(defaults: int, rows: int, mean_pd: float) -> Interval:
    """Observed default rate over mean PD, with the Jeffreys interval of the rate, scaled."""
    low, high = jeffreys_interval(defaults, rows)
    return Interval(defaults / rows / mean_pd, low / mean_pd, high / mean_pd)


def placements(score: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each bad the share of goods it outscores, for each good the share of bads above it (ties half)."""
    ranks = rankdata(score)
    bads, goods = score[bad], score[~bad]
    of_bads = (ranks[bad] - rankdata(bads)) / len(goods)
    of_goods = 1 - (ranks[~bad] - rankdata(goods)) / len(bads)
    return of_bads, of_goods


def auc_interval(score: np.ndarray, bad: np.ndarray) -> Interval:
    """AUC with the interval of DeLong, DeLong and Clarke-Pearson (1988)."""
    return auc_and_variance(score, bad)[0]


def auc_and_variance(score: np.ndarray, bad: np.ndarray) -> tuple[Interval, float]:
    """AUC with DeLong's interval, cut to [0, 1], and its variance, infinite with a single row of either class."""
    of_bads, of_goods = placements(score, bad)
    variance = _variance(of_bads) + _variance(of_goods)
    auc, spread = float(of_bads.mean()), _95 * math.sqrt(variance)
    return Interval(auc, max(0.0, auc - spread), min(1.0, auc + spread)), variance


def auc_difference(challenger: np.ndarray, champion: np.ndarray, bad: np.ndarray) -> Interval:
    """AUC of challenger minus champion on the same rows, paired (DeLong et al., 1988, eq. 5)."""
    ours, theirs = placements(challenger, bad), placements(champion, bad)
    by_bads, by_goods = ours[0] - theirs[0], ours[1] - theirs[1]
    spread = _95 * math.sqrt(_variance(by_bads) + _variance(by_goods))
    difference = float(by_bads.mean())
    return Interval(difference, difference - spread, difference + spread)


def _variance(values: np.ndarray) -> float:
    return float(np.var(values, ddof=1) / len(values)) if len(values) > 1 else float("inf")


def kolmogorov_smirnov(score: np.ndarray, bad: np.ndarray) -> float:
    """The largest distance between the score distributions of bads and goods; 1 where they are apart."""
    values = np.unique(score)
    of_bads = np.searchsorted(np.sort(score[bad]), values, side="right") / bad.sum()
    of_goods = np.searchsorted(np.sort(score[~bad]), values, side="right") / (~bad).sum()
    return float(np.abs(of_bads - of_goods).max())


def grade_table(default_probability: np.ndarray, bad: np.ndarray, scale: Scale) -> tuple[GradeRow, ...]:
    """One row for each grade of the masterscale, empty grades included (their rates are missing)."""
    index = scale.grade_index(default_probability)
    table = []
    for place, name in enumerate(scale.names):
        here = index == place
        rows, defaults = int(here.sum()), int(bad[here].sum())
        mean_pd = float(default_probability[here].mean()) if rows else float("nan")
        rate = defaults / rows if rows else float("nan")
        p_value = jeffreys_p(mean_pd, defaults, rows) if rows else float("nan")
        table.append(GradeRow(name, rows, defaults, mean_pd, rate, p_value))
    return tuple(table)
