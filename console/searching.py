"""Recorded decisions as lines of a list, found newest first: no page reads more of the ledger than it may."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from serving.ledger import Ledger, Record

KIND = "decision"
_CHUNK = 200


class Told(msgspec.Struct, frozen=True):
    """What a list says of a decision's answer."""

    customer_id: str
    as_of: str
    decision: str
    grade: str
    default_probability: float
    limit: float
    currency: str
    model: str
    flags: list[str] = []


class _Body(msgspec.Struct, frozen=True):
    answer: Told


_decoder = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Line:
    """A decision on record: its place, its id, when it was made, what it says; None where its customer was erased."""

    seq: int
    id: str
    at: str
    told: Told | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; empty: anything. Days are those a decision was recorded on, UTC, both included."""

    product: str
    customer: str = ""
    decision: str = ""
    grade: str = ""
    since: dt.date | None = None
    until: dt.date | None = None

    def holds(self, line: Line) -> bool:
        """Whether a line is one of them, as far as its body tells."""
        if not self.decision and not self.grade:
            return True
        told = line.told
        return told is not None and self.decision in ("", told.decision) and self.grade in ("", told.grade)


@dataclass(frozen=True, slots=True)
class Search:
    """The lines found, newest first; how many decisions were looked through; where to go on, None at the end."""

    lines: list[Line]
    looked: int
    before: int | None


def line_of(record: Record) -> Line:
    """A record of a decision as a line."""
    told = None if record.erased else _decoder.decode(record.entry.body).answer
    return Line(record.seq, record.entry.id, record.entry.at, told)


def search(ledger: Ledger, wanted: Wanted, before: int | None, rows: int, most: int) -> Search:
    """Up to `rows` decisions before a sequence. Stops after `most` that were looked through, found or not."""
    first, last = _bounds(ledger, wanted, before)
    found: list[Line] = []
    looked, end = 0, last
    records = _of_customer if wanted.customer else _newest
    for record in records(ledger, wanted, first, last):
        if len(found) == rows or looked == most:
            return Search(found, looked, end)
        looked, end = looked + 1, record.seq
        if wanted.holds(line := line_of(record)):
            found.append(line)
    return Search(found, looked, None)


def _bounds(ledger: Ledger, wanted: Wanted, before: int | None) -> tuple[int | None, int | None]:
    first = None if wanted.since is None else ledger.sequence_at(wanted.since.isoformat())
    # The letter after a day's digits: every moment of the day comes before it, and the last day of all has no next.
    after = None if wanted.until is None else ledger.sequence_at(f"{wanted.until}U")
    ends = [end for end in (before, after) if end is not None]
    return first, min(ends, default=None)


def _newest(ledger: Ledger, wanted: Wanted, first: int | None, last: int | None) -> Iterator[Record]:
    while True:
        chunk = ledger.recent(KIND, wanted.product, last, _CHUNK, first)
        yield from chunk
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1].seq


def _of_customer(ledger: Ledger, wanted: Wanted, first: int | None, last: int | None) -> Iterator[Record]:
    for record in reversed(ledger.about([wanted.customer])):
        after, before = first is None or record.seq >= first, last is None or record.seq < last
        if (record.entry.kind, record.entry.product) == (KIND, wanted.product) and after and before:
            yield record
