"""What is watched: the decisions of a stretch of time, out of the ledger, or a book scored from its tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.contracts import Columns, iso, to_day
from serving.ledger import Ledger
from serving.score import Scorer
from training.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Window:
    """Scored rows of one model version: `values` (rows, features) and what was made of them, (rows,) each.

    `as_of` are days since 1970. `left_out` counts decisions of the time that another model version made.
    """

    values: np.ndarray
    default_probability: np.ndarray
    customer_id: np.ndarray
    as_of: np.ndarray
    left_out: int

    def __len__(self) -> int:
        return len(self.as_of)


def from_ledger(ledger: Ledger, bundle: Bundle, since: int, until: int) -> Window:
    """The decisions of `bundle` whose as_of lies in [since, until], days since 1970."""
    rows, left_out = [], 0
    for record in ledger.records("decision", bundle.product):
        body = record.body()
        answer = body["answer"]
        as_of = to_day(dt.date.fromisoformat(answer["as_of"]))
        if not since <= as_of <= until:
            continue
        if answer["model"] != bundle.version:
            left_out += 1
            continue
        rows.append((body["evidence"]["features"], answer["default_probability"], answer["customer_id"], as_of))
    values = np.array([row[0] for row in rows], np.float64).reshape(len(rows), len(bundle.program.names))
    return Window(
        values=values,
        default_probability=np.array([row[1] for row in rows], np.float64),
        customer_id=np.array([row[2] for row in rows], object),
        as_of=np.array([row[3] for row in rows], np.int32),
        left_out=left_out,
    )


def from_tables(scorer: Scorer, tables: Mapping[str, Columns], as_of: int) -> Window:
    """Every customer of whom the tables knew something at `as_of`, scored then.

    Who came later would be scored with nothing known, and look like a feed that went silent.
    """
    there = [tables[name] for name in scorer.tables if name in tables]
    known = [table["customer_id"].take(table["known_time"] <= as_of).distinct() for table in there]
    customers = np.unique(np.concatenate(known).astype(str)).astype(object)
    days = np.full(len(customers), as_of, np.int32)
    scores = scorer.score(tables, customers, days)
    return Window(scores.values, scores.default_probability, customers, days, 0)


def described(window: Window) -> str:
    """The window in words: rows and dates, and what another model version decided meanwhile."""
    others = f"; {window.left_out:,} by other model versions left out" if window.left_out else ""
    if not len(window):
        return f"no decisions{others}"
    return f"{len(window):,} decisions, as of {iso(window.as_of.min())} to {iso(window.as_of.max())}{others}"
