"""What each raw table must look like; every breach at once, with row, column, what was expected and what came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pandas as pd

from configs.errors import DataError, listed, nearest

Columns = dict[str, np.ndarray]
"""A checked table: numbers float64 (missing NaN), dates int32 days since 1970 (missing NEVER), text object."""

NEVER = np.int32(2**31 - 1)
"""The day that has not come: a missing date."""

_FEW = 1000
EPOCH = dt.date(1970, 1, 1).toordinal()
Kind = Literal["text", "number", "date"]
_NO_MINUS_ZERO = 0.0  # added to numbers: the larger of 0 and -0 would depend on the order of the rows


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its kind, whether the column must be there, whether a value may be missing, its range, if whole."""

    kind: Kind
    required: bool = True
    missing: bool = True
    low: float = -np.inf
    high: float = np.inf
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A raw table: `event` is the date a row happened; (customer_id, *key, known_time) is unique."""

    name: str
    event: str
    key: tuple[str, ...]
    columns: Mapping[str, Column] = field(default_factory=dict)

    def all_columns(self) -> dict[str, Column]:
        """The columns with the two that every table has."""
        return {
            "customer_id": Column("text", missing=False),
            **self.columns,
            "known_time": Column("date", required=False),
        }


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
                **dict.fromkeys(("cost_of_sales", "ebit", "interest", "operating_cash_flow"), _OPTIONAL_MONEY),
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
            "outcomes",
            "as_of",
            ("as_of",),
            {
                "as_of": _DATE,
                "defaulted": Column("number", missing=False, low=0, high=1, whole=True),
                "observed_until": Column("date", required=False),
                "defaulted_on": Column("date", required=False),
                **dict.fromkeys(("days_past_due_max", "ead", "loss"), _OPTIONAL_NOT_NEGATIVE),
            },
        ),
    )
}


def facts_table(columns: Mapping[str, Kind]) -> Table:
    """The contract of a product's flat `facts`: a date, and the columns its product file declares."""
    declared = {name: Column(kind, required=True) for name, kind in columns.items()}
    return Table("facts", "date", ("date",), {"date": _DATE, **declared})


def check_frame(table: Table, frame: pd.DataFrame, source: str) -> Columns:
    """`frame` as checked Columns; DataError lists every breach. Columns the contract does not name are left out."""
    expected = table.all_columns()
    problems = _missing_columns(expected, frame)
    if not len(frame):
        problems.append("no rows; expected at least one")
    if problems:
        raise DataError(listed(f"{source} ({table.name})", problems))
    columns: Columns = {}
    for name, column in expected.items():
        if name in frame.columns:
            columns[name], found = _converted(name, column, frame[name])
            problems += found
        else:
            columns[name] = _absent(column, len(frame))
    if not problems:
        columns = _with_known_time(table, columns)
        problems += _date_problems(table, columns) + _duplicate_problems(table, columns)
    if problems:
        raise DataError(listed(f"{source} ({table.name})", problems))
    return columns


def _missing_columns(expected: Mapping[str, Column], frame: pd.DataFrame) -> list[str]:
    extra = [str(name) for name in frame.columns if name not in expected]
    problems = []
    for name, column in expected.items():
        if name in frame.columns:
            if (times := list(frame.columns).count(name)) > 1:
                problems.append(f"column {name!r}: the table has {times} of this name")
            continue
        hint = nearest(name, extra)
        if column.required:
            there = ", ".join(map(str, frame.columns[:12]))
            problems.append(f"column {name!r}: missing{hint or f'; the table has: {there}'}")
        elif hint:
            problems.append(f"column {name!r}: absent, and a column has nearly its name{hint}")
    return problems


def _absent(column: Column, rows: int) -> np.ndarray:
    if column.kind == "number":
        return np.full(rows, np.nan)
    if column.kind == "date":
        return np.full(rows, NEVER, np.int32)
    return np.full(rows, "", object)


def _converted(name: str, column: Column, values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """The values in their column's type, and what is wrong with them."""
    empty = np.array(values.isna())
    if column.kind == "text":
        out = values.astype(object).where(~empty, "").astype(str).to_numpy(object)
        empty |= out == ""
        wrong = np.zeros(len(out), bool)
    elif column.kind == "date":
        out, wrong = _as_days(values, empty)
    else:
        out = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan) + _NO_MINUS_ZERO
        wrong = np.isnan(out) & ~empty
    problems = _named(name, wrong, values, f"expected a {column.kind}, got {{}}")
    if not column.missing:
        problems += _named(name, empty, values, "missing; a value is required")
    if column.kind == "number":
        problems += _named(name, np.isinf(out), values, "infinite; leave the value out where it is unknown")
        outside = ((out < column.low) | (out > column.high)) & np.isfinite(out)
        problems += _named(name, outside, values, f"got {{}}, outside [{column.low:g}, {column.high:g}]")
        broken = np.isfinite(out) & ~outside & (out != np.floor(out)) & column.whole
        problems += _named(name, broken, values, "got {}, expected a whole number")
    return out, problems


