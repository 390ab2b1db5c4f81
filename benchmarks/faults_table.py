"""Which verdict is right of which stream, and what the verdicts on many seeds come to."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from benchmarks.streams import FAULT, MONTHS

SILENT = ("nothing", "wait")
LEVEL = ("shift_intercept", "recalibrate")
OUTCOMES = ("shift_intercept", "recalibrate", "retrain")
RIGHT = {
    "nothing": SILENT,
    "irrelevant drift": SILENT,
    "seasonal swing": SILENT,
    "population shift": SILENT,
    "label delay": SILENT,
    "label poisoning 1%": (*SILENT, "fix_data"),
    "label poisoning 10%": (*SILENT, "fix_data"),
    "dead feed": ("fix_data",),
    "unit error x100": ("fix_data",),
    "new segment": OUTCOMES,
    "concept change": OUTCOMES,
}
VERDICTS = ("ours", "evidently", "psi", "nannyml", "nannyml any column")
SOUND = [name for name, right in RIGHT.items() if "nothing" in right]  # where an alarm is false


def table(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By stream and verdict over seeds."""
    rows = []
    for stream, right in RIGHT.items():
        for name in VERDICTS:
            seeds = [run[stream] for run in found if run[stream]["said"].get(name)]
            if seeds:
                rows.append({"stream": stream, "verdict": name, **_row(stream, name, right, seeds)})
    return rows


def _row(stream: str, name: str, right: tuple[str, ...], seeds: list[dict[str, Any]]) -> dict[str, Any]:
    said = [{int(month): told for month, told in seed["said"][name].items()} for seed in seeds]
    after = [told for one in said for month, told in one.items() if month >= FAULT]
    if stream in SOUND:
        a_year = 12 * float(np.mean([told not in right for told in after]))
        quiet = [all(told in right for month, told in one.items() if month >= FAULT) for one in said]
        true = [
            told in LEVEL and month in seed["level_off"]
            for seed, one in zip(seeds, said, strict=True)
            for month, told in one.items()
            if month >= FAULT
        ]
        return {
            "right": float(np.mean(quiet)),
            "false_a_year": a_year,
            "level_true_a_year": 12 * float(np.mean(true)),
            "told": dict(Counter(after)),
        }
    wanted = right if name == "ours" else ("drift",)
    hits = [next((month for month in sorted(one) if month >= FAULT and one[month] in wanted), None) for one in said]
    # A look in the month of the fault that says so is a delay of 0.
    delays = [hit - FAULT for hit in hits if hit is not None]
    lost = [
        sum(value for month, value in seed["lost"].items() if int(month) <= (MONTHS if hit is None else hit))
        for seed, hit in zip(seeds, hits, strict=True)
    ]
    wrong = [told for told in after if told not in SILENT and told not in wanted]
    return {
        "right": len(delays) / len(hits),
        "delay": float(np.median(delays)) if delays else None,
        "lost": round(float(np.mean(lost))),
        "wrong_alarms": len(wrong),
        "told": dict(Counter(after)),
    }
