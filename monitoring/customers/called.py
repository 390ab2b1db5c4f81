"""Whom the ledger puts on the next review, beside what the raw tables say: new warnings, limits persons granted."""

from __future__ import annotations

from features.contracts import iso
from monitoring.customers import requests, watchlist
from serving.ledger import Ledger, Record


def since(ledger: Ledger, product: str, before: Record | None, as_of: int) -> tuple[frozenset[str], dict[str, float]]:
    """Customers warned of, or granted a limit, after the review `before` and by `as_of`; the limits that stand.

    Nothing is used up: the same review done anew calls the same customers.
    """
    day, last = iso(as_of), "" if before is None else before.body()["as_of"]
    warned = {one.customer_id for one in watchlist.warnings_of(ledger, product) if last < one.as_of <= day}
    asked = requests.requests_of(ledger, product)
    decided = {one.customer_id for one in asked if one.word == "approve" and last < one.decided_at[:10] <= day}
    ended = {one.customer_id for one in asked if one.word == "approve" and last <= one.until < day}
    return frozenset(warned | decided | ended), requests.granted(asked, day)
