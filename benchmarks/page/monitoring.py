"""The monitor: its verdict beside others, what a round reads, and when retraining pays."""

from __future__ import annotations

from typing import Any

from benchmarks.goals.seen import of_rounds
from benchmarks.page.plots import Dot, Picture, dots
from benchmarks.page.words import figure, interval, table, with_spread

_VERDICTS = {
    "ours": "creditloop",
    "evidently": "Evidently, default",
    "psi": "PSI > 0.1 on any column",
    "nannyml": "NannyML, ROC AUC",
    "nannyml any column": "NannyML, any column",
}
_MONEY = "{:+,.0f}"


def drift(found: dict[str, Any]) -> list[str | Picture]:
    """Seconds and peak memory by rows; Evidently over ours drawn."""
    rows, drawn = [], []
    for row in found["table"]:
        ours, theirs, ratios = row["engines"]["creditloop"], row["engines"].get("evidently"), row.get("ratios")
        seen = ratios and of_rounds(ratios)
        cells = [f"{row['rows']:,}", f"{ours['seconds']:.2f} s, {ours['peak_mb']:,.0f} MB"]
        cells += [f"{theirs['seconds']:.1f} s, {theirs['peak_mb']:,.0f} MB" if theirs else "not run"]
        rows.append([*cells, with_spread(seen.value, seen.low, seen.high, "{:.0f}x") if seen else ""])
        drawn += [Dot(f"{row['rows']:,} rows", seen.value, seen.low, seen.high, seen.value >= 50)] if seen else []
    told = "times that Evidently takes as long for the verdict of 60 columns"
    head = ["rows", "creditloop", "Evidently", "ratio"]
    plot = (
        [dots("drift", told, drawn, "times as fast as Evidently", lines=((1, "level"), (50, "goal")))] if drawn else []
    )
    return [table(head, rows), *plot]


def ledger_round(found: dict[str, Any]) -> list[str | Picture]:
    """Each reader."""
    rows = [
        [reader, f"{one['rows']:,}", f"{one['cpu_seconds']:.2f} s", f"{one['peak_mb']:,.0f} MB"]
        for reader, one in found.items()
        if isinstance(one, dict) and "cpu_seconds" in one
    ]
    told = f"{found['recorded']:,} decisions of {found['body_bytes'] / 1000:.1f} KB each."
    return [told, table(["reads", "rows", "processor", "peak memory"], rows)]


def faults(found: dict[str, Any]) -> list[str | Picture]:
    """By stream and verdict: told right, delay, false alarms, money; our delays beside theirs drawn."""
    rows, drawn = [], []
    for row in found["table"]:
        name, is_fault = _VERDICTS.get(row["verdict"], row["verdict"]), "delay" in row
        delay = "" if not is_fault else "never" if row["delay"] is None else f"{row['delay']:g}"
        false = "" if is_fault else _false(row)
        lost = f"{row['lost']:,}" if is_fault else ""
        rows.append([row["stream"], name, figure(row["right"], "{:.0%}"), delay, false, lost])
        drawn += (
            [] if is_fault else [Dot(f"{row['stream']}, {name}", row["false_a_year"], good=row["false_a_year"] < 1)]
        )
    head = [
        "what happens",
        "verdict of",
        "told right",
        "median delay, months",
        "false alarms a year",
        "money lost until then",
    ]
    told = "false alarms a year on streams in which nothing is wrong"
    seeds = f"{len(found['runs'])} seeds of {found['arguments']['customers']:,} customers."
    return [seeds, table(head, rows), dots("faults", told, drawn, "alarms a year", log=False)]


def _false(row: dict[str, Any]) -> str:
    """Alarms a year where nothing is wrong, and how many of them called for a new level when it was off."""
    true = row.get("level_true_a_year")
    return f"{row['false_a_year']:.1f}" + (f"; {true:.1f} of them true of the level" if true else "")


def retraining(found: dict[str, Any]) -> list[str | Picture]:
    """By world and strategy; profit more than `never` drawn."""
    head = ["world", "strategy", "changes", "profit more than never, equal exposure", "the same, as granted"]
    keys = ("more than never, equal", "more than never")
    rows = [
        [row["world"], row["strategy"], f"{row['changes']:g}", *(interval(row[key], _MONEY) for key in keys)]
        for row in found["table"]
        if row["strategy"] != "never"
    ]
    drawn = [
        Dot(f"{row['world']}: {row['strategy']}", one["mean"], one["low"], one["high"], gains(one))
        for row in found["table"]
        if row["strategy"] != "never" and (one := row[keys[0]])
    ]
    asked = found["arguments"]
    told = "profit of each strategy less that of never, at equal exposure, with 95 % intervals over seeds"
    return [
        f"{len(found['runs'])} seeds of {asked['customers']:,} customers, {asked['months']} months, a look every "
        f"{asked['every']}; a change of the model costs {asked['cost']:,.0f}.",
        table(head, rows),
        dots("retraining", told, drawn, "profit more than never", log=False, lines=((0, "never"),)),
    ]


def gains(one: dict[str, Any]) -> bool | None:
    """Whether an interval lies above 0, below it, or holds it (None)."""
    if one["low"] is None or one["low"] <= 0 <= one["high"]:
        return None
    return one["low"] > 0


SHOWN = {"drift": drift, "ledger_round": ledger_round, "faults": faults, "retraining": retraining}
