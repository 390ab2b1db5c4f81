"""Outcomes as they arrive, from the ledger and from a table: used once, or set aside with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from configs.settings import Outcome
from configs.whole import whole
from features import outcome
from features.check import take
from features.contracts import NEVER, Columns, iso
from features.outcome import Labels, window_end
from monitoring.outcomes.claims import REASONS, Reason, Recorded, SetAside, Source, as_table


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The outcomes that may be used, one for each (customer, as_of), and those that may not.

    `waiting`: their window is open, or nobody watched to its end. `late`: used, but known only after the window had
    closed. `from_ledger` of the labels are the ledger's alone.
    """

    labels: Labels
    from_ledger: int
    waiting: int
    late: int
    set_aside: tuple[SetAside, ...]

    def counts(self) -> dict[str, int]:
        """How many were used, wait, came late, and were set aside for each reason."""
        aside = Counter(one.reason for one in self.set_aside)
        told = {"used": len(self.labels), "from_ledger": self.from_ledger, "waiting": self.waiting, "late": self.late}
        return {**told, **{reason: aside[reason] for reason in REASONS}}


def gather(
    found: Recorded | None,
    table: Columns | None,
    asked: frozenset[tuple[str, int]] | None,
    definition: Outcome,
    now: int,
    read_on: int,
) -> Arrivals:
    """Join what the ledger and a table of outcomes (either may be absent) tell about the questions `asked`.

    Where `asked` is None any question counts. `now` is the day of the label clock, `read_on` the day the table was
    read: nobody can tell of a day after it. Each side passes the label clock by itself; where both then judge a
    question, they must agree, or neither is used.
    """
    ledger_side, aside = as_table(found, now)
    table_side, strange = _table_columns(table, read_on)
    aside += strange
    ours, theirs = (_judged(side, definition, now) for side in (ledger_side, table_side))
    frame, clashes = _joined(ours, theirs)
    aside += clashes
    if asked is not None:
        known = np.array([key in asked for key in zip(frame["customer_id"], frame["as_of"], strict=True)], bool)
        aside += _rows_aside(frame[~known], "unknown", None)
        frame = frame[known]
    waiting = sum(0 if side is None else side.waiting for side in (ours, theirs))
    labels = Labels(
        frame["customer_id"].to_numpy(object),
        frame["as_of"].to_numpy(np.int32),
        frame["bad"].to_numpy(np.int8),
        waiting,
        theirs.labels.clock if theirs is not None else ours.labels.clock if ours is not None else outcome.Clock(),
    )
    late = int((frame["known_time"].to_numpy() > window_end(labels.as_of, definition.window_months)).sum())
    from_ledger = int((frame["source"] == "ledger").sum())
    return Arrivals(labels, from_ledger, waiting, late, ((*found.set_aside, *aside) if found else tuple(aside)))


def write(arrivals: Arrivals, path: Path) -> None:
    """What was set aside, one line each with its reason, into a CSV file."""
    lines = [
        (one.source, one.reason, REASONS[one.reason], one.subject, one.customer_id, iso(one.as_of))
        for one in arrivals.set_aside
    ]
    names = ["source", "reason", "told", "record", "customer_id", "as_of"]
    with whole(path) as unfinished:
        pd.DataFrame(lines, columns=names).to_csv(unfinished, index=False)


def _table_columns(table: Columns | None, read_on: int) -> tuple[Columns | None, list[SetAside]]:
    """The rows of an outcomes table that tell of no day after `read_on`."""
    if table is None:
        return None, []
    days = {name: table[name] for name in ("as_of", "known_time", "observed_until", "defaulted_on", "cured_on")}
    future = np.zeros(len(days["as_of"]), bool)
    for values in days.values():
        future |= (values > read_on) & (values != NEVER)
    asked = pd.DataFrame({"customer_id": table["customer_id"].to_objects(), "as_of": days["as_of"]})
    return take(table, np.flatnonzero(~future)), _rows_aside(asked[future], "future", "table")


@dataclass(frozen=True, slots=True)
class _Side:
    labels: Labels
    frame: pd.DataFrame
    waiting: int


def _judged(columns: Columns | None, definition: Outcome, now: int) -> _Side | None:
    """One side's matured outcomes, with the day each became known."""
    if columns is None or not len(columns["as_of"]):
        return None
    labels = outcome.matured(columns, definition, now)
    frame = pd.DataFrame({"customer_id": labels.customer_id, "as_of": labels.as_of, "bad": labels.defaulted})
    versions = pd.DataFrame(
        {name: columns[name] for name in ("as_of", "known_time")} | {"customer_id": columns["customer_id"].to_objects()}
    )
    current = versions[versions["known_time"] <= now].groupby(["customer_id", "as_of"], as_index=False).max()
    frame = frame.merge(current, how="left", on=["customer_id", "as_of"])
    return _Side(labels, frame, labels.immature + labels.clock.count("unobserved"))


_NAMES = ["customer_id", "as_of", "bad", "known_time", "source"]


def _joined(ours: _Side | None, theirs: _Side | None) -> tuple[pd.DataFrame, list[SetAside]]:
    """One row for each question either side judges; of what both judge alike one row is used."""
    if ours is None or theirs is None:
        alone: Mapping[str, _Side | None] = {"ledger": ours, "table": theirs}
        parts = [side.frame.assign(source=name) for name, side in alone.items() if side is not None]
        return (parts[0] if parts else pd.DataFrame(columns=_NAMES)), []
    both = theirs.frame.merge(ours.frame, how="outer", on=["customer_id", "as_of"], suffixes=("", "_ledger"))
    in_table, in_ledger = both["bad"].notna(), both["bad_ledger"].notna()
    clash = in_table & in_ledger & (both["bad"] != both["bad_ledger"])
    aside = _rows_aside(both[clash], "contradiction", "both")
    aside += _rows_aside(both[in_table & in_ledger & ~clash], "repeated", "ledger")
    merged = both.assign(
        bad=both["bad"].fillna(both["bad_ledger"]),
        known_time=both["known_time"].fillna(both["known_time_ledger"]),
        source=np.where(in_table, "table", "ledger"),
    )
    return merged[~clash][_NAMES], aside


def _rows_aside(rows: pd.DataFrame, reason: Reason, source: Source | None) -> list[SetAside]:
    sources = [source] * len(rows) if source is not None else rows["source"]
    return [
        SetAside(whence, reason, "", customer, int(as_of))
        for whence, customer, as_of in zip(sources, rows["customer_id"], rows["as_of"], strict=True)
    ]
