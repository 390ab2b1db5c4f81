"""What each raw table must look like: its columns, key, types and ranges; and the arrays a checked table becomes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

NEVER = np.int32(2**31 - 1)
"""The day that has not come: a missing date."""

EPOCH = dt.date(1970, 1, 1).toordinal()
Kind = Literal["text", "number", "date"]
NO_MINUS_ZERO = 0.0  # added to numbers: the larger of 0 and -0 would depend on the order of the rows


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A text column: `codes` (rows,) int32 into the distinct `values`; -1 is missing."""

    codes: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[str | None]) -> Text:
        """Coded by order of appearance; None and the empty text are missing."""
        rows = tuple(texts)
        seen = dict.fromkeys(rows)
        seen.pop(None, None)
        seen.pop("", None)
        values = np.empty(len(seen), object)
        values[:] = list(seen)
        if len(seen) == len(rows):
            return cls(np.arange(len(rows), dtype=np.int32), values)
        place: dict[str | None, int] = dict(zip(seen, range(len(seen)), strict=True))
        place[None] = place[""] = -1
        return cls(np.fromiter(map(place.__getitem__, rows), np.int32, len(rows)), values)

    @classmethod
    def all_of(cls, text: str, rows: int) -> Text:
        """The same text, not the empty one, in every row."""
        values = np.empty(1 if rows else 0, object)
        values[:] = text
        return cls(np.zeros(rows, np.int32), values)

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> Text:
        """The column of these rows (a mask or positions)."""
        return Text(self.codes[rows], self.values)

    def to_objects(self) -> np.ndarray:
        """One string a row, empty where missing."""
        return np.append(self.values, np.array([""], object))[self.codes]

    def distinct(self) -> np.ndarray:
        """The texts that stand in some row."""
        return self.values[np.unique(self.codes[self.codes >= 0])]

    def says(self, text: str) -> np.ndarray:
        """Which rows hold `text`, (rows,) bool; not those where it is missing."""
        found = (self.values == text).nonzero()[0]
        return self.codes == found[0] if len(found) else np.zeros(len(self.codes), bool)

    def mapped(self, numbers: Mapping[str, float]) -> np.ndarray:
        """The number of each row's text, (rows,) float64; missing where there is none."""
        lookup = np.array([*(numbers.get(value, np.nan) for value in self.values), np.nan])
        return lookup[self.codes]


Columns = dict[str, Any]
"""A checked table: numbers float64 (missing NaN), dates int32 days since 1970 (missing NEVER), text as `Text`.

The contract says which column is which, so a type checker is not asked to."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its kind, whether it must be there, whether a value may be missing, and what values it may hold."""

    kind: Kind
    required: bool = True
    missing: bool = True
    low: float = -np.inf
    high: float = np.inf
    whole: bool = False
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A raw table: `event` is the date a row happened; (customer_id, *key, known_time) is unique."""

    name: str
    event: str
    key: tuple[str, ...]
    columns: Mapping[str, Column] = field(default_factory=dict)
    _every: Mapping[str, Column] = field(init=False, repr=False, compare=False)
    _of_a_record: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        record = {**self.columns, "known_time": Column("date", required=False)}
        object.__setattr__(self, "_every", {"customer_id": Column("text", missing=False), **record})
        object.__setattr__(self, "_of_a_record", record)

    def all_columns(self) -> Mapping[str, Column]:
        """The columns with the two that every table has."""
        return self._every

    def record_columns(self) -> Mapping[str, Column]:
        """The columns of a request's row: all but the customer."""
        return self._of_a_record


