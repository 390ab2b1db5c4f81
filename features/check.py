"""A frame held against its contract: every breach found at once, bad rows set aside with row number and reason."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.errors import DataError, listed, nearest
from features import kernel, scan
from features.contracts import NEVER, NO_MINUS_ZERO, Column, Columns, Table, Text, iso, to_day, with_known_time

_FEW = 1000
_FIRST_DAY, _LAST_DAY = to_day(dt.date.min), to_day(dt.date.max)
_UNITS_A_DAY = {
    f"datetime64[{unit}]": 86_400 * parts for unit, parts in {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}.items()
}
_LARGEST_WHOLE = 2.0**53  # beyond it a float does not hold every whole number


@dataclass(frozen=True, slots=True)
class Breach:
    """Rows (positions, from 0) of one column that break one rule; `got` is what the first of them holds."""

    column: str
    reason: str
    rows: np.ndarray
    got: str

    def sentence(self, first_row: int = 0) -> str:
        """The breach in words; rows are counted from 1."""
        more = f" ({len(self.rows):,} rows like it)" if len(self.rows) > 1 else ""
        where = f"column {self.column!r}, row" if self.column else "row"
        return f"{where} {first_row + int(self.rows[0]) + 1}: {self.reason.format(got=self.got)}{more}"

    def rule(self) -> str:
        """The rule that is broken, without what the first row holds."""
        return re.sub(r"(, got|:) \{got\}$", "", self.reason)


@dataclass(frozen=True, slots=True)
class Checked:
    """The good rows of a table as columns, how many rows there were, and the breaches of the others."""

    table: str
    columns: Columns
    rows: int
    breaches: tuple[Breach, ...]

    @property
    def bad_rows(self) -> int:
        """How many rows were set aside."""
        return len(_bad(self.breaches))

    def quarantine(self, first_row: int = 0) -> pd.DataFrame:
        """One line for each breach of each row set aside: table, row (from 1), column, reason."""
        lines = [
            (self.table, first_row + int(row) + 1, breach.column, breach.rule())
            for breach in self.breaches
            for row in breach.rows
        ]
        frame = pd.DataFrame(lines, columns=["table", "row", "column", "reason"]).astype({"row": np.int64})
        return frame.sort_values("row", kind="stable", ignore_index=True)


def check_frame(table: Table, frame: pd.DataFrame, source: str) -> Columns:
    """`frame` as columns; DataError lists every breach. Columns the contract does not name are left out."""
    checked = check(table, frame, source)
    if checked.breaches:
        raise DataError(listed(f"{source} ({table.name})", told(checked.breaches)))
    return checked.columns


def check(table: Table, frame: pd.DataFrame, source: str) -> Checked:
    """The good rows of `frame` and the breaches of the others.

    Raises DataError where no row could be good: a required column is missing, stands twice, or there are no rows.
    """
    expected = table.all_columns()
    problems = _missing_columns(expected, frame)
    if not len(frame):
        problems.append("no rows; expected at least one")
    if problems:
        raise DataError(listed(f"{source} ({table.name})", problems))
    columns: Columns = {}
    breaches: list[Breach] = []
    for name, column in expected.items():
        if name in frame.columns:
            columns[name], found = _converted(name, column, frame[name])
            breaches += found
        else:
            columns[name] = _absent(column, len(frame))
    good = np.setdiff1d(np.arange(len(frame)), _bad(breaches)) if breaches else None
    kept = with_known_time(table, take(columns, good))
    later = row_breaches(table, kept)
    if later:
        places = np.arange(len(frame)) if good is None else good
        breaches += [Breach(b.column, b.reason, places[b.rows], b.got) for b in later]
        kept = take(kept, np.setdiff1d(np.arange(len(places)), _bad(later)))
    return Checked(table.name, kept, len(frame), tuple(breaches))


def take(columns: Columns, rows: np.ndarray | None) -> Columns:
    """These rows of every column; None: all."""
    if rows is None:
        return columns
    return {name: v.take(rows) if isinstance(v, Text) else v[rows] for name, v in columns.items()}


def told(breaches: Sequence[Breach], first_row: int = 0) -> list[str]:
    """The breaches as sentences."""
    return [breach.sentence(first_row) for breach in breaches]


def _bad(breaches: Sequence[Breach]) -> np.ndarray:
    return np.unique(np.concatenate([breach.rows for breach in breaches])) if breaches else np.empty(0, np.int64)


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


def _absent(column: Column, rows: int) -> np.ndarray | Text:
    if column.kind == "number":
        return np.full(rows, np.nan)
    if column.kind == "date":
        return np.full(rows, NEVER, np.int32)
    return Text(np.full(rows, -1, np.int32), np.empty(0, object))


def _converted(name: str, column: Column, values: pd.Series) -> tuple[np.ndarray | Text, list[Breach]]:
    """The values in their column's type, and what is wrong with them."""
    sound = _sound(column, values)
    if sound is not None:
        return sound, []
    empty = np.array(values.isna())
    out: np.ndarray | Text
    if column.kind == "text":
        out = _as_text(values, empty)
        empty, wrong = out.codes < 0, np.zeros(len(out), bool)
    elif column.kind == "date":
        out, wrong = _as_days(values, empty)
    else:
        out = _as_numbers(values)
        wrong = np.isnan(out) & ~empty
    article = "an" if column.kind[0] in "aeiou" else "a"
    found = _breach(name, wrong, values, f"expected {article} {column.kind}, got {{got}}")
    if not column.missing:
        found += _breach(name, empty, values, "missing; a value is required")
    if isinstance(out, Text) and column.one_of:
        allowed = np.append(np.isin(out.values, column.one_of), True)
        found += _breach(name, ~allowed[out.codes], values, f"expected one of {', '.join(column.one_of)}, got {{got}}")
    if column.kind == "number":
        assert isinstance(out, np.ndarray)
        found += _number_breaches(name, column, out, values)
    return out, found


