"""The result of a review: a column for each thing said of a customer, and the parquet file they are kept in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.settings import Grade
from configs.whole import whole
from features.parquet import read_parquet
from features.ranges import ALL, Range
from monitoring.customers.limits import HOLDS
from monitoring.customers.migration import CAUSES, NEW, Standing

DECISIONS = ("approve", "refer", "decline")
Occasion = Literal["every", "first", "cycle", "trigger", "event", "breach", "called", "carried"]
OCCASIONS: tuple[Occasion, ...] = ("every", "first", "cycle", "trigger", "event", "breach", "called", "carried")
CARRIED = OCCASIONS.index("carried")
NO_DAY = -(2**31)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Customers in the order of their ids, (rows,) each; grades are places on the masterscale, NEW where none.

    `by_pd` is the grade of the band that holds the PD, `grade` the one that stands. `earned` is the limit that the
    policy grants, `limit` the one in force after steps and caps, `held_by` what held it; `terms_earned` and
    `terms_days` are the same of payment days. `occasion` says why the customer was looked at, `reviewed_on` when (days
    since 1970): of one who was not, all but `drawn` is carried over. `why` are reasons in words, `group_id` names
    connected customers, empty where nothing caps them.
    """

    customer_id: np.ndarray
    occasion: np.ndarray
    reviewed_on: np.ndarray
    default_probability: np.ndarray
    points: np.ndarray
    by_pd: np.ndarray
    grade_before: np.ndarray
    grade: np.ndarray
    cause: np.ndarray
    beyond: np.ndarray
    held: np.ndarray
    decision: np.ndarray
    drawn: np.ndarray
    earned: np.ndarray
    limit_before: np.ndarray
    limit: np.ndarray
    held_by: np.ndarray
    terms_earned: np.ndarray
    terms_before: np.ndarray
    terms_days: np.ndarray
    group_id: np.ndarray
    why: np.ndarray

    def __len__(self) -> int:
        return len(self.customer_id)

    def standing(self) -> Standing:
        """Where the grades stand."""
        return Standing(self.grade, self.beyond, self.held)

    def changed(self) -> np.ndarray:
        """Who must be told: grade, limit or terms are not what they were. (rows,) bool; nobody new."""
        other = (self.grade != self.grade_before) | (self.limit != self.limit_before)
        return (self.grade_before != NEW) & (other | (self.terms_days != self.terms_before))

    def take(self, rows: np.ndarray) -> Reviewed:
        """These rows, a mask or positions."""
        return Reviewed(**{field.name: getattr(self, field.name)[rows] for field in fields(Reviewed)})


_TEXTS = ("customer_id", "group_id", "why")
_DAYS = ("beyond", "held", "terms_earned", "terms_before", "terms_days")
_PLACES = ("occasion", "by_pd", "grade_before", "grade", "cause", "decision", "held_by")


def blank(customer_id: np.ndarray) -> Reviewed:
    """Customers of whom no review has said anything."""
    rows = len(customer_id)
    empty: dict[str, np.ndarray] = {name: np.full(rows, "", object) for name in _TEXTS}
    empty |= {name: np.full(rows, NEW, np.int8) for name in _PLACES}
    empty |= {name: np.full(rows, NEW if name.startswith("terms") else 0, np.int16) for name in _DAYS}
    empty |= {"customer_id": customer_id, "reviewed_on": np.full(rows, NO_DAY, np.int32)}
    return Reviewed(
        **{field.name: empty.get(field.name, np.full(rows, np.nan)) for field in fields(Reviewed)},
    )


def replaced(book: Reviewed, rows: np.ndarray, part: Reviewed) -> Reviewed:
    """`book` with what `part` says in `rows`, (len(part),) positions."""
    columns = {field.name: getattr(book, field.name).copy() for field in fields(Reviewed)}
    for name, values in columns.items():
        values[rows] = getattr(part, name)
    return Reviewed(**columns)


def words_of(grades: Sequence[Grade]) -> dict[str, Sequence[str]]:
    """What the places of each column mean."""
    names = [grade.name for grade in grades]
    return {
        "occasion": OCCASIONS,
        "by_pd": names,
        "grade_before": names,
        "grade": names,
        "cause": CAUSES,
        "decision": DECISIONS,
        "held_by": HOLDS,
    }


class Keep(Protocol):
    """Adds a part to a file that is being written."""

    def __call__(self, part: Reviewed) -> None: ...


@contextmanager
def writing(grades: Sequence[Grade], path: Path) -> Iterator[Keep]:
    """A parquet file written part by part, each a row group: in words where the arrays have places.

    The file is there whole or, after an error, not at all.
    """
    words = words_of(grades)
    schema = _table(blank(np.empty(0, object)), words).schema
    with whole(path) as unfinished, pq.ParquetWriter(unfinished, schema) as writer:
        yield lambda part: writer.write_table(_table(part, words)) if len(part) else None


def _table(part: Reviewed, words: dict[str, Sequence[str]]) -> pa.Table:
    return pa.table(
        {field.name: _column(getattr(part, field.name), words.get(field.name)) for field in fields(Reviewed)}
    )


def _column(values: np.ndarray, words: Sequence[str] | None) -> pa.Array:
    if words is not None:
        return pa.DictionaryArray.from_arrays(pa.array(values, pa.int8(), mask=values == NEW), pa.array(list(words)))
    return pa.array(values, pa.string() if values.dtype == object else None, from_pandas=True)


def parts_in(path: Path, grades: Sequence[Grade]) -> Iterator[Reviewed]:
    """A file as it was written, one row group in memory at a time."""
    with pq.ParquetFile(path) as file:
        for place in range(file.num_row_groups):
            yield _of(file.read_row_group(place).to_pandas(), grades)


def before(path: Path | None, grades: Sequence[Grade], customer_id: np.ndarray, customers: Range = ALL) -> Reviewed:
    """What the review kept in `path` said of these customers, in order; None: there was none, all are new.

    A grade that the masterscale no longer has leaves its customer without one, as if never reviewed.
    """
    if path is None:
        return blank(customer_id)
    frame = read_parquet(path, customers).set_index("customer_id").reindex(customer_id).reset_index()
    found = _of(frame, grades)
    unknown = np.flatnonzero(found.grade == NEW)
    return replaced(found, unknown, blank(customer_id[unknown]))


def _of(frame: pd.DataFrame, grades: Sequence[Grade]) -> Reviewed:
    """Rows of a file as arrays; a column that an older file has not is blank."""
    words, empty = words_of(grades), blank(frame["customer_id"].to_numpy(object))
    columns = {
        name: _read(frame[name], getattr(empty, name), words.get(name)) if name in frame else getattr(empty, name)
        for name in (field.name for field in fields(Reviewed))
    }
    return Reviewed(**columns)


def _read(column: Any, empty: np.ndarray, words: Sequence[str] | None) -> np.ndarray:
    if words is not None:
        places = {word: place for place, word in enumerate(words)}
        return np.asarray(column.astype(object).map(places).fillna(NEW).to_numpy(empty.dtype))
    if empty.dtype == object:
        return np.asarray(column.astype(object).where(column.notna(), "").to_numpy(object))
    values = column.to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isnan(values), empty, values).astype(empty.dtype)
