"""One measure of a group beside the reference, with its light: beyond which bound, and beyond chance.

Lights are policy, not regulation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from configs.settings import Fairness as Bounds
from training.parity import rate_gap
from training.validate import Interval, auc_interval

Light = Literal["green", "amber", "red", "not measured"]
_ORDER: tuple[Light, ...] = ("not measured", "green", "amber", "red")


@dataclass(frozen=True, slots=True)
class Reading:
    """A measure with its 95 % interval and its light."""

    value: float
    low: float
    high: float
    light: Light


def worst(lights: Iterable[Light]) -> Light:
    """The most alarming of several lights; what is not measured alarms least."""
    return max(lights, key=_ORDER.index, default="not measured")


@dataclass(frozen=True, slots=True)
class Judged:
    """PDs, defaults and approvals of a group, (rows,) each; the latter two bool."""

    default_probability: np.ndarray
    bad: np.ndarray
    approved: np.ndarray

    def take(self, rows: np.ndarray) -> Judged:
        """Of these rows."""
        return Judged(self.default_probability[rows], self.bad[rows], self.approved[rows])

    def __len__(self) -> int:
        return len(self.bad)


def impact(ratio: Interval, p_value: float, bounds: Bounds) -> Reading:
    """Judged both ways. Low without significance is watched, never flagged."""
    either_way = min(ratio.value, 1 / ratio.value) if ratio.value > 0 else ratio.value
    light = _light(
        either_way < bounds.impact_ratio_watch, either_way < bounds.impact_ratio_flag, p_value < bounds.significance
    )
    return Reading(ratio.value, ratio.low, ratio.high, "not measured" if math.isnan(ratio.value) else light)


def gap(own: Judged, base: Judged, bounds: Bounds) -> Reading | None:
    """The gap of the approve rates; None where either has fewer rows than a cell."""
    if min(len(own), len(base)) < bounds.smallest_cell:
        return None
    found = rate_gap(int(own.approved.sum()), len(own), int(base.approved.sum()), len(base))
    return far(found, bounds.gap_watch, bounds.gap_flag)


def far(found: Interval, watch: float, flag: float) -> Reading:
    """How far from 0, either way; without certainty (an interval that holds 0) watched, never flagged."""
    size = abs(found.value)
    light = _light(size > watch, size > flag, not found.low <= 0 <= found.high)
    return Reading(found.value, found.low, found.high, "not measured" if math.isnan(size) else light)


def _light(watched: bool, flagged: bool, certain: bool) -> Light:
    if flagged:
        return "red" if certain else "amber"
    return "amber" if watched and certain else "green"


def calibration(ratio: Interval, bounds: Bounds) -> Reading:
    """Amber where the interval misses 1, red where it lies outside the band altogether."""
    band = bounds.calibration_ratio
    outside = ratio.high < band.low or ratio.low > band.high
    light: Light = "green" if ratio.low <= 1 <= ratio.high else "red" if outside else "amber"
    return Reading(ratio.value, ratio.low, ratio.high, light)


def discrimination(own: Judged, base: Judged | None, bounds: Bounds) -> Reading | None:
    """AUC within the group; amber where its interval and the reference's do not meet."""
    auc = auc_interval(own.default_probability, own.bad)
    if base is None or min(base.bad.sum(), (~base.bad).sum()) < bounds.smallest_cell:
        return Reading(auc.value, auc.low, auc.high, "green")
    theirs = auc_interval(base.default_probability, base.bad)
    meets = auc.low <= theirs.high and theirs.low <= auc.high
    return Reading(auc.value, auc.low, auc.high, "green" if meets else "amber")
