"""The serving room and the console: decisions, reasons, pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.goals.seen import at, of_rounds
from benchmarks.page.plots import Dot, Picture, dots
from benchmarks.page.words import table, with_spread

_SERVICES = {
    "creditloop": "creditloop",
    "frugal": "careful FastAPI",
    "usual": "usual FastAPI",
    "mlflow": "`mlflow models serve`, the model alone",
    "empty route": "empty route",
}
_HTTP_HEAD = ["", "connections", "answers a second", "p50, ms", "p99, ms", "ours over it"]
_WANTED = {"frugal": 8, "usual": 40}  # times; the goals of issue 5
_COUNTS = {"1": "1 connection", "16": "16 connections"}


def _http(name: str, lines: tuple[tuple[float, str], ...], found: dict[str, Any]) -> list[str | Picture]:
    """Every service at 1 and 16 connections; ours over each drawn."""
    rows, drawn = [], []
    for service, words in _SERVICES.items():
        for connections, count in _COUNTS.items():
            if one := at(found, service, connections):
                ratio = with_spread(one["ours_over_this"], one["low"], one["high"], "{:.2f}x")
                times = [f"{one['per_second']:,.0f}", f"{one['p50_ms']:.2f}", f"{one['p99_ms']:.2f}"]
                rows.append([words, connections, *times, "" if service == "creditloop" else ratio])
                if service not in ("creditloop", "empty route"):
                    label = f"{words.replace('`', '')}, {count}"
                    reached = one["ours_over_this"] >= _WANTED.get(service, 1)
                    drawn.append(Dot(label, one["ours_over_this"], one["low"], one["high"], reached))
    told = f"{found['rounds']} rounds of {found['seconds']:g} s."
    plot = [dots(name, "decisions a second, ours over theirs", drawn, "ours over theirs", lines=lines)] if drawn else []
    return [told, table(_HTTP_HEAD, rows), *plot]


def http(found: dict[str, Any]) -> list[str | Picture]:
    """Beside FastAPI twice and an empty route."""
    return _http("http", ((1, "level"), (8, "goal, careful"), (40, "goal, usual")), found)


def http_mlflow(found: dict[str, Any]) -> list[str | Picture]:
    """Beside `mlflow models serve`."""
    return _http("http_mlflow", ((1, "level"),), found)


def shap(found: dict[str, Any]) -> list[str | Picture]:
    """LightGBM and ours, by model and number of rows."""
    each = [
        (f"{model}, {rows}", one)
        for model, figures in found.items()
        for rows, one in (figures.items() if isinstance(figures, Mapping) else ())
        if isinstance(one, Mapping) and "ratio" in one
    ]
    rows = [
        [
            label,
            f"{one['lightgbm']:,.0f}",
            f"{one['ours']:,.0f}",
            with_spread(one["ratio"], one["low"], one["high"], "{:.1f}x"),
        ]
        for label, one in each
    ]
    drawn = [
        Dot(label, one["ratio"], one["low"], one["high"], one["ratio"] >= (10 if "one row" in label else 50))
        for label, one in each
    ]
    lines = ((1, "level"), (10, "goal, one row"), (50, "goal, batch"))
    told = "times that LightGBM's pred_contrib takes as long as our kernel"
    return [
        table(["", "LightGBM, us", "ours, us", "ratio"], rows),
        dots("shap", told, drawn, "times as fast as LightGBM", lines=lines),
    ]


def batch(found: dict[str, Any]) -> list[str | Picture]:
    """Seconds of each, and how many times as long ours takes."""
    rows = [["creditloop: raw score, PD, points, grade", f"{found['seconds']['ours']:.3f}"]]
    for name, words in (("booster", "all cores"), ("booster_one_thread", "one thread")):
        seen = of_rounds(found["ratios"][name])
        ratio = with_spread(seen.value, seen.low, seen.high, "{:.2f}x")
        rows.append([f"`Booster.predict`, {words}", f"{found['seconds'][name]:.3f}", ratio])
    told = f"{found['rows']:,} rows, {found['trees']} trees."
    return [told, table(["", "seconds", "ours takes"], rows)]


def decision(found: dict[str, Any]) -> list[str | Picture]:
    """Microseconds of each stage."""
    stages = {name: value for name, value in found.items() if isinstance(value, float) and name != "bytes"}
    rows = [[name, f"{value:,.0f}"] for name, value in stages.items()]
    rows.append(["**all**", f"**{sum(stages.values()):,.0f}**"])
    return [
        f"A request of {found['bytes'] / 1000:,.1f} KB, {found['features']} features; microseconds of the processor:",
        table(["stage", "us"], rows),
    ]


def costs(found: dict[str, Any]) -> list[str | Picture]:
    """Microseconds of the processor for each thing there is much of."""
    rows = [
        [
            f"a row trained on ({found['trained_rows']:,} rows, {found['trees']} trees)",
            found["trained_row_us"],
            None,
            None,
        ],
        [f"a decision ({found['request_bytes'] / 1000:.1f} KB kept)", found["decision_us"], None, None],
        *(
            [f"a record in groups of {group}", one["processor_us"], one["wall_us"], one["bytes"]]
            for group, one in found["record"].items()
        ),
        ["a customer scored in bulk", found["scored_customer_us"], None, None],
        [f"a row monitored ({found['monitored_rows']:,} rows)", found["monitored_row_us"], None, None],
    ]
    shown = [[str(row[0]), *("" if cell is None else f"{cell:,.0f}" for cell in row[1:])] for row in rows]
    return [table(["", "processor, us", "wall, us", "bytes on the disk"], shown)]


def console(found: dict[str, Any]) -> list[str | Picture]:
    """Milliseconds of each page."""
    pages = found["pages"]
    rows = [[name, *(f"{one[key]:.1f}" for key in ("median", "p95", "first"))] for name, one in pages.items()]
    drawn = [
        Dot(
            name,
            one["median"],
            min(one["median"], one["first"]),
            max(one["p95"], one["first"]),
            max(one["p95"], one["first"]) < 300,
        )
        for name, one in pages.items()
    ]
    told = "server time of each page, median to its slowest, first look included"
    size = f"{found['records']:,} records, a ledger of {found['ledger_bytes'] / 1e9:.1f} GB; milliseconds:"
    return [
        size,
        table(["page", "median", "95 %", "first"], rows),
        dots("console", told, drawn, "milliseconds", lines=((300, "goal"),)),
    ]


SHOWN = {
    "http": http,
    "http_mlflow": http_mlflow,
    "shap": shap,
    "batch": batch,
    "decision": decision,
    "costs": costs,
    "console": console,
}
