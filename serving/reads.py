"""Who looked at a customer's records, when and how: every read of them is a record itself, sealed as they are."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from serving.ledger import Entry, Ledger, canonical

KIND = "read"


@dataclass(frozen=True, slots=True)
class Read:
    """One look at a customer's records: by whom, and what was looked at."""

    customer: str
    by: str
    what: str
    at: str


def entry_of(customer: str, by: str, what: str, at: str) -> Entry:
    """The ledger's entry of a read. It belongs to no product, so it stands in no credit file."""
    body = canonical({"by": by, "what": what})
    return Entry(f"read-{uuid.uuid4().hex}", KIND, "", customer, at, body, personal=True)


def record(ledger: Ledger, customer: str, by: str, what: str, at: str) -> None:
    """Put a read on record, before what is read is shown."""
    ledger.append([entry_of(customer, by, what, at)])


def reads(ledger: Ledger, customer: str | None = None) -> Iterator[Read]:
    """Every read in order, of one customer where given."""
    found = ledger.records(KIND) if customer is None else ledger.about([customer])
    for made in found:
        if made.entry.kind == KIND and not made.erased:
            body = made.body()
            yield Read(made.entry.subject, body["by"], body["what"], made.entry.at)