_MONEY = Column("number")
_OPTIONAL_MONEY = Column("number", required=False)
_NOT_NEGATIVE = Column("number", low=0)
_OPTIONAL_NOT_NEGATIVE = Column("number", required=False, low=0)
_OPTIONAL_TEXT = Column("text", required=False)
_DATE = Column("date", missing=False)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "customers",
            "since",
            (),
            {
                "since": _DATE,
                **dict.fromkeys(("kind", "segment", "industry", "region", "group_id"), _OPTIONAL_TEXT),
            },
        ),
        Table(
            "statements",
            "month",
            ("account_id", "month"),
            {
                "account_id": _OPTIONAL_TEXT,
                "month": _DATE,
                "balance": _MONEY,
                "credit_limit": _NOT_NEGATIVE,
                "amount_due": _MONEY,
                "amount_paid": _NOT_NEGATIVE,
                "days_past_due": Column("number", low=0, high=10_000),
                **dict.fromkeys(("inflow", "outflow", "transactions"), _OPTIONAL_NOT_NEGATIVE),
            },
        ),
        Table(
            "financials",
            "period_end",
            ("period_end",),
            {
                "period_end": _DATE,
                "revenue": _NOT_NEGATIVE,
                "net_income": _MONEY,
                "current_assets": _NOT_NEGATIVE,
                "total_assets": _NOT_NEGATIVE,
                "current_liabilities": _NOT_NEGATIVE,
                "total_liabilities": _NOT_NEGATIVE,
                "equity": _MONEY,
                **dict.fromkeys(
                    ("cost_of_sales", "ebit", "interest", "operating_cash_flow", "retained_earnings"), _OPTIONAL_MONEY
                ),
                **dict.fromkeys(("cash", "receivables", "inventory"), _OPTIONAL_NOT_NEGATIVE),
            },
        ),
        Table(
            "invoices",
            "issued",
            ("invoice_id",),
            {
                "invoice_id": Column("text", missing=False),
                "issued": _DATE,
                "due": _DATE,
                "paid": Column("date"),
                "amount": Column("number", low=0, missing=False),
                "disputed": Column("number", required=False, low=0, high=1),
            },
        ),
        Table(
            "investigations",
            "date",
            ("source", "type", "date"),
            {
                "date": _DATE,
                "source": _OPTIONAL_TEXT,
                "type": Column("text", missing=False, one_of=("court", "tax", "news", "inquiry", "trade_reference")),
                "severity": Column("number", low=0, high=5),
                "amount": _OPTIONAL_NOT_NEGATIVE,
            },
        ),
        Table(
            "questionnaires",
            "date",
            ("item", "date"),
            {
                "date": _DATE,
                "item": Column(
                    "text",
                    missing=False,
                    one_of=("experience", "governance", "staff", "information_systems", "planning"),
                ),
                "level": Column("number", missing=False, low=1, high=5, whole=True),
            },
        ),
        Table(
            "outcomes",
            "as_of",
            ("as_of",),
            {
                "as_of": _DATE,
                "defaulted": Column("number", missing=False, low=0, high=1, whole=True),
                "observed_until": Column("date", required=False),
                "defaulted_on": Column("date", required=False),
                "cured_on": Column("date", required=False),
                **dict.fromkeys(("days_past_due_max", "amount_past_due", "ead", "loss"), _OPTIONAL_NOT_NEGATIVE),
            },
        ),
        Table(
            "protected",
            "recorded",
            ("attribute",),
            {
                "recorded": _DATE,
                "attribute": Column("text", missing=False),
                "group": Column("text", missing=False),
            },
        ),
        Table("declined", "as_of", ("as_of",), {"as_of": _DATE}),
    )
}

JUDGING = ("outcomes", "protected", "declined")
"""Tables that judge a model and never feed one: no feature reads them, and a book is scored without them."""


def facts_table(columns: Mapping[str, Kind]) -> Table:
    """The contract of a product's flat `facts`: a date, and the columns its product file declares."""
    declared = {name: Column(kind, required=True) for name, kind in columns.items()}
    return Table("facts", "date", ("date",), {"date": _DATE, **declared})


def iso(day: int | np.integer) -> str:
    """Days since 1970 as an ISO date."""
    return "never" if day == NEVER else dt.date.fromordinal(int(day) + EPOCH).isoformat()


def to_day(moment: dt.date) -> int:
    """A date as days since 1970."""
    return moment.toordinal() - EPOCH


def with_known_time(table: Table, columns: Columns) -> Columns:
    """`known_time` is the event's day where nothing else is said."""
    known = columns["known_time"]
    return {**columns, "known_time": np.asarray(np.where(known == NEVER, columns[table.event], known), np.int32)}
