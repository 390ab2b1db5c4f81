"""The exact checks, first and on every row: what no distance between distributions would notice or survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from configs.settings import Monitoring
from features.declaration import Feature
from monitoring.windows import Window

Level = Literal["red", "amber"]
_FEW = 50  # rows: with fewer, neither a median nor a constant says anything


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one feature (or with the window), in numbers and in words."""

    subject: str
    check: str
    level: Level
    measured: float
    expected: float
    told: str


def check_window(
    window: Window,
    reference: np.ndarray,
    reference_as_of: np.ndarray,
    features: Sequence[Feature],
    settings: Monitoring,
) -> list[Finding]:
    """Every finding about the window; `reference` is (rows, features) of training time, asked at `reference_as_of`."""
    findings = _repeated(window)
    for place, feature in enumerate(features):
        now, then = window.values[:, place], reference[:, place]
        findings += _missing(feature.name, now, then, settings)
        findings += _outside(feature, now, settings)
        findings += _constant(feature.name, now, then, reference_as_of)
        findings += _scale(feature.name, now, then)
    return findings


def _repeated(window: Window) -> list[Finding]:
    pairs = set(zip(window.customer_id.tolist(), window.as_of.tolist(), strict=True))
    repeated = len(window) - len(pairs)
    if not repeated:
        return []
    told = f"{repeated} decisions repeat a customer and date: is somebody asking twice without an idempotency key?"
    return [Finding("decisions", "repeated", "amber", repeated, 0, told)]


def _missing(name: str, now: np.ndarray, then: np.ndarray, settings: Monitoring) -> list[Finding]:
    share, before = float(np.isnan(now).mean()), float(np.isnan(then).mean())
    if share - before < settings.missing_jump:
        return []
    told = f"missing in {share:.0%} of decisions, {before:.0%} when the model was made: a feed went silent"
    return [Finding(name, "missing", "red", share, before, told)]


def _outside(feature: Feature, now: np.ndarray, settings: Monitoring) -> list[Finding]:
    share = float(((now < feature.low) | (now > feature.high) | np.isinf(now)).mean())
    if share <= settings.outside_share:
        return []
    told = f"{share:.0%} of values are infinite or outside the declared range [{feature.low:g}, {feature.high:g}]"
    return [Finding(feature.name, "range", "red", share, 0.0, told)]


def _constant(name: str, now: np.ndarray, then: np.ndarray, then_as_of: np.ndarray) -> list[Finding]:
    present = now[np.isfinite(now)]
    known = ~np.isnan(then)
    if len(present) < _FEW or np.ptp(present) > 0 or not known.any():
        return []
    # A feature that was nearly constant on some date before (the age of yearly reports is the same for all) may
    # well be constant in a window of one date. A date of few rows shows nothing: one row is always constant.
    dates, rows = np.unique(then_as_of[known], return_counts=True)
    shares = [_commonest_share(then[known & (then_as_of == date)]) for date in dates[rows >= _FEW]]
    common = max(shares, default=_commonest_share(then[known]))
    if common ** len(present) > 1e-6:
        return []
    told = f"always {present[0]:g}, where it used to vary: a feed is stuck"
    return [Finding(name, "constant", "red", float(present[0]), common, told)]


def _commonest_share(values: np.ndarray) -> float:
    return float(np.unique(values, return_counts=True)[1].max() / len(values))


def _scale(name: str, now: np.ndarray, then: np.ndarray) -> list[Finding]:
    """A unit error moves the whole distribution: the medians of positive values 20 times apart."""
    present, before = now[np.isfinite(now) & (now > 0)], then[np.isfinite(then) & (then > 0)]
    if len(present) < _FEW or len(before) < _FEW:
        return []
    ratio = float(np.median(present) / np.median(before))
    if 1 / 20 < ratio < 20:
        return []
    told = f"the median is {ratio:.3g} times what it was: has the unit changed?"
    return [Finding(name, "unit", "red", ratio, 1.0, told)]
