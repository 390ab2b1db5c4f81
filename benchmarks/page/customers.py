"""Customers: what managing them is worth, and what a large book costs."""

from __future__ import annotations

from typing import Any

from benchmarks.page.monitoring import gains
from benchmarks.page.plots import Dot, Picture, dots
from benchmarks.page.words import interval, table

_RIVALS = {
    "fixed_2_months": "fixed limits, 2 months of purchases",
    "fixed_4_months": "fixed limits, 4 months",
    "grade_only": "rules by grade only",
    "without_warnings": "the system without early warnings",
    "without_trade_rules": "the system without trade rules",
}
_MONEY, _POINTS = "{:+,.0f}", "{:+.1f}"


def customers(found: dict[str, Any]) -> list[str | Picture]:
    """Managed less each rival; early signs; calls."""
    summed = found["table"]
    seeds = (
        f"{len(found['runs'])} seeds of {found['arguments']['customers']:,} companies; EUR; the system less the rival:"
    )
    paired = {words: summed["paired"][f"managed - {rival}"] for rival, words in _RIVALS.items()}
    rows = [
        [
            words,
            interval(_scaled(one["sales_kept"], 100), _POINTS),
            interval(one["bad_debt"], _MONEY),
            interval(one["profit"], _MONEY),
        ]
        for words, one in paired.items()
    ]
    drawn = [
        Dot(words, one["profit"]["mean"], one["profit"]["low"], one["profit"]["high"], gains(one["profit"]))
        for words, one in paired.items()
    ]
    told = "profit managed by the system less that of each rival, with 95 % intervals over seeds"
    return [
        seeds,
        table(["rival", "sales kept, points", "bad debt", "profit"], rows),
        dots("customers", told, drawn, "profit more than the rival's, EUR", log=False, lines=((0, "level"),)),
        "Early signs, against the outcomes that came:",
        _signs(summed["warnings"]),
        _calls(summed["collections"]),
    ]


def _scaled(one: dict[str, Any], by: float) -> dict[str, Any]:
    return {key: None if value is None else by * value for key, value in one.items()}


def _signs(warnings: dict[str, Any]) -> str:
    forms = (("precision", "{:.2f}"), ("lift", "{:.1f}"), ("recall", "{:.2f}"), ("lead_days", "{:.0f}"))
    rows = [
        [name.replace("_", " "), *(interval(one[key], form) for key, form in forms)]
        for name, one in sorted(warnings.items(), key=lambda item: -(item[1]["lift"]["mean"] or 0))
    ]
    return table(["sign", "precision", "lift (1: chance)", "recall", "days ahead"], rows)


def _calls(collections: dict[str, Any]) -> str:
    names = {"value_at_risk": "value at risk", "largest_first": "amount", "oldest_first": "age"}
    saved = "; ".join(f"by {words} {interval(collections['saved'][name], '{:,.0f}')}" for name, words in names.items())
    more = "; ".join(
        f"more than by {names[pair.split(' - ')[1]]} {interval(one, _MONEY)}"
        for pair, one in collections["paired"].items()
    )
    return f"Calls saved, EUR: {saved}. By value at risk {more}."


def customers_book(found: dict[str, Any]) -> list[str | Picture]:
    """Seconds, microseconds a customer and peak memory by size."""
    steps = ("first review", "second review", "early signs")
    rows = [
        [
            f"{one['customers']:,}",
            *(f"{one['seconds'][step]:.2f} s, {one['microseconds_a_customer'][step]:.0f} us each" for step in steps),
            f"{one['peak_megabytes']:,.0f} MB",
        ]
        for one in found["results"]
    ]
    drawn = [
        Dot(f"{step}, {one['customers']:,}", one["microseconds_a_customer"][step])
        for step in steps
        for one in found["results"]
    ]
    return [
        table(["customers", *steps, "peak memory"], rows),
        dots(
            "customers_book", "microseconds a customer by step and size of the book", drawn, "us a customer", log=False
        ),
    ]


SHOWN = {"customers": customers, "customers_book": customers_book}
