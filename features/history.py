"""The single door to the past: facts by customer and day, each seen from when it was known until it no longer held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from features import kernel
from features.check import all_different, take
from features.contracts import NEVER, Columns, Text

Derive = Callable[[Columns], np.ndarray]


@dataclass(frozen=True, slots=True)
class Stream:
    """Facts of one kind, read from one table.

    `event` gives the day each happened and `gone` the first day it no longer holds (an invoice once paid is not
    open). A row of the same `restates` key known later replaces the earlier one from that day on. `columns` are
    the numbers a series may read; `folds` says how those of one day join: each, sum or max.
    """

    table: str
    event: Derive
    columns: Mapping[str, Derive]
    gone: Derive | None = None
    restates: tuple[str, ...] = ()
    folds: Mapping[str, str] = field(default_factory=dict)
    fold: str = "sum"

    def fold_of(self, column: str) -> str:
        """How facts of the same day join in `column`."""
        return self.folds.get(column, self.fold)


def _take(name: str) -> Derive:
    return lambda table: table[name]


def _ones(name: str) -> Derive:
    return lambda table: np.ones(len(table[name]))


def _plain(*names: str) -> dict[str, Derive]:
    return {name: _take(name) for name in names}


def _late_amount(invoices: Columns) -> np.ndarray:
    return np.where(invoices["paid"] > invoices["due"], invoices["amount"], 0.0)


def _days_beyond_terms(invoices: Columns) -> np.ndarray:
    return (invoices["paid"].astype(np.int64) - invoices["due"]).astype(np.float64)


STREAMS: dict[str, Stream] = {
    "customers": Stream("customers", _take("since"), {"rows": _ones("since")}, restates=("customer_id",), fold="each"),
    "statements": Stream(
        "statements",
        _take("month"),
        {
            **_plain("balance", "credit_limit", "amount_due", "amount_paid", "inflow", "outflow", "transactions"),
            "rows": _ones("month"),
            "days_past_due": _take("days_past_due"),
            "over_30_days": lambda table: _over(table["days_past_due"], 30),
            "over_60_days": lambda table: _over(table["days_past_due"], 60),
            "unpaid": lambda table: _nothing_paid(table["amount_paid"], table["amount_due"]),
            "over_90_percent": lambda table: _nearly_used(table["balance"], table["credit_limit"]),
        },
        restates=("account_id", "month"),
        folds=dict.fromkeys(
            ("rows", "days_past_due", "over_30_days", "over_60_days", "unpaid", "over_90_percent"), "max"
        ),
    ),
    "financials": Stream(
        "financials",
        _take("period_end"),
        {"loss": lambda table: _where_known(table["net_income"], table["net_income"] < 0)}
        | _plain(
            "revenue",
            "cost_of_sales",
            "ebit",
            "interest",
            "net_income",
            "cash",
            "receivables",
            "inventory",
            "current_assets",
            "total_assets",
            "current_liabilities",
            "total_liabilities",
            "equity",
            "retained_earnings",
            "operating_cash_flow",
        ),
        restates=("period_end",),
        fold="each",
    ),
    "invoices": Stream(
        "invoices",
        _take("issued"),
        {
            "amount": _take("amount"),
            "amount_squared": lambda table: _squared(table["amount"]),
            "rows": _ones("issued"),
            "disputed": _take("disputed"),
        },
        restates=("invoice_id",),
        fold="each",
    ),
    "open_invoices": Stream(
        "invoices",
        _take("issued"),
        {"amount": _take("amount")},
        gone=_take("paid"),
        restates=("invoice_id",),
        fold="each",
    ),
    "overdue_invoices": Stream(
        "invoices",
        lambda table: table["due"] + np.int32(1),  # an invoice is overdue from the day after its due date
        {"amount": _take("amount")},
        gone=_take("paid"),
        restates=("invoice_id",),
        fold="each",
    ),
    "paid_invoices": Stream(
        "invoices",
        _take("paid"),
        {
            "amount": _take("amount"),
            "days_beyond_terms": _days_beyond_terms,
            "late_amount": _late_amount,
        },
        restates=("invoice_id",),
        fold="each",
    ),
}


INVESTIGATED = ("court", "tax", "news", "inquiry", "trade_reference")
ASSESSED = ("experience", "governance", "staff", "information_systems", "planning")


def _is(column: str, wanted: str) -> Derive:
    return lambda table: table[column].says(wanted)


def _of(column: str, wanted: str, value: str, otherwise: float) -> Derive:
    """The `value` of rows whose `column` says `wanted`."""
    return lambda table: np.where(table[column].says(wanted), table[value], otherwise)


STREAMS["investigations"] = Stream(
    "investigations",
    _take("date"),
    {
        "rows": _ones("date"),
        "severe": lambda table: _over(table["severity"], 3),
        **{kind: _is("type", kind) for kind in INVESTIGATED},
        **{f"{kind}_severity": _of("type", kind, "severity", np.nan) for kind in INVESTIGATED},
        **{f"{kind}_amount": _of("type", kind, "amount", 0.0) for kind in INVESTIGATED},
    },
    restates=("date", "source", "type"),
    fold="each",
)
STREAMS["questionnaires"] = Stream(
    "questionnaires",
    _take("date"),
    {"rows": _ones("date"), **{item: _of("item", item, "level", np.nan) for item in ASSESSED}},
    restates=("date", "item"),
    fold="each",
)


def _over(days: np.ndarray, bound: int) -> np.ndarray:
    return np.where(np.isnan(days), np.nan, days >= bound)


def _nothing_paid(paid: np.ndarray, due: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(paid) | np.isnan(due), np.nan, (due > 0) & (paid <= 0))


def _nearly_used(balance: np.ndarray, limit: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(balance) | np.isnan(limit) | (limit <= 0), np.nan, balance > 0.9 * limit)


def _squared(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what comes of an infinity is missing
        return np.square(values)


def _where_known(values: np.ndarray, flags: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), np.nan, flags)


@dataclass(frozen=True, slots=True)
class Facts:
    """One stream's facts by customer and event: days (n,), values (columns, n), customer bounds (customers + 1,)."""

    event: np.ndarray
    known: np.ndarray
    gone: np.ndarray
    values: np.ndarray
    bounds: np.ndarray


