"""The monthly figures of a product, each with its definition: out of the ledger, and of the raw tables where given."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from configs.settings import Product
from features.contracts import EPOCH, Columns, iso
from features.history import replaced_in
from monitoring.customers import ageing
from monitoring.customers.overdue import month_days, month_end
from serving.ledger import Record

MONTHS = 12


@dataclass(slots=True)
class Case:
    """A decision and what came after it: a person's word, and what became of the customer, where known."""

    month: str
    grade: str
    decision: str
    default_probability: float
    limit: float
    known_share: float
    at: dt.datetime
    overrides: list[dict[str, Any]] = field(default_factory=list)
    overridden_at: list[dt.datetime] = field(default_factory=list)
    defaulted: bool | None = None

    @property
    def granted(self) -> float:
        """The limit in force: that of the last override, or of an approval."""
        if self.overrides:
            return float(self.overrides[-1]["limit"])
        return self.limit if self.decision == "approve" else 0.0


def cases(records: Iterable[Record], as_of: int) -> list[Case]:
    """The decisions asked by `as_of` among `records` in order, with the overrides and the last outcome known by then.

    What persons said is known from the day it was recorded, a decision counts by the day it was asked about.
    """
    day = iso(as_of)
    found: dict[str, Case] = {}
    for record in records:
        body, entry = record.body(), record.entry
        if entry.kind == "decision" and body["answer"]["as_of"] <= day:
            found[entry.id] = _case(body, dt.datetime.fromisoformat(entry.at))
        elif entry.at[:10] > day:
            continue
        elif entry.kind == "override" and body["decision_id"] in found:
            found[body["decision_id"]].overrides.append(body)
            found[body["decision_id"]].overridden_at.append(dt.datetime.fromisoformat(entry.at))
        elif entry.kind == "outcome" and body["decision_id"] in found and body["on"] <= day:
            found[body["decision_id"]].defaulted = body["defaulted"]
    return list(found.values())


def _case(body: Mapping[str, Any], at: dt.datetime) -> Case:
    answer, features = body["answer"], body["evidence"]["features"]
    return Case(
        month=answer["as_of"][:7],
        grade=answer["grade"],
        decision=answer["decision"],
        default_probability=answer["default_probability"],
        limit=answer["limit"],
        known_share=sum(value is not None for value in features) / max(len(features), 1),
        at=at,
    )


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of each month, missing where there is nothing to divide by, and what it means."""

    name: str
    unit: str
    definition: str
    values: list[float | None]


Measure = Callable[[Sequence[Case]], float | None]


def _share(of: Callable[[Case], bool]) -> Measure:
    return lambda some: sum(map(of, some)) / len(some) if some else None


def _hours(some: Sequence[Case]) -> float | None:
    waited = [case.overridden_at[0] - case.at for case in some if case.decision == "refer" and case.overridden_at]
    return median(wait.total_seconds() / 3600 for wait in waited) if waited else None


def _coverage(some: Sequence[Case]) -> float | None:
    return sum(case.known_share for case in some) / len(some) if some else None


_OF_DECISIONS: tuple[tuple[str, str, str, Measure], ...] = (
    ("decisions", "", "Decisions on record, by the month they were asked about", lambda some: float(len(some))),
    ("approval rate", "share", "Decisions approved by the policy", _share(lambda case: case.decision == "approve")),
    ("referral rate", "share", "Decisions that went to a person", _share(lambda case: case.decision == "refer")),
    (
        "automation share",
        "share",
        "Decisions neither referred nor overridden: no person took part",
        _share(lambda case: case.decision != "refer" and not case.overrides),
    ),
    ("override rate", "share", "Decisions a person set aside or confirmed", _share(lambda case: bool(case.overrides))),
    ("time to decision", "hours", "Median from a referral to a person's first word; an answer is at once", _hours),
    ("indicator coverage", "share", "Features with a value, of all the model reads", _coverage),
)


def of_decisions(found: Sequence[Case], months: Sequence[str]) -> list[Figure]:
    """The figures of decisions, month by month."""
    by_month = defaultdict(list)
    for case in found:
        by_month[case.month].append(case)
    return [
        Figure(name, unit, told, [measure(by_month[month]) for month in months])
        for name, unit, told, measure in _OF_DECISIONS
    ]


def of_tables(tables: Mapping[str, Columns], days: Sequence[int]) -> list[Figure]:
    """Overdue ratio, and DSO where there are invoices, at each of `days`, month ends; none without tables."""
    if not ({"invoices", "statements"} & set(tables)):
        return []
    books = [ageing.open_items(tables, day) for day in days]
    owed = [float(book.amount.sum()) for book in books]
    late = [float(book.amount[book.days_past_due > 0].sum()) for book in books]
    figures = [
        Figure("owed", "currency", "Open invoices, or balances, at the month's end", list(owed)),
        Figure("overdue ratio", "share", "Overdue amount over what is owed", _over(late, owed)),
    ]
    if "invoices" in tables:
        told = "Days sales outstanding: open invoices over what was invoiced in 90 days, times 90"
        figures.append(Figure("DSO", "days", told, _over([90 * value for value in owed], _sales(tables, days))))
    return figures


def _sales(tables: Mapping[str, Columns], days: Sequence[int]) -> list[float]:
    table = tables["invoices"]
    issued, known, replaced = table["issued"], table["known_time"], replaced_in("invoices", table)
    recent = [(issued > day - 90) & (issued <= day) & (known <= day) & (replaced > day) for day in days]
    return [float(table["amount"][rows].sum()) for rows in recent]


def _over(above: Sequence[float], below: Sequence[float]) -> list[float | None]:
    return [one / other if other > 0 else None for one, other in zip(above, below, strict=True)]


def bad_rates(found: Sequence[Case], key: Callable[[Case], str], loss_given_default: float) -> list[dict[str, Any]]:
    """Decisions with a limit and a known outcome, by `key`: bad rate beside mean PD, losses expected and realised.

    Loss is PD, or a default, times loss given default times the limit: as if the whole limit were drawn.
    """
    groups = defaultdict(list)
    for case in found:
        if case.defaulted is not None and case.granted > 0:
            groups[key(case)].append(case)
    return [
        {
            "name": name,
            "known": len(some),
            "defaults": sum(bool(case.defaulted) for case in some),
            "bad_rate": float(np.mean([bool(case.defaulted) for case in some])),
            "mean_pd": float(np.mean([case.default_probability for case in some])),
            "expected_loss": sum(case.default_probability * case.granted for case in some) * loss_given_default,
            "realised_loss": sum(case.granted for case in some if case.defaulted) * loss_given_default,
        }
        for name, some in sorted(groups.items())
    ]


def pack(product: Product, records: Iterable[Record], tables: Mapping[str, Columns], as_of: int) -> dict[str, Any]:
    """What the monthly pack says, as plain values: the twelve months that end with that of `as_of`."""
    days = month_days(month_end(as_of), MONTHS)
    days = [min(day, as_of) for day in days]
    months = [iso(day)[:7] for day in days]
    found = cases(records, as_of)
    loss = product.policy.loss_given_default
    figures = of_decisions(found, months) + of_tables(tables, days)
    return {
        "product": product.name,
        "title": product.title,
        "currency": product.currency,
        "as_of": iso(as_of),
        "written_for": dt.date.fromordinal(as_of + EPOCH).strftime("%B %Y"),
        "months": months,
        "figures": figures,
        "vintages": bad_rates(found, lambda case: case.month, loss),
        "grades": bad_rates(found, lambda case: case.grade, loss),
    }
