"""Figures and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.common import BUSY


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; empty cells where a row is short."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [*row, *[""] * (len(head) - len(row))]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines)


def with_spread(value: float, low: float | None, high: float | None, form: str = "{:.2f}") -> str:
    """`1.29x (1.19x to 1.57x)`, or the value alone where a single run gave it."""
    middle = figure(value, form)
    return middle if low is None or high is None else f"{middle} ({figure(low, form)} to {figure(high, form)})"


def figure(value: float, form: str) -> str:
    """A number in this form; percent stands apart, as everywhere in our docs."""
    return form.format(value).replace("%", " %")


def interval(one: Mapping[str, Any], form: str = "{:.4f}") -> str:
    """A mean or value with the bounds of its interval; a dash where there is none."""
    value = one.get("mean", one.get("value"))
    return "-" if value is None else with_spread(value, one["low"], one["high"], form)


def last_run(found: Mapping[str, Any]) -> str:
    """When and by which code a result was made, in a line."""
    if not found:
        return "not run"
    run = found.get("run", {})
    commit = f"commit {run['commit']}" if run.get("commit") else "commit not kept"
    changed = ", with changes not committed" if run.get("changed") else ""
    return f"{run['at'][:16].replace('T', ' ') if run.get('at') else 'date not kept'}, {commit}{changed}"


def is_busy(run: Mapping[str, Any]) -> bool:
    """Others took so much of the cores when it began that seconds are worth little."""
    return (run.get("busy") or 0.0) > BUSY


def machine(found: Mapping[str, Any]) -> str:
    """Processor, cores and Python."""
    one = found.get("machine", {})
    return f"{one['cpu']}, {one['cores']} cores, Python {one['python']}" if one else "machine not kept"
