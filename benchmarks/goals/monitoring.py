"""The monitor (issue 6)."""

from __future__ import annotations

from statistics import mean
from typing import Any

from benchmarks.goals.goal import MONEY, Goal
from benchmarks.goals.seen import Look, Result, Seen, at, of_interval, of_rounds


def drift(found: Result) -> Seen | None:
    """Evidently's seconds over ours at 100,000 rows."""
    row = _of_rows(found, 100_000)
    return of_rounds(row["ratios"]) if row and row.get("ratios") else None


def drift_memory(found: Result) -> Seen | None:
    """Our peak at 10,000,000 rows over that at 1,000,000."""
    large, small = _of_rows(found, 10_000_000), _of_rows(found, 1_000_000)
    if not large or not small:
        return None
    peak = [row["engines"]["creditloop"]["peak_mb"] for row in (large, small)]
    return Seen(peak[0] / peak[1], words=f"{peak[0]:,.0f} MB")


def _of_rows(found: Result, rows: int) -> Any:
    return next((row for row in found.get("table", ()) if row["rows"] == rows), None)


def told_right(found: Result) -> Seen | None:
    """The mean share over streams with a fault; the worst and the best stream."""
    shares = [row["right"] for row in found.get("table", ()) if row["verdict"] == "ours" and "delay" in row]
    return Seen(mean(shares), min(shares), max(shares), "lowest and highest stream") if shares else None


def false_alarms(found: Result) -> Seen | None:
    """The mean over sound streams, true calls for a new level left out; the quietest and the loudest."""
    rows = [row for row in found.get("table", ()) if row["verdict"] == "ours" and "false_a_year" in row]
    each = [row["false_a_year"] - row.get("level_true_a_year", 0.0) for row in rows]
    return Seen(mean(each), min(each), max(each), "lowest and highest stream") if each else None


def retraining(world: str, measure: str) -> Look:
    """What `pays` earns more than `never`."""

    def look(found: Result) -> Seen | None:
        rows = (row for row in found.get("table", ()) if (row["world"], row["strategy"]) == (world, "pays"))
        return of_interval(at(next(rows, None), measure), f"{len(found.get('runs', ()))} seeds")

    return look


GOALS: tuple[Goal, ...] = (
    Goal(
        6,
        "drift verdict of 60 columns, 100,000 rows: 50 times as fast as Evidently",
        "drift",
        drift,
        50,
        form="{:.0f}x",
    ),
    Goal(
        6,
        "10,000,000 rows in bounded memory (read as: peak at most 1.1 times that of 1,000,000)",
        "drift",
        drift_memory,
        1.1,
        "most",
    ),
    Goal(6, "planted faults told right, of those that are faults", "faults", told_right, form="{:.0%}"),
    Goal(6, "false alarms a year, where nothing is wrong", "faults", false_alarms, form="{:.1f}"),
    *(
        Goal(
            6,
            f"retraining if it pays earns more than never, {words}",
            "retraining",
            retraining(world, measure),
            0.0,
            form=MONEY,
        )
        for words, world, measure in (
            ("after a changed concept, at equal exposure", "concept change", "more than never, equal"),
            ("after a changed concept, as granted", "concept change", "more than never"),
            ("where no concept changed (read as: loses nothing)", "no change", "more than never, equal"),
        )
    ),
)
