"""The kill switch of a product: from one record in the ledger to the next, every decision is a person's.

The model still scores, so that the person sees what it says; it decides nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from configs.errors import InputError, Refusal
from serving.ledger import Entry, Ledger, Record, canonical

KIND = "referral"


@dataclass(frozen=True, slots=True)
class Referral:
    """Everything of a product is referred to a person since `at`: by whom, and why. `on` is false of its end."""

    record_id: str
    on: bool
    by: str
    reason: str
    at: str


def current(ledger: Ledger, product: str) -> Referral | None:
    """The referral in force; None where the model decides."""
    last = _last(ledger, product)
    return last if last is not None and last.on else None


def switch(ledger: Ledger, product: str, on: bool, by: str, reason: str, at: str) -> Referral:
    """Refer everything of a product to a person, or end that, on record.

    Raises InputError without a name or a reason, Refusal where it is so already, or somebody else was faster.
    """
    if not by.strip() or not reason.strip():
        raise InputError("this is on record with the name of who decides, and the reason: neither may be empty")
    last = _last(ledger, product)
    now = last if last is not None and last.on else None
    if on == (now is not None):
        told = f"goes to a person already, since {now.at}, by {now.by}" if now else "is decided by its model already"
        raise Refusal(f"{product} {told}")
    body = canonical({"on": on, "by": by, "reason": reason})
    before = None if last is None else last.record_id
    identity = f"{KIND}-{hashlib.sha256(canonical([product, on, before])).hexdigest()[:32]}"
    ledger.append([Entry(identity, KIND, product, product, at, body)], expect=(KIND, product, before))
    return Referral(identity, on, by, reason, at)


def _last(ledger: Ledger, product: str) -> Referral | None:
    record = ledger.latest(KIND, product)
    return None if record is None else _referral(record)


def _referral(record: Record) -> Referral:
    return Referral(record.entry.id, **record.body(), at=record.entry.at)
