"""One flat table with a label, ready to train on with nothing declared: the product made of it and its tables."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import DataError, listed, nearest
from configs.settings import ColumnSpec, Product, flat_product, load_product, plain_name, product_toml
from configs.whole import whole
from features.contracts import Columns
from features.files import read_file
from features.load import check_tables

_YES = {"1", "1.0", "true", "yes", "y", "t", "bad", "default", "defaulted", "b'1'"}
_NO = {"0", "0.0", "false", "no", "n", "f", "good", "paid", "b'0'"}
_NAMES, _OF_ROWS = 50, 0.9  # so many different texts, in so large a share of the rows that hold one, name rows
_MEANT = ("the customer", "the day asked at")
NO_DATE = "1970-01-01"  # of a flat table without time: everything happened before any question is asked


@dataclass(frozen=True, slots=True)
class FlatTable:
    """A flat table read: the product made of it, its tables, and what a person should know about the reading."""

    product: Product
    tables: dict[str, Columns]
    notes: tuple[str, ...]


def read_flat(
    path: Path,
    label: str,
    name: str,
    id_column: str | None,
    time_column: str | None,
    bad: str | None,
    declared: frozenset[str] = frozenset(),
) -> FlatTable:
    """One table with a label column, ready to train on, with nothing declared.

    Numbers stay numbers, text becomes categories, column names become plain (`net profit / sales` ->
    `net_profit_sales`). A text of its own in nearly every row that holds one names rows: it is left out, and the notes
    say so, unless it is among the columns that a product file has `declared`. Raises DataError for a missing or
    unusable label, id or time, repeated ids, infinities, or no column to learn from.
    """
    frame = read_file(path, [id_column] if id_column else [])
    if not len(frame):
        raise DataError(f"{path}: no rows below the header")
    _require(path, frame, label, id_column, time_column)
    defaulted, notes = _labels(path, frame[label], bad)
    ids = frame[id_column] if id_column else pd.Series([f"row-{i + 1}" for i in range(len(frame))])
    times = frame[time_column] if time_column else pd.Series(NO_DATE, index=frame.index)
    columns = frame.drop(columns=[c for c in (label, id_column, time_column) if c])
    plain = dict(zip(columns.columns, _plain_names(columns.columns), strict=True))
    judged = columns[[column for column in columns if plain[column] not in declared]]
    names, told = _naming_rows(judged, id_column, time_column)
    columns, notes = columns.drop(columns=names), [*notes, *told]
    if not len(columns.columns):
        raise DataError("\n".join([f"{path}: no column is left to learn from", *told]))
    columns = columns.rename(columns=plain)
    specs = tuple(_column_spec(str(column), columns[column]) for column in columns.columns)
    product = flat_product(name, f"Flat table {path.name}", specs)
    denied = [spec.name for spec in specs if spec.name in product.denied()]
    if denied:
        notes.append(f"left out as protected (jurisdictions and deny, in the product file): {', '.join(denied)}")
    facts = columns.assign(customer_id=ids.to_numpy(), date=times.to_numpy())
    outcomes = pd.DataFrame({"customer_id": ids, "as_of": times.to_numpy(), "defaulted": defaulted})
    tables = check_tables({"facts": facts, "outcomes": outcomes}, product, str(path))
    return FlatTable(product, tables, tuple(notes))


def declared_columns(name: str, home: Path) -> frozenset[str]:
    """The columns that the product file of a flat table in `home` declares; none where there is no such file."""
    path = _product_path(name, home)
    return frozenset(column.name for column in load_product(str(path), home).columns) if path.exists() else frozenset()


def _product_path(name: str, home: Path) -> Path:
    return home / "products" / f"{name}.toml"


def keep_product(product: Product, home: Path) -> tuple[Path, Product]:
    """The product file of a flat table in `home`/products, written if it is not there, and the product it declares.

    A file that is there keeps what a person changed in it (grades, limits, deny) but must have the table's columns.
    """
    path = _product_path(product.name, home)
    if path.exists():
        kept = load_product(str(path), home)
        if kept.columns != product.columns:
            other = (
                ", ".join(sorted({column.name for column in {*kept.columns} ^ {*product.columns}}))
                or "in another order"
            )
            raise DataError(
                f"{path}: declares other columns than the table has ({other}); remove it, or say --name for another"
            )
        return path, kept
    with whole(path) as unfinished:
        unfinished.write_text(product_toml(product), encoding="utf-8")
    return path, product


def _require(path: Path, frame: pd.DataFrame, *names: str | None) -> None:
    known = [str(column) for column in frame.columns]
    told = "there are: " + ", ".join(known[:12])
    if (values := _values(known)) > 1:  # data of a customer are no names, and stay out of messages
        told = f"the first line holds {values} numbers: if it is no header, write the columns' names above it"
    problems = [
        f"column {name!r}: missing{nearest(name, known) or '; ' + told}" for name in names if name and name not in known
    ]
    if problems:
        raise DataError(listed(str(path), problems))


def _values(header: list[str]) -> int:
    """How many of a header's names are numbers: a file without a header gives its first row as names."""
    return sum(part.replace(".", "", 1).lstrip("-").isdigit() for name in header for part in re.split(r"\s+", name))


