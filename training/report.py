"""What people look at beside a model: figures, and one page of them. Nothing here decides anything."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from jinja2 import Environment, FileSystemLoader, select_autoescape

mpl.use("Agg")
from matplotlib.figure import Figure

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape(["html"]), trim_blocks=True
)
_INK, _GOOD, _BAD = "#1f3a5f", "#2a7f62", "#b5473c"


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
        "calibration": _calibration(default_probability, defaulted),
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


def _calibration(default_probability: np.ndarray, defaulted: np.ndarray) -> Figure:
    figure, axes = _axes("Calibration by tenths of the score", "mean PD", "default rate")
    order = np.argsort(default_probability, kind="stable")
    for part in np.array_split(order, 10):
        rate, expected = defaulted[part].mean(), default_probability[part].mean()
        spread = 1.96 * np.sqrt(max(rate * (1 - rate), 1e-12) / len(part))
        low = rate - max(0.0, rate - spread)
        axes.errorbar(expected, rate, yerr=[[low], [spread]], fmt="o", color=_INK, markersize=4, capsize=2)
    top = axes.get_xlim()[1]
    axes.plot([0, top], [0, top], color="#999999", linewidth=0.8, linestyle=":")
    return figure


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
) -> str:
    """The validation page: self-contained HTML."""
    return _TEMPLATES.get_template("report.html").render(
        title=title,
        validation=validation,
        gate=gate,
        training=training,
        plots={name: inline_svg(figure) for name, figure in plots.items()},
    )
