"""The memo of a run, for a risk officer with two minutes: the page with three plots, and the same as JSON beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from configs.templates import templates
from configs.whole import whole
from monitoring.drift.checks import Finding
from monitoring.drift.money import Effect, Money
from monitoring.drift.reference import Reference
from monitoring.drift.stability import Stability
from monitoring.drift.windows import Window
from monitoring.outcomes.level import Level
from monitoring.outcomes.performance import Performance
from monitoring.outcomes.power import Power
from monitoring.verdict import Verdict
from training.backtests import jeffreys_interval
from training.psi import counts, edges_of
from training.report import inline_svg

_TEMPLATES = templates(Path(__file__).parent)
_BARS = 8  # effects in the plot of money
_NOW, _THEN = "#3b6ea8", "#9aa7b5"
_INK, _DARK_INK = "#1d2733", "#dfe6ee"
_INKED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "axes.titlecolor")
WHAT_TO_DO = {
    "nothing": "Go on. The next run looks again.",
    "wait": "Change nothing yet. Look again when the outcomes named here have matured.",
    "fix_data": "Have the owner of the feed repair what is named here, score again what was decided meanwhile, "
    "and train nothing on these rows.",
    "shift_intercept": "Approve a new version whose intercept alone is shifted. Ranks, grades' order and reasons stay.",
    "recalibrate": "Have the calibration fitted again on matured outcomes. Ranks and reasons stay.",
    "retrain": "Have a challenger trained (creditloop retrain). It decides nothing until a named person promotes it.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What one run found, and where it is written."""

    product: str
    model: str
    now: str
    window: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    score: Stability
    features: tuple[Stability, ...]
    performance: Performance | None
    page: Path
    evidently_page: Path | None
    level: Level | None = None
    power: Power | None = None
    money: Money | None = None
    budget: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure as data URLs, for light and for dark pages, and what it shows in words."""

    told: str
    light: str
    dark: str


def write(report: Report, shown: Mapping[str, Plot], memo: Mapping[str, object]) -> None:
    """Write the page, and `memo` as JSON beside it; each whole or not at all."""
    html = _TEMPLATES.get_template("monitor.html").render(
        report=report, plots=shown, what_to_do=WHAT_TO_DO[report.verdict.remedy]
    )
    for path, text in ((report.page, html), (report.page.with_suffix(".json"), json.dumps(memo, indent=1))):
        with whole(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def plots(
    report: Report, window: Window, judged: Window, reference: Reference, outcomes: np.ndarray
) -> dict[str, Plot]:
    """At most three: PDs then and now, money at stake, and PDs against outcomes or the feature that matters most.

    `outcomes` are of the decisions `judged`, (rows,).
    """
    if not len(window):
        return {}
    before, pds = reference.default_probability, window.default_probability
    found = {"pd": _both(lambda axes: _compare(axes, "PD", pds, before), "PDs then and now")}
    effects = report.money.effects[:_BARS] if report.money else ()
    if report.money and effects:
        currency = report.money.currency
        found["money"] = _both(lambda axes: _bars(axes, effects, currency), "expected loss at stake, by feature")
    known = outcomes >= 0
    if report.level is not None:
        foretold, bad = judged.default_probability[known], outcomes[known] == 1
        found["outcomes"] = _both(lambda axes: _calibration(axes, foretold, bad), "default rate against PD, by tenths")
    elif report.features:
        name = next((effect.subject for effect in effects if effect.kind == "feature"), report.features[0].name)
        place = [feature.name for feature in reference.features].index(name)
        now, then = window.values[:, place], reference.values[:, place]
        found["feature"] = _both(lambda axes: _compare(axes, name, now, then), f"{name} then and now")
    return found


def _both(draw: Callable[[Axes], None], told: str) -> Plot:
    """Drawn once: the dark figure is the light one with its ink exchanged."""
    colours: dict[Any, Any] = dict.fromkeys(_INKED, _INK) | {"svg.fonttype": "none"}
    with mpl.rc_context(colours):
        figure = Figure(figsize=(5.2, 3.4))
        figure.patch.set_alpha(0)
        axes = figure.add_axes((0.13, 0.24, 0.84, 0.66))
        axes.patch.set_alpha(0)
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        light = inline_svg(figure)
    head, data = light.split(",", 1)
    dark = base64.b64decode(data).replace(_INK.encode(), _DARK_INK.encode())
    return Plot(told, light, f"{head},{base64.b64encode(dark).decode()}")


def _compare(axes: Axes, name: str, now: np.ndarray, then: np.ndarray) -> None:
    edges = edges_of(then, 10)
    place = np.arange(len(edges) + 2)
    for shift, side, told, colour in ((-0.2, then, "when the model was made", _THEN), (0.2, now, "now", _NOW)):
        axes.bar(place + shift, counts(side, edges) / max(1, len(side)), 0.4, label=told, color=colour)
    labels = [f"≤ {edge:.3g}" for edge in edges] + ["above", "missing"]
    axes.set_xticks(place, labels, rotation=45, ha="right", fontsize=9)
    axes.set(title=name, ylabel="share of rows")
    axes.set_ylim(0, 1.25 * axes.get_ylim()[1])
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper left")


def _bars(axes: Axes, effects: tuple[Effect, ...], currency: str) -> None:
    place = np.arange(len(effects))[::-1]
    stakes = [effect.at_stake for effect in effects]
    spread = np.array([[max(0.0, s.value - s.low), max(0.0, s.high - s.value)] for s in stakes]).T
    colours = ["#b5473c" if effect.material else _THEN for effect in effects]
    axes.set_position((0.4, 0.16, 0.56, 0.74))
    axes.barh(place, [s.value for s in stakes], xerr=spread, color=colours, ecolor=_INK)
    axes.set_yticks(place, [effect.subject for effect in effects], fontsize=9)
    axes.set(title="Expected loss at stake", xlabel=currency, xlim=(0, None))


def _calibration(axes: Axes, default_probability: np.ndarray, bad: np.ndarray) -> None:
    order = np.argsort(default_probability, kind="stable")
    for part in np.array_split(order, min(10, max(1, int(bad.sum()) // 3))):
        rate, (low, high) = float(bad[part].mean()), jeffreys_interval(int(bad[part].sum()), len(part))
        spread = [[max(0.0, rate - low)], [max(0.0, high - rate)]]  # of no default the interval lies above its rate
        axes.errorbar(default_probability[part].mean(), rate, spread, fmt="o", color=_NOW, capsize=2)
    top = float(np.quantile(default_probability, 0.99))
    axes.plot([0, top], [0, top], color=_THEN, linewidth=1, label="as the PDs say")
    axes.set(title="Default rate against PD", xlabel="mean PD", ylabel="default rate, 95 % interval")
    axes.legend(frameon=False, fontsize=9)