def _sound(column: Column, values: pd.Series) -> np.ndarray | None:
    """The values of a number or date column that one pass proves to break no rule; None where it cannot."""
    if column.kind == "number" and values.dtype == np.float64:
        out = np.empty(len(values))
        sound, missing = scan.numbers(values.to_numpy(), column.low, column.high, column.whole, out)
    elif column.kind == "date" and (each := _UNITS_A_DAY.get(str(values.dtype))):
        out = np.empty(len(values), np.int32)
        moments = values.to_numpy().view(np.int64)
        sound, missing = scan.days(moments, each, _FIRST_DAY, _LAST_DAY, out)
    else:
        return None
    return out if sound and (column.missing or not missing) else None


def _number_breaches(name: str, column: Column, numbers: np.ndarray, values: pd.Series) -> list[Breach]:
    found = _breach(name, np.isinf(numbers), values, "infinite; leave the value out where it is unknown")
    outside = ((numbers < column.low) | (numbers > column.high)) & np.isfinite(numbers)
    found += _breach(name, outside, values, f"outside [{column.low:g}, {column.high:g}], got {{got}}")
    if column.whole:
        broken = np.isfinite(numbers) & ~outside & (numbers != np.floor(numbers))
        found += _breach(name, broken, values, "expected a whole number, got {got}")
    return found


def _as_text(values: pd.Series, empty: np.ndarray) -> Text:
    if isinstance(values.dtype, pd.CategoricalDtype) and pd.api.types.is_string_dtype(values.cat.categories):
        codes = np.array(values.cat.codes, np.int32)
        kept = values.cat.categories.to_numpy(object)
        blank = np.append(kept == "", False)  # the last is that of a missing one, code -1
        return Text(np.where(blank[codes], -1, codes) if blank.any() else codes, kept)
    if pd.api.types.is_float_dtype(values):
        values = _whole(values)
    return Text.of(values.astype(object).where(~empty, "").astype(str).tolist())


def _whole(values: pd.Series) -> pd.Series:
    """Whole numbers that a missing one among them has made floats, as whole numbers again: the id 7.0 is 7."""
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    present = numbers[~np.isnan(numbers)]
    whole = (np.abs(present) < _LARGEST_WHOLE) & (present == np.floor(present))
    return pd.Series(pd.array(numbers, "Int64"), values.index) if whole.all() else values


def _as_numbers(values: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(values):
        values = pd.to_numeric(values.astype(object), errors="coerce")
    return values.to_numpy(np.float64, na_value=np.nan) + NO_MINUS_ZERO


def _as_days(values: pd.Series, empty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if pd.api.types.is_numeric_dtype(values) and not empty.all():
        return np.full(len(values), NEVER, np.int32), ~empty
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if values.dtype == object:  # a number among text would be read as nanoseconds
        values = values.where(~values.map(lambda value: isinstance(value, (int, float))), "a number")
    if pd.api.types.is_datetime64_dtype(values):
        moments = values
    else:
        moments = pd.to_datetime(values.where(~empty, None), errors="coerce", format="ISO8601", utc=True)
    days = moments.to_numpy("datetime64[D]").astype(np.int64)
    unknown = (days < _FIRST_DAY) | (days > _LAST_DAY)  # what is no moment lies far before
    return np.where(unknown, NEVER, days).astype(np.int32), unknown & ~empty


def _breach(name: str, wrong: np.ndarray, values: pd.Series, reason: str) -> list[Breach]:
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return []
    return [Breach(name, reason, rows, repr(values.iloc[rows[:1]].tolist()[0]))]


def row_breaches(table: Table, columns: Columns) -> list[Breach]:
    """Rows known before they happened, and rows that repeat a key: what takes several columns to see."""
    return _known_too_early(table, columns) + _repeats(table, columns)


def _known_too_early(table: Table, columns: Columns) -> list[Breach]:
    known, event = columns["known_time"], columns[table.event]
    assert isinstance(known, np.ndarray)
    assert isinstance(event, np.ndarray)
    early = known < event
    if not early.any():
        return []
    rows = np.flatnonzero(early)
    reason = f"lies before {table.event}, and nothing is known before it happens: {{got}}"
    return [Breach("known_time", reason, rows, f"{iso(known[rows[0]])} before {iso(event[rows[0]])}")]


def _repeats(table: Table, columns: Columns) -> list[Breach]:
    key = ["customer_id", *table.key, "known_time"]
    parts = [v.codes if isinstance(v, Text) else v for v in (columns[name] for name in key)]
    if all_different(parts, parts[-2] if len(parts) > 2 else parts[-1]):
        return []
    rows = np.flatnonzero(pd.DataFrame(dict(zip(key, parts, strict=True))).duplicated().to_numpy())
    if not len(rows):
        return []
    shown = ", ".join(f"{name}={_shown(columns[name], int(rows[0]))}" for name in key[:-1])
    return [Breach("", "repeats an earlier row with the same key: {got}", rows, shown)]


def all_different(parts: Sequence[np.ndarray], likely: np.ndarray) -> bool:
    """Cheap proofs that no two rows agree in all `parts`: the first and the `likely` rise, or few are compared."""
    if kernel.rises(parts[0], likely):
        return True
    rows = len(parts[0])
    return rows < _FEW and len(set(zip(*(part.tolist() for part in parts), strict=True))) == rows


def _shown(values: np.ndarray | Text, row: int) -> str:
    if isinstance(values, Text):
        return repr(values.take(np.array([row])).to_objects()[0])
    return iso(values[row]) if values.dtype == np.int32 else repr(values[row])
