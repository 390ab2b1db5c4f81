"""How a grade moves from one review to the next: with hysteresis, and at once where a hard trigger says so.

A grade that follows every PD flaps: a customer near the edge of a band is told something else every month. So the PD
must lie clearly beyond the edge, or stay beyond it. For the same customer before, a higher PD never gives a better
grade. Pure functions on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from configs.customers import ReviewRules

Cause = Literal["none", "first", "margin", "persistence", "trigger"]
CAUSES: tuple[Cause, ...] = ("none", "first", "margin", "persistence", "trigger")
_NONE, _FIRST, _MARGIN, _PERSISTENCE, _TRIGGER = range(len(CAUSES))
NEW = -1  # the grade of a customer who was in no review before
_LONGEST = 30_000  # reviews in a row that are told apart


@dataclass(frozen=True, slots=True)
class Standing:
    """Where customers stand after a review, (rows,) each: `grade`, its place on the masterscale, NEW before the first.

    `beyond` counts the reviews in a row with a PD on the worse (> 0) or better (< 0) side of the band; `held` the
    reviews that must still pass before the grade may rise.
    """

    grade: np.ndarray
    beyond: np.ndarray
    held: np.ndarray

    @classmethod
    def new(cls, rows: int) -> Standing:
        """Customers who were in no review yet."""
        return cls(np.full(rows, NEW, np.int8), np.zeros(rows, np.int16), np.zeros(rows, np.int16))


def move(
    default_probability: np.ndarray,
    by_pd: np.ndarray,
    before: Standing,
    forced: np.ndarray,
    upper: np.ndarray,
    rules: ReviewRules,
) -> tuple[Standing, np.ndarray]:
    """The standing after this review, and why it changed: the place in CAUSES, (rows,).

    `by_pd` (rows,) is the grade of the band that holds the PD, `upper` (grades - 1,) the PD where each band ends, and
    `forced` (rows,) the best grade that triggers leave a customer, NEW without one.
    """
    known = before.grade != NEW
    stood = np.where(known, before.grade, by_pd)
    worse, better = by_pd > stood, by_pd < stood
    beyond = np.where(worse, np.maximum(before.beyond, 0) + 1, np.where(better, np.minimum(before.beyond, 0) - 1, 0))
    ends = np.concatenate([[0.0], upper, [np.inf]])
    down = default_probability >= ends[stood + 1] * (1 + rules.margin_share)
    up = default_probability < ends[stood] * (1 - rules.margin_share)
    persists = (beyond >= rules.down_after) | (beyond <= -rules.up_after)
    free = worse | (better & (before.held <= 0))
    moved = free & ((worse & down) | (better & up) | persists)
    grade = np.where(moved, by_pd, stood)
    triggered = forced != NEW
    cause = np.where(moved, np.where((worse & down) | (better & up), _MARGIN, _PERSISTENCE), _NONE)
    cause = np.where(triggered & (forced > grade), _TRIGGER, cause)
    grade = np.maximum(grade, forced)
    cause = np.where(known, np.where(grade == before.grade, _NONE, cause), _FIRST)
    after = Standing(
        grade.astype(np.int8),
        np.where(grade != stood, 0, np.clip(beyond, -_LONGEST, _LONGEST)).astype(np.int16),
        np.where(triggered, rules.up_after, np.maximum(before.held - 1, 0)).astype(np.int16),
    )
    return after, cause.astype(np.int8)


def matrix(before: np.ndarray, after: np.ndarray, grades: int) -> np.ndarray:
    """Customers by grade before (rows) and after (columns), (grades, grades); who was new is in none.

    The cohort estimate of a migration probability is a count over the sum of its row, N_ij / N_i (Jafry and
    Schuermann, 2004, section 2.1).
    """
    known = before != NEW
    pairs = before[known].astype(np.int64) * grades + after[known]
    return np.bincount(pairs, minlength=grades * grades).reshape(grades, grades)