def customer_codes(customers: np.ndarray, ids: Text) -> np.ndarray:
    """The position of each row's id in `customers` (unique ids), -1 where it is not among them."""
    if len(customers) == len(ids.values) == 1 and customers[0] == ids.values[0]:
        return ids.codes  # a request: all rows are about the one customer
    places = pd.Index(customers).get_indexer(ids.values)
    return np.append(places, -1)[ids.codes]


def asked_about(customers: np.ndarray, table: Columns) -> tuple[Columns, np.ndarray]:
    """The rows about `customers`, and the `customer_codes` of these: what nobody asked about is not put in order."""
    codes = customer_codes(customers, table["customer_id"])
    asked = codes >= 0
    return (table, codes) if asked.all() else (take(table, asked), codes[asked])


def build(
    stream: Stream,
    columns: tuple[str, ...],
    table: Columns,
    codes: np.ndarray,
    customers: int,
    replaced: np.ndarray,
) -> Facts:
    """`table`'s facts about the `customers` that `codes` names, in an order that the order of its rows does not change.

    `replaced` is what `replaced_on` gives for this table: the streams of one table share it.
    """
    event = np.asarray(stream.event(table), np.int32)
    known = np.maximum(table["known_time"], event)
    gone = replaced if stream.gone is None else np.minimum(stream.gone(table), replaced)
    values = np.empty((len(columns), len(event)))
    for row, name in enumerate(columns):
        values[row] = stream.columns[name](table)
    if not kernel.rises(codes, event):
        order = _total_order(codes, event, known, gone, values)
        codes, event, known, gone = codes[order], event[order], known[order], gone[order]
        values = np.ascontiguousarray(values[:, order])
    return Facts(event, known, gone, values, np.searchsorted(codes, np.arange(customers + 1)))


def _total_order(
    codes: np.ndarray, event: np.ndarray, known: np.ndarray, gone: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Sorted by customer and event; rows that tie are ordered by what they say, so any input order gives one result.

    `gone` comes last of all: it may lie in the future, which must not move so much as the order of a sum.
    """
    keys = (known, event, codes)
    order = np.lexsort(keys)
    if kernel.ties(order, *keys):
        order = np.lexsort((gone, *values, *keys))
    return order


def replaced_on(table: Columns, restates: tuple[str, ...], codes: np.ndarray) -> np.ndarray:
    """The day each row is replaced by a later known row of the same `restates` key, NEVER for the newest."""
    known = table["known_time"]
    replaced = np.full(len(known), NEVER, np.int32)
    if not restates:
        return replaced
    factors = [part.codes if isinstance(part, Text) else part for part in (table[name] for name in restates)]
    if all_different((codes, *factors), factors[-1]):
        return replaced  # every key stands once: nothing was restated
    order = np.lexsort((known, *factors, codes))
    same = np.ones(max(len(order) - 1, 0), bool)
    for part in (codes, *factors):
        same &= part[order][1:] == part[order][:-1]
    later = np.flatnonzero(same)
    replaced[order[later]] = known[order[later + 1]]
    return replaced


def replaced_in(name: str, table: Columns) -> np.ndarray:
    """What `replaced_on` says of the rows of the table `name` by its own key, (rows,).

    Flat facts are restated by their date.
    """
    restates = next((stream.restates for stream in STREAMS.values() if stream.table == name), ("date",))
    return replaced_on(table, restates, table["customer_id"].codes)


def in_force(name: str, table: Columns, as_of: int) -> np.ndarray:
    """Which rows of the table `name` were known by `as_of` and not replaced yet, (rows,)."""
    known: np.ndarray = table["known_time"] <= as_of
    return known & (replaced_in(name, table) > as_of)