def _labels(path: Path, label: pd.Series, bad: str | None) -> tuple[np.ndarray, list[str]]:
    """1 where the customer went bad, and a note on how the label was read."""
    if label.isna().any():
        row = int(np.flatnonzero(label.isna())[0])
        raise DataError(f"{path}: label {label.name!r}, row {row + 1}: missing; expected one of two values")
    text = label.astype(str).str.strip()
    values = sorted(text.unique())
    if len(values) != 2:
        shown = ", ".join(values[:5])
        raise DataError(
            f"{path}: label {label.name!r}: expected two values (good and bad), found {len(values)}: {shown}"
        )
    chosen = bad if bad is not None else _bad_value(path, str(label.name), values)
    if chosen not in values:
        raise DataError(f"{path}: --bad {chosen!r} is not a value of {label.name!r}: {' or '.join(values)}")
    defaulted = (text == chosen).to_numpy().astype(float)
    note = f"label {label.name!r}: {chosen!r} means default ({int(defaulted.sum()):,} of {len(text):,} rows)"
    return defaulted, [note]


def _bad_value(path: Path, name: str, values: list[str]) -> str:
    lowered = {value.lower(): value for value in values}
    numbers = pd.to_numeric(pd.Series(values), errors="coerce")
    if numbers.notna().all() and numbers.nunique() == 2:
        return values[int(numbers.argmax())]  # 1 good, 2 bad: the larger number, as the notes tell
    yes = [value for lower, value in lowered.items() if lower in _YES]
    no = [value for lower, value in lowered.items() if lower in _NO]
    if len(yes) == 1:
        return yes[0]
    if len(no) == 1:
        return next(value for value in values if value != no[0])
    raise DataError(f"{path}: label {name!r}: which of {' and '.join(values)} is a default? Say --bad VALUE")


def _naming_rows(columns: pd.DataFrame, *named: str | None) -> tuple[list[str], list[str]]:
    """The text columns that name rows, and a note on each, and on whole numbers that may do the same.

    A category of one row teaches nothing of others, and a customer's name has no place in a model. A number may: it is
    taught all the same. `named`: what was said of id and time.
    """
    left_out, notes = [], []
    meant = [(f"--{flag} ", what) for flag, what, said in zip(("id", "time"), _MEANT, named, strict=True) if not said]
    for name, column in columns.items():
        values = column.dropna()
        number = _is_number(values)
        if number and not pd.api.types.is_integer_dtype(values):
            continue
        different = (values if number else values.astype(str)).nunique()
        hint = "".join(f"; if it is {what}, say {flag}{shlex.quote(str(name))}" for flag, what in meant)
        if different < _NAMES or different < _OF_ROWS * len(values):
            continue
        if not number:
            left_out.append(name)
            held = f"{different:,} different values in {len(values):,} rows"
            notes.append(f"left out: column {name!r} holds {held}, so it names rows{_no_number(column)}{hint}")
        elif different == len(columns):
            notes.append(f"column {name!r} holds a whole number of its own in each row, and is taught{hint}")
    return left_out, notes


def _no_number(column: pd.Series) -> str:
    """Which row makes text of a column of numbers, in words; nothing where it is none."""
    present = column.notna().to_numpy()
    numbers = present & pd.to_numeric(column.astype(str), errors="coerce").notna().to_numpy()
    if numbers.sum() <= 0.5 * present.sum() or (numbers == present).all():
        return ""
    row = int(np.flatnonzero(present & ~numbers)[0]) + 1
    return f" ({numbers.sum():,} values are numbers, row {row} holds none: with that mended it is a number)"


def _plain_names(names: Iterable[Any]) -> list[str]:
    """Names fit for a JSON key and a feature: lower case letters, digits, underscores; unique."""
    plain: list[str] = []
    for name in names:
        base = plain_name(str(name)) or "column"
        base = f"column_{base}" if base[0].isdigit() else base
        base = f"{base}_value" if base in ("customer_id", "date", "known_time") else base
        numbered = (f"{base}_{count}" for count in itertools.count(2))
        plain.append(next(free for free in itertools.chain([base], numbered) if free not in plain))
    return plain


def _column_spec(name: str, values: pd.Series) -> ColumnSpec:
    return ColumnSpec(name=name, kind="number" if _is_number(values) else "category")


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values))
