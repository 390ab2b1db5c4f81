"""Whom the ledger puts on the next review, beside what the raw tables say: new warnings, limits persons granted."""

from __future__ import annotations

from features.contracts import iso
from monitoring.customers import requests, watchlist
from serving.ledger import Ledger, Record


def since(ledger: Ledger, product: str, before: Record | None, as_of: int) -> tuple[frozenset[str], dict[str, float]]:
    """Customers warned of, or granted a limit, after the review `before` and by `as_of`; the limits that stand.

    What is of the day of that review, and went on record after it, is after it. Nothing is used up: the same review
    done anew calls the same customers.
    """
    day, last, made_at = iso(as_of), "", ""
    if before is not None:
        last, made_at = before.body()["as_of"], before.entry.at

    def is_new(on: str, at: str) -> bool:
        return on <= day and (on > last or at > made_at)

    found, asked = watchlist.warnings_of(ledger, product), requests.requests_of(ledger, product)
    warned = {one.customer_id for one in found if is_new(one.as_of, one.raised_at)}
    decided = {
        one.customer_id for one in asked if one.word == "approve" and is_new(one.decided_at[:10], one.decided_at)
    }
    ended = {one.customer_id for one in asked if one.word == "approve" and last <= one.until < day}
    return frozenset(warned | decided | ended), requests.granted(asked, day)
