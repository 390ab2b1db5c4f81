"""Two groups compared: ratio and gap of approve rates, difference of scores, each with its two-sided 95 % interval."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import fisher_exact

from training.validate import Interval

_95 = 1.959963984540054  # of the standard normal, two-sided


def impact_ratio(approved: int, rows: int, approved_reference: int, rows_reference: int) -> Interval:
    """Approve rate of a group over that of the reference; interval by the log method of Katz et al. (1978).

    Where a group has nobody or everybody approved, the interval is that of the table with half a case in each cell
    (Gart and Nam, 1988), stretched to hold the ratio. 48 of 80 over 12 of 25: 1.25, 0.80 to 1.95. With nobody
    approved in the reference the ratio is missing.
    """
    if not approved_reference:
        return Interval(math.nan, math.nan, math.nan)
    ratio = approved / rows * rows_reference / approved_reference
    edge = approved in (0, rows) or approved_reference == rows_reference
    half = 0.5 if edge else 0.0
    a, n, b, m = approved + half, rows + 2 * half, approved_reference + half, rows_reference + 2 * half
    centre = math.log(a / n * m / b)
    spread = _95 * math.sqrt(1 / a - 1 / n + 1 / b - 1 / m)
    return Interval(ratio, min(ratio, math.exp(centre - spread)), max(ratio, math.exp(centre + spread)))


def fisher_p(approved: int, rows: int, approved_reference: int, rows_reference: int) -> float:
    """Two-sided p-value of Fisher's exact test that both groups are approved at one rate."""
    table = [[approved, rows - approved], [approved_reference, rows_reference - approved_reference]]
    return float(fisher_exact(table).pvalue)


def wilson(cases: int, rows: int) -> Interval:
    """A rate with the score interval of Wilson (1927)."""
    rate, z2 = cases / rows, _95**2
    centre = (cases + z2 / 2) / (rows + z2)
    spread = _95 / (rows + z2) * math.sqrt(cases * (rows - cases) / rows + z2 / 4)
    return Interval(rate, max(0.0, centre - spread), min(1.0, centre + spread))


def rate_gap(cases: int, rows: int, cases_reference: int, rows_reference: int) -> Interval:
    """Rate of a group minus that of the reference; the hybrid score interval of Newcombe (1998, method 10)."""
    ours, theirs = wilson(cases, rows), wilson(cases_reference, rows_reference)
    gap = ours.value - theirs.value
    below = math.hypot(ours.value - ours.low, theirs.high - theirs.value)
    above = math.hypot(ours.high - ours.value, theirs.value - theirs.low)
    return Interval(gap, gap - below, gap + above)


def standardised_difference(score: np.ndarray, reference: np.ndarray) -> Interval:
    """Mean score of a group minus the reference's over the pooled standard deviation (Cohen, 1988, 2.5.1).

    Its variance is (n + m) / nm + d^2 / 2(n + m) (Hedges and Olkin, 1985, ch. 5). Scores all alike within both
    groups leave it missing.
    """
    n, m = len(score), len(reference)
    pooled = ((n - 1) * score.var(ddof=1) + (m - 1) * reference.var(ddof=1)) / (n + m - 2)
    if not pooled > 0:
        return Interval(math.nan, math.nan, math.nan)
    difference = float((score.mean() - reference.mean()) / math.sqrt(pooled))
    spread = _95 * math.sqrt((n + m) / (n * m) + difference**2 / (2 * (n + m)))
    return Interval(difference, difference - spread, difference + spread)
