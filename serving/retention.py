"""How long a customer's records stay readable, and what keeps them so: retention by kind, and legal holds.

Records about a customer are sealed under one key (vault.py), so what ends is the customer: when the last of their
records is past its time, and no hold stands.
"""

from __future__ import annotations

import calendar
import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from configs.errors import InputError, Refusal
from configs.governance import Retention
from serving.ledger import HOLD, RELEASED, Entry, Ledger, canonical
from serving.reads import KIND as READ

_NO_CLOCK = {READ, HOLD, RELEASED}  # neither a look nor a hold makes what was decided younger


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps a customer's records from erasure: who said so, why, and who let go of it."""

    id: str
    customer: str
    by: str
    reason: str
    at: str
    released_by: str | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """A customer all of whose records are past their time: how many these are, and the hold that keeps them."""

    customer: str
    records: int
    newest: str
    held: bool


def hold(ledger: Ledger, customer: str, by: str, reason: str, at: str) -> Hold:
    """Keep a customer's records from erasure. Raises InputError without a reason or any record of the customer."""
    if not reason.strip() or not by.strip():
        raise InputError("a hold is on record with who says so, and the reason: neither may be empty")
    if not ledger.about([customer]):
        raise InputError(f"the ledger holds no record of a customer {customer!r}")
    identity = f"hold-{uuid.uuid4().hex[:16]}"
    body = canonical({"by": by, "reason": reason})
    ledger.append([Entry(identity, HOLD, "", customer, at, body, personal=True)])
    return Hold(identity, customer, by, reason, at)


def release(ledger: Ledger, hold_id: str, by: str, reason: str, at: str) -> Hold:
    """Let go of a hold. Of several who do so at once one is on record. Raises InputError or Refusal."""
    found = next((one for one in holds(ledger) if one.id == hold_id), None)
    if found is None:
        raise InputError(f"there is no hold {hold_id!r}; creditloop decisions holds names them")
    if not reason.strip() or not by.strip():
        raise InputError("a hold is released with who says so, and the reason: neither may be empty")
    identity = f"{hold_id}-released"
    body = canonical({"hold": hold_id, "by": by, "reason": reason})
    (made,) = ledger.append([Entry(identity, RELEASED, "", found.customer, at, body, identity, personal=True)])
    if not made.new:
        raise Refusal(f"{hold_id} was released by {made.body()['by']} at {made.entry.at}")
    return Hold(found.id, found.customer, found.by, found.reason, found.at, by)


def holds(ledger: Ledger) -> list[Hold]:
    """Every hold that was ever placed on a customer who is not erased."""
    let_go = {body["hold"]: body["by"] for body in (made.body() for made in ledger.records(RELEASED))}
    placed = ((made.entry, made.body()) for made in ledger.records(HOLD))
    return [
        Hold(entry.id, entry.subject, body["by"], body["reason"], entry.at, let_go.get(entry.id))
        for entry, body in placed
    ]


def expired(ledger: Ledger, rules: Retention, on: dt.date) -> list[Expired]:
    """The customers whose records were all past their time before `on`, by name."""
    newest: dict[str, dict[str, str]] = defaultdict(dict)
    count: dict[str, int] = defaultdict(int)
    for customer, kind, last, records in ledger.newest_by_customer():
        newest[customer][kind] = last
        count[customer] += records
    kept = {one.customer for one in holds(ledger) if one.released_by is None}
    return [
        Expired(customer, count[customer], max(kinds.values()), customer in kept)
        for customer, kinds in sorted(newest.items())
        if _is_past(kinds, rules, on)
    ]


def erase(ledger: Ledger, found: Iterable[Expired], by: str, reason: str, at: str) -> tuple[list[Expired], list[str]]:
    """Erase those who were found past their time and under no hold; who is gone, and why others are left.

    Who has come back since, or is held by now, is left: what was found is looked at again with each erasure.
    """
    gone, left = [], []
    for one in found:
        if one.held:
            continue
        try:
            ledger.erase(one.customer, by, reason, at, one.records)
            gone.append(one)
        except Refusal as why:
            left.append(str(why))
    return gone, left


def _is_past(kinds: dict[str, str], rules: Retention, on: dt.date) -> bool:
    clocks = {kind: last for kind, last in kinds.items() if kind not in _NO_CLOCK} or kinds
    return all(
        dt.date.fromisoformat(last[:10]) < months_before(on, rules.months.get(kind, rules.other))
        for kind, last in clocks.items()
    )


def months_before(day: dt.date, months: int) -> dt.date:
    """The same day of the month so many months earlier, or that month's last.

    >>> months_before(dt.date(2026, 3, 31), 13)
    datetime.date(2025, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
