"""The result of a review: a column for each thing said of a customer, and the parquet file they are kept in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.settings import Grade
from configs.whole import whole
from features.parquet import read_parquet
from features.ranges import ALL, Range
from monitoring.customers.limits import HOLDS, NEVER_LIMITED
from monitoring.customers.migration import CAUSES, NEW, Standing

DECISIONS = ("approve", "refer", "decline")
_ROW_GROUP = 50_000  # a range of customers is then read without the rest


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Customers in the order of their ids, (rows,) each; grades are places on the masterscale, NEW where none.

    `by_pd` is the grade of the band that holds the PD, `grade` the one that stands. `earned` is the limit that the
    policy grants, `limit` the one in force after steps and caps, `held_by` what held it. `why` are reasons in words.
    """

    customer_id: np.ndarray
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
    terms_before: np.ndarray
    terms_days: np.ndarray
    why: np.ndarray

    def __len__(self) -> int:
        return len(self.customer_id)

    def changed(self) -> np.ndarray:
        """Who must be told: grade, limit or terms are not what they were. (rows,) bool; nobody new."""
        other = (self.grade != self.grade_before) | (self.limit != self.limit_before)
        return (self.grade_before != NEW) & (other | (self.terms_days != self.terms_before))


@dataclass(frozen=True, slots=True)
class Before:
    """What the review before said of customers, (rows,) each: where they stood, limit and terms in force."""

    standing: Standing
    limit: np.ndarray
    terms_days: np.ndarray


def joined(parts: Sequence[Reviewed]) -> Reviewed:
    """Parts of a book, in order, as one."""
    columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(Reviewed)}
    return Reviewed(**{name: np.concatenate(values) for name, values in columns.items()})


def write(reviewed: Reviewed, grades: Sequence[Grade], path: Path) -> None:
    """The whole review as parquet, in words where the arrays have places."""
    names = [grade.name for grade in grades]
    words = {
        "by_pd": names,
        "grade_before": names,
        "grade": names,
        "cause": CAUSES,
        "decision": DECISIONS,
        "held_by": HOLDS,
    }
    columns = {field.name: _column(getattr(reviewed, field.name), words.get(field.name)) for field in fields(Reviewed)}
    with whole(path) as unfinished:
        pq.write_table(pa.table(columns), unfinished, row_group_size=_ROW_GROUP)


def _column(values: np.ndarray, words: Sequence[str] | None) -> pa.Array:
    if words is not None:
        return pa.DictionaryArray.from_arrays(pa.array(values, pa.int8(), mask=values == NEW), pa.array(list(words)))
    return pa.array(values, pa.string() if values.dtype == object else None, from_pandas=True)


def before(path: Path | None, grades: Sequence[Grade], customer_id: np.ndarray, customers: Range = ALL) -> Before:
    """What the review kept in `path` said of these customers, in order; None: there was none, all are new.

    A grade that the masterscale no longer has leaves its customer without one.
    """
    rows = len(customer_id)
    if path is None:
        return Before(Standing.new(rows), np.full(rows, NEVER_LIMITED), np.full(rows, NEW, np.int16))
    frame = read_parquet(path, customers).set_index("customer_id")
    frame = frame[["grade", "beyond", "held", "limit", "terms_days"]].reindex(customer_id)
    places = {grade.name: place for place, grade in enumerate(grades)}
    grade = frame["grade"].astype(object).map(places).fillna(NEW).to_numpy(np.int8)
    known = grade != NEW
    return Before(
        Standing(grade, _whole(frame["beyond"], known, 0), _whole(frame["held"], known, 0)),
        np.where(known, frame["limit"].to_numpy(np.float64, na_value=np.nan), NEVER_LIMITED),
        _whole(frame["terms_days"], known, NEW),
    )


def _whole(column: object, known: np.ndarray, otherwise: int) -> np.ndarray:
    values = column.to_numpy(np.float64, na_value=np.nan)  # type: ignore[attr-defined]
    return np.where(known, values, otherwise).astype(np.int16)
