"""Small figures as SVG inside the page: they take its colours, so they read well light, dark and printed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from numbers import Integral

from markupsafe import Markup, escape

_COLOURS = ("var(--ink)", "var(--second)", "var(--good)", "var(--watch)", "var(--bad)")
_STEPS = (1, 2, 2.5, 5, 10)
_COUNTS = (1, 2, 2.5, 3, 4, 5, 6, 8, 10)


def spark(values: Sequence[float | None], width: int = 120, height: int = 26) -> Markup:
    """A line without axes for a table's cell; a gap where a value is missing, a dot on the last one known."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return Markup("")
    points = _placed(values, (min(known), max(known)), (2, 3, width - 4, height - 6))
    last = next(point for point in reversed(points) if point is not None)
    dot = f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2.2" fill="{_COLOURS[0]}"/>'
    return _svg(width, height, _line(points, _COLOURS[0]) + dot, f"from {known[0]:g} to {known[-1]:g}", "spark")


def lines(
    labels: Sequence[str], series: Mapping[str, Sequence[float | None]], unit: str = "", percent: bool = False
) -> Markup:
    """One line for each of `series` over the same `labels`, from 0 up; a gap where a value is missing."""
    known = [value for values in series.values() for value in values if value is not None and math.isfinite(value)]
    top = _nice(max(known, default=0.0))
    area = (52, 8, 440, 150)
    body = _scale(area, top, unit, percent) + _ticks(labels, area)
    for values, colour in zip(series.values(), _COLOURS, strict=False):
        body += _line(_placed(values, (0.0, top), area), colour)
    return _svg(500, 202, body + _legend(list(series), area), ", ".join(series))


def bars(labels: Sequence[str], series: Mapping[str, Sequence[float]], unit: str = "", percent: bool = False) -> Markup:
    """Bars side by side, one of each of `series` for each label, from 0 up; a scale of integers is whole."""
    known = [value for values in series.values() for value in values]
    top = _nice(max(known, default=0.0), all(isinstance(value, Integral) for value in known))
    area = (52, 8, 440, 150)
    each = area[2] / max(len(labels), 1)
    width = each * 0.8 / max(len(series), 1)
    body = _scale(area, top, unit, percent) + _ticks(labels, area, each / 2)
    for place, (values, colour) in enumerate(zip(series.values(), _COLOURS, strict=False)):
        for at, value in enumerate(values):
            tall = area[3] * max(value, 0.0) / top
            x, y = area[0] + each * at + each * 0.1 + width * place, area[1] + area[3] - tall
            body += f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{tall:.1f}" fill="{colour}"/>'
    return _svg(500, 202, body + _legend(list(series), area), ", ".join(series))


_Area = tuple[float, float, float, float]
_Point = tuple[float, float] | None


def _placed(values: Sequence[float | None], between: tuple[float, float], area: _Area) -> list[_Point]:
    left, top, wide, tall = area
    low, high = between
    spread, step = (high - low) or 1.0, wide / max(len(values) - 1, 1)
    return [
        None
        if value is None or not math.isfinite(value)
        else (left + step * place, top + tall * (1 - (value - low) / spread))
        for place, value in enumerate(values)
    ]


def _line(points: Sequence[_Point], colour: str) -> str:
    drawn = ""
    for _, stretch in groupby(points, key=lambda point: point is not None):
        known = [point for point in stretch if point is not None]
        if len(known) == 1:  # a line of one point would not be seen
            drawn += f'<circle cx="{known[0][0]:.1f}" cy="{known[0][1]:.1f}" r="3" fill="{colour}"/>'
        elif known:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in known)
            drawn += f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
    return drawn


def _scale(area: _Area, top: float, unit: str, percent: bool) -> str:
    left, above, wide, tall = area
    drawn = ""
    for share in (0.0, 0.5, 1.0):
        y = above + tall * (1 - share)
        told = f"{100 * top * share:.3g} %" if percent else _short(top * share)
        drawn += f'<line x1="{left}" x2="{left + wide}" y1="{y}" y2="{y}" stroke="var(--line)"/>'
        drawn += f'<text x="{left - 5}" y="{y + 4}" text-anchor="end">{told}</text>'
    return drawn + (f'<text x="{left}" y="{above + tall + 36}">{escape(unit)}</text>' if unit else "")


def _short(value: float) -> str:
    """2500000 as 2.5 M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def _ticks(labels: Sequence[str], area: _Area, shift: float = 0.0) -> str:
    left, above, wide, tall = area
    every = max(1, math.ceil(len(labels) / 7))
    step = wide / max(len(labels) - (0 if shift else 1), 1)
    y = above + tall + 16

    def ends(place: int) -> str:
        """The last label would be cut off at the edge, were it centred there."""
        return "end" if place == len(labels) - 1 > 0 and not shift else "middle"

    return "".join(
        f'<text x="{left + shift + step * place:.1f}" y="{y}" text-anchor="{ends(place)}">{escape(label)}</text>'
        for place, label in enumerate(labels)
        if place % every == 0
    )


def _legend(names: Sequence[str], area: _Area) -> str:
    if len(names) < 2:
        return ""
    x, y, drawn = area[0] + area[2], area[1] + area[3] + 36, ""
    for name, colour in reversed(list(zip(names, _COLOURS, strict=False))):
        x -= 7 * len(name) + 22
        drawn += f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
        drawn += f'<text x="{x + 14}" y="{y}">{escape(name)}</text>'
    return drawn


def _nice(highest: float, whole: bool = False) -> float:
    """The next of some steps times a power of ten, where a scale may end; `whole`: its middle is a whole number."""
    if not math.isfinite(highest) or highest <= 0:
        return 2.0 if whole else 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    ends = (step * power for step in (_COUNTS if whole else _STEPS) if step * power >= highest * (1 - 1e-12))
    return next(end for end in ends if not whole or end % 2 == 0)


def _svg(width: int, height: int, body: str, told: str, kind: str = "chart") -> Markup:
    size = f'viewBox="0 0 {width} {height}" class="{kind}" role="img"'
    return Markup(f'<svg {size} aria-label="{escape(told)}">{body}</svg>')
