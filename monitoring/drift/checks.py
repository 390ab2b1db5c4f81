"""The exact checks, first and on every row: what no distance between distributions would notice or survive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import binom

from configs.settings import Monitoring
from features.contracts import iso
from features.declaration import Feature
from monitoring.drift.reference import Reference
from monitoring.drift.tally import Tally
from monitoring.drift.windows import Window

Level = Literal["red", "amber"]
_FEW = 50  # rows: with fewer, neither a median nor a constant says anything
_CERTAIN = 1e-6  # what chance alone does so rarely is a fault


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one feature (or with the window), in numbers and in words."""

    subject: str
    check: str
    level: Level
    measured: float
    expected: float
    told: str


def check_window(window: Window, now: Tally, reference: Reference, settings: Monitoring) -> list[Finding]:
    """Every finding about the window, whose counts on the reference's grid are `now`."""
    findings = [*_repeated(window), *_volume(window, settings), *_freshness(window, settings)]
    for place, feature in enumerate(reference.features):
        findings += _arrived(window, feature, settings)
        if feature.name not in window.arrival.absent:
            findings += _missing(place, feature.name, now, reference.counted, settings)
            findings += _outside(place, feature, now, settings)
            findings += _constant(place, feature.name, now, reference)
            findings += _scale(place, feature.name, now, reference.counted)
    return findings


def _repeated(window: Window) -> Iterator[Finding]:
    pairs = pd.DataFrame({"customer": window.customer_id, "as_of": window.as_of})
    repeated = int(pairs.duplicated().sum())
    if repeated:
        told = f"{repeated} decisions repeat a customer and date: is somebody asking twice without an idempotency key?"
        yield Finding("decisions", "repeated", "amber", repeated, 0, told)


def _volume(window: Window, settings: Monitoring) -> Iterator[Finding]:
    """Decisions against the same stretch of time before: a feed of applications that dried up, or runs twice."""
    before = window.arrival.rows_before
    total = len(window) + window.left_out
    if not before or settings.row_count_ratio.holds(total / before):
        return
    # Were both stretches alike, each decision would fall in either with the same chance.
    chance = 2 * binom.cdf(min(total, before), total + before, 0.5)
    if chance < _CERTAIN:
        told = f"{total:,} decisions, {before:,} in the same stretch of time before"
        yield Finding("decisions", "row count", "amber", total, before, told)


def _freshness(window: Window, settings: Monitoring) -> Iterator[Finding]:
    if window.arrival.until is None or not len(window):
        return
    newest, until = int(window.as_of.max()), window.arrival.until
    age = until - newest
    if age > settings.freshness_days and until < 2**30:
        told = f"the newest is of {iso(newest)}, {age} days before the window ends; {settings.freshness_days} are usual"
        yield Finding("decisions", "freshness", "amber", age, settings.freshness_days, told)


def _arrived(window: Window, feature: Feature, settings: Monitoring) -> Iterator[Finding]:
    """The feature's column: there, of numbers, of known categories."""
    arrival, rows = window.arrival, max(1, len(window))
    if feature.name in arrival.absent:
        yield Finding(feature.name, "absent", "red", 1.0, 0.0, "no such column came: was it renamed or dropped?")
    if feature.name in arrival.unreadable:
        count = arrival.unreadable[feature.name]
        yield Finding(feature.name, "type", "red", count / rows, 0.0, f"{count:,} values are no numbers")
    if feature.name in arrival.unseen:
        count, example = arrival.unseen[feature.name]
        level: Level = "red" if count / rows > settings.outside_share else "amber"
        told = f"{count:,} rows with a category the model was not taught, such as {example[:40]!r}"
        yield Finding(feature.name, "category", level, count / rows, 0.0, told)


def _missing(place: int, name: str, now: Tally, then: Tally, settings: Monitoring) -> Iterator[Finding]:
    share, before = now.missing[place] / now.rows, then.missing[place] / then.rows
    if share - before < settings.missing_jump:
        return
    # The share of before is an estimate too: what never was missing may be so once (Laplace's rule).
    usual = (then.missing[place] + 1) / (then.rows + 2)
    if binom.sf(now.missing[place] - 1, now.rows, usual) < _CERTAIN:
        told = f"missing in {share:.0%} of decisions, {before:.0%} when the model was made: a feed went silent"
        yield Finding(name, "missing", "red", float(share), float(before), told)


def _outside(place: int, feature: Feature, now: Tally, settings: Monitoring) -> Iterator[Finding]:
    share = float(now.outside[place] / now.rows)
    if share > settings.outside_share:
        told = f"{share:.0%} of values are infinite or outside the declared range [{feature.low:g}, {feature.high:g}]"
        yield Finding(feature.name, "range", "red", share, 0.0, told)


def _constant(place: int, name: str, now: Tally, reference: Reference) -> Iterator[Finding]:
    present = int(now.finite[place])
    value = now.lowest[place]
    if present < _FEW or now.highest[place] > value:
        return
    common = _commonest_share(reference.values[:, place], reference.as_of)
    if common**present < _CERTAIN:
        told = f"always {value:g}, where it used to vary: a feed is stuck"
        yield Finding(name, "constant", "red", float(value), common, told)


def _commonest_share(then: np.ndarray, as_of: np.ndarray) -> float:
    """The largest share of one value on any date; 1 where nothing was ever known.

    A feature that was nearly constant on some date before (the age of yearly reports is the same for all) may well be
    constant in a window of one date. A date of few rows shows nothing: one row is always constant.
    """
    known = ~np.isnan(then)
    if not known.any():
        return 1.0
    dates, rows = np.unique(as_of[known], return_counts=True)
    groups = [then[known & (as_of == date)] for date in dates[rows >= _FEW]] or [then[known]]
    return max(float(np.unique(group, return_counts=True)[1].max() / len(group)) for group in groups)


def _scale(place: int, name: str, now: Tally, then: Tally) -> Iterator[Finding]:
    """A unit error moves the whole distribution: the medians of positive values 20 times apart."""
    (present, median), (before, former) = now.positive_median(place), then.positive_median(place)
    if min(present, before) < _FEW or 1 / 20 < median / former < 20:
        return
    ratio = median / former
    told = f"the median is about {ratio:.2g} times what it was: has the unit changed?"
    yield Finding(name, "unit", "red", ratio, 1.0, told)
