"""Reads of personal records go on record before they are shown: of one customer sealed as theirs, of a list as one."""

from __future__ import annotations

import uuid

from console.visit import Visit
from serving import reads
from serving.ledger import Entry, canonical
from serving.live import utc_now

LIST = "(a list)"


def at_customer(visit: Visit, customer: str, what: str) -> None:
    """Somebody looks at what is on record about one customer."""
    reads.record(visit.state.ledger, customer, visit.by, f"console: {what}", utc_now())


def at_list(visit: Visit, what: str) -> None:
    """Somebody looks at a list that names customers."""
    body = canonical({"by": visit.by, "what": f"console: {what}"})
    visit.state.ledger.append([Entry(f"read-{uuid.uuid4().hex}", reads.KIND, "", LIST, utc_now(), body)])
