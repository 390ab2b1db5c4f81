"""Plots of the page: figures with their spread as dots with whiskers, on a log axis where they are ratios."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

_INK, _PAPER, _GRID = "#1d2733", "#fbfbf9", "#d9dee4"
_DOT, _GOOD, _BAD, _GOAL = "#3b6ea8", "#2a7f62", "#b5473c", "#8a6d1f"
_STYLE: dict[Any, Any] = dict.fromkeys(
    ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "axes.titlecolor"), _INK
) | {"svg.fonttype": "none", "svg.hashsalt": "creditloop", "font.size": 9.5}
_WIDE, _ROW, _AROUND = 7.4, 0.27, 0.95  # inches: the width, the height of a row, of title and axis


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG file beside the page, and what it shows in words."""

    name: str
    told: str
    svg: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A figure of the plot; without `low` and `high` it has no whisker. `good` colours it, None: neither."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    good: bool | None = None


def dots(
    name: str, told: str, rows: Sequence[Dot], axis: str, log: bool = True, lines: Sequence[tuple[float, str]] = ()
) -> Picture:
    """One row for each figure, top to bottom; `lines` are upright ones with their words, goals above all."""
    with mpl.rc_context(_STYLE):
        height = _AROUND + _ROW * len(rows)
        figure = Figure(figsize=(_WIDE, height), facecolor=_PAPER)
        left = 0.02 + 0.0102 * max(len(row.label) for row in rows)
        axes = figure.add_axes((left, 0.52 / height, 0.97 - left, (height - _AROUND) / height))
        axes.set_facecolor(_PAPER)
        for place, row in enumerate(rows):
            colour = {None: _DOT, True: _GOOD, False: _BAD}[row.good]
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.6, alpha=0.55)
            axes.plot([row.value], [place], "o", color=colour, markersize=5)
        for value, words in lines:
            axes.axvline(value, color=_GOAL, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
            axes.annotate(words, (value, 1.0), (0, 3), ("data", "axes fraction"), "offset points",
                          ha="center", va="bottom", fontsize=8.5, color=_GOAL)  # fmt: skip
        axes.set_yticks(range(len(rows)), [row.label for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        _scale(axes, [*_ends(rows), *(value for value, _ in lines)], log)
        axes.set_xlabel(axis)
        axes.grid(axis="x", color=_GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        return Picture(name, told, _svg(figure))


def _ends(rows: Sequence[Dot]) -> list[float]:
    return [end for row in rows for end in (row.value, row.low, row.high) if end is not None]


def _scale(axes: Axes, ends: Sequence[float], log: bool) -> None:
    """Ticks in plain numbers: at 1, 2, 5, 10 ... of a log axis; a linear one begins at 0 where nothing lies below."""
    if log:
        axes.set_xscale("log")
        axes.set_xlim(min(ends) / 1.25, max(ends) * 1.25)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if max(ends) / min(ends) > 300 else (1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    elif min(ends) >= 0:
        axes.set_xlim(0, 1.05 * max(ends))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _svg(figure: Figure) -> str:
    """Text stays text, and the same figure gives the same bytes."""
    picture = io.StringIO()
    figure.savefig(
        picture, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight", pad_inches=0.12
    )
    return "\n".join(line.rstrip() for line in picture.getvalue().splitlines()) + "\n"
