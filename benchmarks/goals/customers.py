"""Customers (issue 7)."""

from __future__ import annotations

from benchmarks.goals.goal import MONEY, Goal
from benchmarks.goals.seen import Look, Result, Seen, at, of_interval


def profit(rival: str) -> Look:
    """Managed by the system less a rival."""
    return lambda found: of_interval(at(found, "table", "paired", f"managed - {rival}", "profit"))


def least_lift(found: Result) -> Seen | None:
    """The sign with the least lift."""
    signs = (at(found, "table", "warnings") or {}).items()
    each = [of_interval(one["lift"], name) for name, one in signs]
    return min((one for one in each if one), key=lambda one: one.value, default=None)


def calls(found: Result) -> Seen | None:
    """What the queue by value at risk saves more than the oldest first."""
    return of_interval(at(found, "table", "collections", "paired", "value_at_risk - oldest_first"))


def flat(found: Result) -> Seen | None:
    """Microseconds of a customer in the largest book over those in the smallest: the step that grows most."""
    books = sorted(found.get("results", ()), key=lambda one: one["customers"])
    if len(books) < 2:
        return None
    small, large = books[0]["microseconds_a_customer"], books[-1]["microseconds_a_customer"]
    value, step = max((large[step] / small[step], step) for step in large)
    return Seen(value, words=f"{step}, {books[0]['customers']:,} to {books[-1]['customers']:,}")


def book_memory(found: Result) -> Seen | None:
    """Peak of the largest book, if it has a million customers."""
    one = max(found.get("results", ()), key=lambda book: book["customers"], default=None)
    return Seen(one["peak_megabytes"]) if one and one["customers"] >= 1_000_000 else None


GOALS: tuple[Goal, ...] = (
    *(
        Goal(7, f"profit over 36 months more than {words}, EUR", "customers", profit(rival), 0.0, form=MONEY)
        for words, rival in (
            ("with fixed limits of 2 months", "fixed_2_months"),
            ("with fixed limits of 4 months", "fixed_4_months"),
            ("by grade only", "grade_only"),
            ("without early warnings", "without_warnings"),
        )
    ),
    Goal(
        7,
        "every early sign tells more than chance (lift; read as: above 1)",
        "customers",
        least_lift,
        1,
        form="{:.1f}",
    ),
    Goal(7, "calls by value at risk save more than by age, EUR", "customers", calls, 0.0, form=MONEY),
    Goal(
        7,
        "cost of a customer reviewed flat from 10,000 to 1,000,000 (read as: at most 1.2 times)",
        "customers_book",
        flat,
        1.2,
        "most",
    ),
    Goal(7, "peak memory at 1,000,000 customers", "customers_book", book_memory, form="{:,.0f} MB"),
)
