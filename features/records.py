"""One request: the JSON types of the contracts, read strictly by msgspec, as the columns a bulk table becomes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

import msgspec
import numpy as np

from configs.errors import DataError, listed
from features.check import Breach, row_breaches, told
from features.contracts import (
    EPOCH,
    NEVER,
    NO_MINUS_ZERO,
    Column,
    Columns,
    Table,
    Text,
    iso,
    to_day,
    with_known_time,
)


class RecordsError(DataError):
    """Records of a request break their contract; `fields` are (JSON pointer into the request, what is wrong there)."""

    def __init__(self, told: str, fields: Sequence[tuple[str, str]]) -> None:
        super().__init__(told)
        self.fields = tuple(fields)


def record_type(table: Table) -> type[msgspec.Struct]:
    """The strict JSON type of one row in a request: the same contract, read by msgspec; null is missing."""
    fields: list[Any] = []
    for name, column in table.record_columns().items():
        annotation = _json_type(column)
        optional = not column.required or (table.name == "facts" and name == "date")
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
    if column.one_of:
        return Literal[column.one_of]
    if column.kind == "text":
        text = Annotated[str, msgspec.Meta(min_length=0 if column.missing else 1, max_length=256)]
        return text | None if column.missing else text
    low = column.low if np.isfinite(column.low) else None
    high = column.high if np.isfinite(column.high) else None
    number: Any = Annotated[float, msgspec.Meta(ge=low, le=high, multiple_of=1 if column.whole else None)]
    return number | None if column.missing else number


def columns_of_records(table: Table, records: Sequence[msgspec.Struct], customer_id: str, as_of: int) -> Columns:
    """A request's rows, already of `record_type(table)`, as the same Columns a bulk table becomes."""
    columns: Columns = {"customer_id": Text.all_of(customer_id, len(records))}
    fields = table.record_columns()
    by_field = list(zip(*map(msgspec.structs.astuple, records), strict=True)) or [()] * len(fields)
    numbers: dict[str, tuple[float | None, ...]] = {}
    for (name, column), values in zip(fields.items(), by_field, strict=True):
        if column.kind == "number":
            numbers[name] = values
        else:
            columns[name] = _days(values) if column.kind == "date" else Text.of(values)
    columns.update(_numbers(numbers, len(records)))
    if table.name == "facts":
        columns["date"] = np.where(columns["date"] == NEVER, np.int32(as_of), columns["date"])
    columns = with_known_time(table, columns)
    breaches = row_breaches(table, columns)
    if breaches:
        at_fault = [(_pointer(table, breach), breach.sentence()) for breach in breaches]
        raise RecordsError(listed(f"records.{table.name}", told(breaches)), at_fault)
    return columns


def _pointer(table: Table, breach: Breach) -> str:
    row = f"#/records/{table.name}/{breach.rows[0]}"
    return f"{row}/{breach.column}" if breach.column else row


def _numbers(values: Mapping[str, tuple[float | None, ...]], rows: int) -> dict[str, np.ndarray]:
    """Each column as a row of one array: one call instead of one a column."""
    block = np.array([*values.values()], np.float64).reshape(len(values), rows)  # numpy reads None as NaN
    block += NO_MINUS_ZERO
    return dict(zip(values, block, strict=True))


def _days(dates: tuple[dt.date | None, ...]) -> np.ndarray:
    missing = dates.count(None)
    if missing == len(dates):
        return np.full(len(dates), NEVER, np.int32)
    if missing:
        return np.array([NEVER if date is None else to_day(date) for date in dates], np.int32)
    return np.fromiter(map(dt.date.toordinal, cast(tuple[dt.date, ...], dates)), np.int32, len(dates)) - np.int32(EPOCH)


def joined(table: Table, parts: Sequence[Columns]) -> Columns:
    """Columns of several requests as one table, in order; no two may be about the same customer id."""
    columns: Columns = {}
    for name in table.all_columns():
        values = [part[name] for part in parts]
        columns[name] = _joined_text(values) if isinstance(values[0], Text) else np.concatenate(values)
    return columns


def _joined_text(parts: Sequence[Text]) -> Text:
    places: dict[str, int] = {}
    codes = []
    for part in parts:
        into = np.array([*(places.setdefault(value, len(places)) for value in part.values), -1], np.int32)
        codes.append(into[part.codes])
    values = np.empty(len(places), object)
    values[:] = list(places)
    return Text(np.concatenate(codes), values)


def rows_of(table: Table, columns: Columns) -> list[Mapping[str, Any]]:
    """The rows of a checked table as a request would hold them: what is missing is null, dates are ISO, no customer."""
    named = table.record_columns()
    values = [_json_values(column, columns[name]) for name, column in named.items()]
    return [dict(zip(named, row, strict=True)) for row in zip(*values, strict=True)]


def _json_values(column: Column, values: Any) -> list[Any]:
    if column.kind == "number":
        return [None if value != value else value for value in values.tolist()]
    if column.kind == "date":
        return [None if day == NEVER else iso(day) for day in values.tolist()]
    return [text or None for text in values.to_objects().tolist()]
