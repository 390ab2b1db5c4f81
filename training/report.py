"""What people look at beside a model: figures, and a page that says first what matters. Nothing here decides."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib.figure import Figure

from configs.templates import templates
from training.lights import Light
from training.validate import Interval

_TEMPLATES = templates(Path(__file__).parent)
_INK, _GOOD, _BAD = "#1f3a5f", "#2a7f62", "#b5473c"
_LIGHTS: tuple[Light, ...] = ("red", "amber", "green", "grey")
_ORDER = (
    "scorecard",
    "certificate",
    "leakage",
    "outcomes",
    "training_window",
    "calibration",
    "pd_interval",
    "seed_stability",
    "fairness",
    "alternatives",
    "reject_inference",
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a section: texts and numbers as they shall be read."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """What another part of training adds to the page. `told` is one sentence; on the first page if it must be seen."""

    title: str
    told: str
    light: Light = "grey"
    on_first_page: bool = False
    tables: tuple[Table, ...] = ()
    plots: Mapping[str, Figure] | None = None


def scorecard_section(model_auc: Interval, scorecard_auc: Interval, difference: Interval) -> Section:
    """The comparison with the WOE scorecard, AUC of model minus scorecard paired (DeLong et al., 1988).

    A model that is not better beyond its interval says so on the first page.
    """
    better = difference.low > 0
    interval = f"{difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
    told = (
        f"LightGBM ranks better than the WOE scorecard: AUC {interval}, paired DeLong"
        if better
        else f"LightGBM is not significantly better than the WOE scorecard: AUC {interval}, paired DeLong. "
        "The scorecard is the simpler choice"
    )
    rows = (
        ("LightGBM", model_auc.value, model_auc.low, model_auc.high),
        ("WOE scorecard", scorecard_auc.value, scorecard_auc.low, scorecard_auc.high),
        ("difference, paired", difference.value, difference.low, difference.high),
    )
    table = Table("AUC on the same unseen rows", ("model", "AUC", "low", "high"), rows)
    return Section("Against the scorecard", told, "green" if better else "amber", not better, (table,))


def figures(
    default_probability: np.ndarray,
    defaulted: np.ndarray,
    validation: Mapping[str, Any],
    gains: Mapping[str, float],
    trials: list[float | None],
) -> dict[str, Figure]:
    """The plots of a model, by name, on the judged rows."""
    return {
        "roc": _roc(default_probability, defaulted, validation),
        "calibration": _calibration(validation),
        "vintages": _vintages(validation),
        "grades": _grades(validation),
        "scores": _scores(default_probability, defaulted),
        "importance": _importance(gains),
        "tuning": _tuning(trials),
    }


def _axes(title: str, x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.2, 3.7), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _roc(default_probability: np.ndarray, defaulted: np.ndarray, validation: Mapping[str, Any]) -> Figure:
    auc = validation["auc"]
    order = np.argsort(-default_probability, kind="stable")
    bad = defaulted[order].astype(bool)
    interval = f"{auc['value']:.4f} ({auc['low']:.4f} to {auc['high']:.4f})"
    figure, axes = _axes(f"ROC, AUC {interval}", "share of goods", "share of bads")
    axes.plot(np.cumsum(~bad) / (~bad).sum(), np.cumsum(bad) / bad.sum(), color=_INK)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle=":")
    return figure


def _calibration(validation: Mapping[str, Any]) -> Figure:
    bins = validation["calibration_curve"]
    figure, axes = _axes("Calibration, default rates with 95 % intervals", "mean PD", "default rate")
    rates = [one["default_rate"] for one in bins]
    _with_intervals(axes, [one["mean_pd"] for one in bins], rates)
    top = max(one["mean_pd"] for one in bins)
    axes.plot([0, top], [0, top], color="#999999", linewidth=0.8, linestyle=":")
    return figure


def _vintages(validation: Mapping[str, Any]) -> Figure:
    figure, axes = _axes("Vintages, 95 % intervals", "month asked", "defaults observed over expected")
    months = validation["vintages"]
    place = list(range(len(months)))
    _with_intervals(axes, place, [month["observed_to_expected"] for month in months])
    axes.axhline(1, color="#999999", linewidth=0.8, linestyle=":")
    shown = place[:: max(1, len(place) // 8)]
    axes.set_xticks(shown, [months[number]["slice"] for number in shown], fontsize=7)
    return figure


def _with_intervals(axes: Any, places: list[Any], estimates: list[Mapping[str, float]]) -> None:
    values = np.array([one["value"] for one in estimates])
    spread = np.array([[one["value"] - one["low"], one["high"] - one["value"]] for one in estimates]).T
    # The Jeffreys interval of no default at all starts above 0.
    axes.errorbar(places, values, yerr=np.maximum(spread, 0), fmt="o", color=_INK, markersize=4, capsize=2)


def _grades(validation: Mapping[str, Any]) -> Figure:
    figure, axes = _axes("Grades: expected and observed", "grade", "rate of default")
    rows = [row for row in validation["grades"] if row["rows"]]
    place = np.arange(len(rows))
    axes.bar(place - 0.2, [row["mean_pd"] for row in rows], 0.4, label="mean PD", color=_INK)
    axes.bar(place + 0.2, [row["default_rate"] for row in rows], 0.4, label="default rate", color=_BAD)
    axes.set_xticks(place, [f"{row['grade']}\n{row['rows']:,}" for row in rows])
    axes.legend(frameon=False)
    return figure


def _scores(default_probability: np.ndarray, defaulted: np.ndarray) -> Figure:
    figure, axes = _axes("PD of goods and bads", "PD (log scale)", "share")
    lowest = max(default_probability.min(), 1e-5)
    edges = np.geomspace(lowest, max(default_probability.max(), 2 * lowest), 30)  # of PDs all alike, one bin
    for label, rows, color in (("good", defaulted == 0, _GOOD), ("bad", defaulted == 1, _BAD)):
        weights = np.full(rows.sum(), 1 / max(1, rows.sum()))
        axes.hist(
            np.maximum(default_probability[rows], lowest), edges, weights=weights, alpha=0.55, label=label, color=color
        )
    axes.set_xscale("log")
    axes.legend(frameon=False)
    return figure


def _importance(gains: Mapping[str, float]) -> Figure:
    figure, axes = _axes("What the model uses", "share of gain", "")
    top = sorted(gains.items(), key=lambda item: item[1])[-15:]
    names = [name if len(name) <= 32 else f"{name[:31]}…" for name, _ in top]
    axes.barh(range(len(top)), [gain for _, gain in top], tick_label=names, color=_INK)
    axes.tick_params(axis="y", labelsize=7)
    return figure


def _tuning(trials: list[float | None]) -> Figure:
    figure, axes = _axes("Tuning", "trial", "log-loss over the folds")
    done = [(number, value) for number, value in enumerate(trials) if value is not None]
    axes.plot([n for n, _ in done], [v for _, v in done], ".", color="#8899aa")
    axes.plot([n for n, _ in done], np.minimum.accumulate([v for _, v in done]), color=_INK)
    return figure


def inline_svg(figure: Figure) -> str:
    """The figure as a data URL, so that a page needs no second file; the same figure gives the same bytes."""
    picture = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "creditloop"}):
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(picture.getvalue()).decode()


def render(
    title: str,
    validation: Mapping[str, Any],
    gate: Mapping[str, Any],
    training: Mapping[str, Any],
    plots: Mapping[str, Figure],
    sections: Mapping[str, Section] | None = None,
) -> str:
    """The validation page: self-contained HTML. `validation` as `examine` makes it or as validation.json holds it.

    Sections come in a settled order (scorecard, certificate, leakage, fairness, reject inference), others after.
    """
    given = sections or {}
    ordered = sorted(given, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    return _TEMPLATES.get_template("report.html").render(
        title=title,
        validation=validation,
        groups=_grouped(validation["tests"]),
        lit={light: [test for test in validation["tests"] if test["light"] == light] for light in _LIGHTS},
        gate=gate,
        training=training,
        sections={name: given[name] for name in ordered},
        section_plots={name: _pictures(given[name].plots or {}) for name in ordered},
        plots=_pictures(plots),
    )


def _pictures(plots: Mapping[str, Figure]) -> dict[str, str]:
    return {name: inline_svg(figure) for name, figure in plots.items()}


def _grouped(tests: list[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    return {group: [test for test in tests if test["group"] == group] for group in {t["group"]: 0 for t in tests}}


def _number(value: float | str | None, digits: int = 4) -> str:
    """A number for people; what is missing is a dash, what is a word stays one."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    return f"{value:,.{digits}f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value


def _estimate(interval: Mapping[str, float | None] | None, digits: int = 3) -> str:
    """An estimate with its interval; a dash where there is none."""
    if interval is None:
        return "–"
    bounds = f"{_number(interval['low'], digits)} to {_number(interval['high'], digits)}"
    return f"{_number(interval['value'], digits)} ({bounds})"


_TEMPLATES.filters.update(number=_number, estimate=_estimate)
