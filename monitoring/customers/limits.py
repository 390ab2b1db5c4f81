"""How a limit moves from one review to the next: in steps, and within what the whole book may draw.

For the same customer before, a larger limit earned never ends as a smaller one; as the policy never lets a higher PD
earn more, it never ends with more. Pure functions on arrays.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from configs.customers import ReviewRules

Hold = Literal["policy", "margin", "rise", "fall", "person", "portfolio", "group"]
HOLDS: tuple[Hold, ...] = ("policy", "margin", "rise", "fall", "person", "portfolio", "group")
_POLICY, _MARGIN, _RISE, _FALL, _PERSON, _PORTFOLIO, _GROUP = range(len(HOLDS))


def step(
    earned: np.ndarray, before: np.ndarray, at_once: np.ndarray, referred: np.ndarray, rules: ReviewRules
) -> tuple[np.ndarray, np.ndarray]:
    """The limit after this review, whole units of currency, and what held it: the place in HOLDS. (rows,) each.

    `earned` is what the policy grants now, `before` the limit in force, missing without one. A limit that would
    hardly change stays. Where `at_once` a fall is not spread over reviews, and where `referred` no limit rises without
    a person. From a limit of 0, as without one, what is earned is granted whole.
    """
    fresh = np.isnan(before) | (before <= 0)
    may = np.minimum(earned, np.where(referred & ~np.isnan(before), before, np.inf))
    near = ~fresh & ~(at_once & (may < before)) & (np.abs(may - before) < rules.limit_margin * before)
    highest = np.where(fresh, np.inf, np.floor(before * (1 + rules.limit_rise)))
    lowest = np.where(fresh | at_once, 0.0, np.floor(before * (1 - rules.limit_fall)))
    limit = np.where(near, before, np.clip(may, lowest, highest))
    causes = [near & (may != before), limit > may, limit < may, may < earned]
    held = np.select(causes, [_MARGIN, _FALL, _RISE, _PERSON], _POLICY)
    return limit, held.astype(np.int8)


def within_groups(
    limit: np.ndarray, drawn: np.ndarray, default_probability: np.ndarray, group: np.ndarray, cap: float
) -> tuple[np.ndarray, np.ndarray]:
    """The limits that groups may be granted so that drawn amounts and free limits stay below `cap`; which it cut.

    `group` (rows,) int is equal where customers are connected, or everywhere: one cap each. What is drawn cannot be
    called back, so exposure, the larger of limit and drawn amount, exceeds the cap by no more than what is drawn
    already does. Free limits go to the lowest PD first: the same money then earns the least loss. Of equal PDs the
    first row comes first. `drawn` below 0 or missing counts as nothing.
    """
    drawn = owed(drawn)
    free = np.maximum(limit - drawn, 0.0)
    _, place = np.unique(group, return_inverse=True)
    room = np.maximum(cap - np.bincount(place, drawn), 0.0) if len(place) else np.empty(0)
    order = np.lexsort((default_probability, place))
    taken = np.cumsum(free[order])
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    before = (taken - free[order])[starts]  # what earlier groups took
    taken_inside = taken - free[order] - before[place[order]]
    granted = np.empty_like(free)
    granted[order] = np.clip(room[place[order]] - taken_inside, 0.0, free[order])
    short = granted < free
    cut = np.where(short, np.floor(np.minimum(limit, drawn) + granted), limit)
    return cut, short


def owed(drawn: np.ndarray) -> np.ndarray:
    """What is drawn, (rows,); below 0 or missing it counts as nothing."""
    return np.maximum(np.nan_to_num(drawn, nan=0.0), 0.0)


def exposure(limit: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """What can be owed: the limit, or what is drawn where that is more. (rows,)."""
    return np.maximum(limit, owed(drawn))
