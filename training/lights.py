"""One test of a report: what was measured, how sure, and the light this lender's policy gives it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from training.validate import Interval

Light = Literal["green", "amber", "red", "grey"]  # grey: not enough data to say
BASIS = "policy, not regulation"


@dataclass(frozen=True, slots=True)
class Finding:
    """A test with its light. `amber` and `red` are the thresholds used; what a test does not have is missing.

    `told` is one sentence for people, `source` where the formula comes from, `basis` says who chose the thresholds.
    """

    name: str
    group: str
    light: Light
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    amber: float | None
    red: float | None
    told: str
    source: str
    basis: str = BASIS


def finding(
    name: str,
    group: str,
    light: Light,
    value: float | Interval | None,
    told: str,
    source: str,
    *,
    p: float | None = None,
    amber: float | None = None,
    red: float | None = None,
) -> Finding:
    """A finding of a number or of an estimate with its interval; NaN is missing."""
    bounds = (value.value, value.low, value.high) if isinstance(value, Interval) else (value, None, None)
    shown = [None if bound is None or math.isnan(bound) else float(bound) for bound in (*bounds, p)]
    return Finding(name, group, light, shown[0], shown[1], shown[2], shown[3], amber, red, told, source)


def p_finding(
    name: str, group: str, value: float | Interval | None, p: float, bounds: tuple[float, float], told: str, source: str
) -> Finding:
    """A finding whose light is that of its p-value; `bounds` are (amber, red)."""
    amber, red = bounds
    return finding(name, group, by_p(p, amber, red), value, told, source, p=p, amber=amber, red=red)


def by_p(p: float, amber: float, red: float) -> Light:
    """Red below `red`, amber below `amber`; a missing p is grey."""
    if math.isnan(p):
        return "grey"
    return "red" if p < red else "amber" if p < amber else "green"


def at_most(value: float, amber: float, red: float) -> Light:
    """Red above `red`, amber above `amber`; missing is grey."""
    return "grey" if math.isnan(value) else "red" if value > red else "amber" if value > amber else "green"


def at_least(value: float, amber: float, red: float) -> Light:
    """Red below `red`, amber below `amber`; missing is grey."""
    return at_most(-value, -amber, -red)


def worst(lights: list[Light]) -> Light:
    """The most alarming light; grey where there is none, or nothing else."""
    order: tuple[Light, ...] = ("red", "amber", "green")
    return next((light for light in order if light in lights), "grey")
