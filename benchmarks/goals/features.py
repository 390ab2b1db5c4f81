"""The features room: the evaluator beside other engines (issue 3)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from benchmarks.goals.goal import Goal
from benchmarks.goals.seen import Result, Seen, at, of_rounds


def one_customer(found: Result) -> Seen | None:
    """Times that polars takes as long as we do."""
    return times(at(found, "one_customer_us"), "polars", "median")


def ten_million(found: Result) -> Seen | None:
    """Times that the faster of polars and DuckDB takes as long as we do."""
    book = at(found, "books", "10000000")
    each = {name: times(book, name, "seconds") for name in ("polars", "duckdb")}
    name, best = min(each.items(), key=lambda item: item[1].value if item[1] else math.inf)
    return best and replace(best, words=f"the faster: {name}")


def times(engines: Any, rival: str, middle: str) -> Seen | None:
    """A rival's time over ours: by rounds where they were kept, else of the middles with the extremes held apart."""
    theirs, ours = at(engines, rival), at(engines, "creditloop")
    if theirs is None or ours is None:
        return None
    if "times_ours" in theirs:
        return of_rounds(theirs["times_ours"])
    return Seen(theirs[middle] / ours[middle], theirs["low"] / ours["high"], theirs["high"] / ours["low"])


def memory_beside_polars(found: Result) -> Seen | None:
    """Our peak over that of polars."""
    book = at(found, "books", "10000000")
    return Seen(book["creditloop"]["peak_gb"] / book["polars"]["peak_gb"]) if at(book, "polars") else None


def hundred_million(found: Result) -> Seen | None:
    """Peak memory."""
    one = at(found, "books", "100000000", "creditloop")
    return one and Seen(one["peak_gb"])


def dask(found: Result) -> Seen | None:
    """Seconds of one worker over those of two, turn by turn."""
    one, two = at(found, "dask_seconds", "1"), at(found, "dask_seconds", "2")
    return of_rounds([a / b for a, b in zip(one, two, strict=True)]) if one and two else None


GOALS: tuple[Goal, ...] = (
    Goal(
        3,
        "80 features of one customer: 50 times as fast as polars",
        "features",
        one_customer,
        50,
        form="{:.0f}x",
    ),
    Goal(3, "10,000,000 rows: twice as fast as the faster of polars and DuckDB", "features", ten_million, 2),
    Goal(3, "10,000,000 rows: no more peak memory than polars", "features", memory_beside_polars, 1, "most"),
    Goal(3, "100,000,000 rows in bounded memory: peak", "features", hundred_million, form="{:.1f} GB"),
    Goal(3, "Dask, two workers against one: times as fast", "features", dask),
)