def _as_days(values: pd.Series, empty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if pd.api.types.is_numeric_dtype(values) and not empty.all():
        return np.full(len(values), NEVER, np.int32), ~empty
    if values.dtype == object:  # a number among text would be read as nanoseconds
        values = values.where(~values.map(lambda value: isinstance(value, (int, float))), "a number")
    moments = pd.to_datetime(values.where(~empty, None), errors="coerce", format="ISO8601", utc=True)
    wrong = moments.isna().to_numpy() & ~empty
    days = moments.to_numpy("datetime64[D]").astype(np.int64)
    return np.where(moments.isna().to_numpy(), NEVER, days).astype(np.int32), wrong


def _named(name: str, wrong: np.ndarray, values: pd.Series, what: str) -> list[str]:
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return []
    more = f" ({len(rows)} rows like it)" if len(rows) > 1 else ""
    got = values.iloc[rows[:1]].tolist()[0]
    return [f"column {name!r}, row {rows[0] + 1}: {what.format(repr(got))}{more}"]


def _date_problems(table: Table, columns: Columns) -> list[str]:
    problems = []
    early = columns["known_time"] < columns[table.event]
    if early.any():
        row = int(np.flatnonzero(early)[0])
        problems.append(
            f"column 'known_time', row {row + 1}: {iso(columns['known_time'][row])} lies before {table.event} "
            f"{iso(columns[table.event][row])}; nothing is known before it happens ({early.sum()} rows)"
        )
    return problems


def _duplicate_problems(table: Table, columns: Columns) -> list[str]:
    key = ["customer_id", *table.key, "known_time"]
    rows = len(columns["customer_id"])
    if rows < _FEW and len(set(zip(*(columns[name] for name in key), strict=True))) == rows:
        return []  # a request's few rows: a frame would cost more than everything else about them
    repeated = pd.DataFrame({name: columns[name] for name in key}).duplicated().to_numpy()
    if not repeated.any():
        return []
    row = int(np.flatnonzero(repeated)[0])
    shown = ", ".join(f"{name}={_shown(table, name, columns[name][row])}" for name in key[:-1])
    return [f"row {row + 1}: repeats an earlier row with the same key ({shown}); {repeated.sum()} such rows"]


def _shown(table: Table, name: str, value: Any) -> str:
    return iso(value) if table.all_columns()[name].kind == "date" else repr(value)


def _with_known_time(table: Table, columns: Columns) -> Columns:
    known = columns["known_time"]
    return {**columns, "known_time": np.where(known == NEVER, columns[table.event], known).astype(np.int32)}


def text_codes(values: np.ndarray) -> np.ndarray:
    """A number for each distinct text, (rows,), by order of appearance."""
    seen: dict[str, int] = {}
    return np.fromiter((seen.setdefault(value, len(seen)) for value in values), np.int64, len(values))


def iso(day: int | np.integer) -> str:
    """Days since 1970 as an ISO date."""
    return "never" if day == NEVER else dt.date.fromordinal(int(day) + EPOCH).isoformat()


def to_day(moment: dt.date) -> int:
    """A date as days since 1970."""
    return moment.toordinal() - EPOCH


def record_type(table: Table) -> type[msgspec.Struct]:
    """The strict JSON type of one row in a request: the same contract, read by msgspec; null is missing."""
    fields: list[Any] = []
    for name, column in table.all_columns().items():
        if name == "customer_id":
            continue
        annotation = _json_type(column)
        optional = not column.required or name == table.event == "date"
        fields.append((name, annotation | None, None) if optional else (name, annotation))
    struct_name = f"{table.name.title().rstrip('s')}Record"
    return msgspec.defstruct(struct_name, fields, frozen=True, kw_only=True, forbid_unknown_fields=True)


def rows_type(table: Table) -> Any:
    """The JSON type of a table's rows in a request: a list of `record_type`, or null."""
    row: Any = record_type(table)
    return tuple[row, ...] | None


def _json_type(column: Column) -> Any:
    if column.kind == "date":
        return dt.date | None if column.missing else dt.date
    if column.kind == "text":
        text = Annotated[str, msgspec.Meta(min_length=0 if column.missing else 1, max_length=256)]
        return text | None if column.missing else text
    low = column.low if np.isfinite(column.low) else None
    high = column.high if np.isfinite(column.high) else None
    number = Annotated[float, msgspec.Meta(ge=low, le=high)]
    return number | None if column.missing else number


def columns_of_records(table: Table, records: Sequence[msgspec.Struct], customer_id: str, as_of: int) -> Columns:
    """A request's rows, already of `record_type(table)`, as the same Columns a bulk table becomes."""
    columns: Columns = {"customer_id": np.full(len(records), customer_id, object)}
    for name, column in table.all_columns().items():
        if name != "customer_id":
            columns[name] = _column_of(column, (getattr(record, name) for record in records), len(records))
    if table.name == "facts":
        columns["date"] = np.where(columns["date"] == NEVER, np.int32(as_of), columns["date"])
    columns = _with_known_time(table, columns)
    problems = _date_problems(table, columns)
    if len(records) > 1:
        problems += _duplicate_problems(table, columns)
    if problems:
        raise DataError(listed(f"records.{table.name}", problems))
    return columns


def _column_of(column: Column, values: Iterable[Any], rows: int) -> np.ndarray:
    if column.kind == "number":
        numbers = np.fromiter((np.nan if value is None else value for value in values), np.float64, rows)
        return numbers + _NO_MINUS_ZERO
    if column.kind == "date":
        return np.fromiter((NEVER if value is None else to_day(value) for value in values), np.int32, rows)
    return np.array(["" if value is None else value for value in values] or [""], object)[:rows]
