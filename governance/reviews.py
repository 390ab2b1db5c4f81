"""When a champion has to be looked at again: what triggers a review, by when it is due, and whose matter it becomes."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from configs.errors import InputError, Refusal
from configs.governance import Governance
from serving import champion
from serving.ledger import Entry, Ledger, canonical
from serving.retention import months_before

KIND = "review_closed"
_PERFORMANCE = ("shift_intercept", "recalibrate", "retrain")


@dataclass(frozen=True, slots=True)
class Review:
    """A review of a champion that is open: what triggered it, since when, due when, whose it is by now.

    An overdue review goes to the next of `escalate_to` each time its days have passed again.
    """

    id: str
    product: str
    version: str
    trigger: str
    told: str
    opened: str
    due: str
    owner: str
    escalations: int


def due(ledger: Ledger, product: str, rules: Governance, on: dt.date) -> list[Review]:
    """The open reviews of a product's champion on a day: one for each trigger, opened by the first record that met it
    since the last review of that trigger was closed."""
    now = champion.current(ledger, product)
    if now is None:
        return []
    closed = _closed(ledger, product, now.version)
    triggers: dict[str, tuple[str, str, str]] = {}
    for trigger, record_id, at, told in _met(ledger, product, now.version):
        if at > closed.get(trigger, "") and trigger not in triggers:
            triggers[trigger] = (record_id, at[:10], told)
    # A champion promoted anew, or any review of it, starts the clock of time again.
    since = dt.date.fromisoformat(max([now.at, *closed.values()])[:10])
    if (opened := months_before(since, -rules.review_months)) <= on:
        told = f"{rules.review_months} months since {since}"
        triggers["time"] = (f"{now.record_id}-{opened}", opened.isoformat(), told)
    return [_review(product, now.version, trigger, *found, rules, on) for trigger, found in triggers.items()]


def _met(ledger: Ledger, product: str, version: str) -> Iterator[tuple[str, str, str, str]]:
    for made in ledger.records("verdict", product):
        if made.entry.subject != version:
            continue
        body = made.body()
        told = (body.get("evidence") or [body["remedy"]])[0]
        if body.get("red_findings"):
            yield "drift", made.entry.id, made.entry.at, told
        if body["remedy"] in _PERFORMANCE:
            yield "performance", made.entry.id, made.entry.at, told
        if body["remedy"] == "fix_data":
            yield "data source", made.entry.id, made.entry.at, told


def _closed(ledger: Ledger, product: str, version: str) -> dict[str, str]:
    """Of each trigger when its last review was closed."""
    found = [made for made in ledger.records(KIND, product) if made.entry.subject == version]
    return {made.body()["trigger"]: made.entry.at for made in found}


def _review(
    product: str, version: str, trigger: str, record_id: str, opened: str, told: str, rules: Governance, on: dt.date
) -> Review:
    days = (on - dt.date.fromisoformat(opened)).days
    escalations = max(0, (days - 1) // rules.review_days) if days > 0 else 0
    owner = rules.escalate_to[min(escalations, len(rules.escalate_to) - 1)]
    until = dt.date.fromisoformat(opened) + dt.timedelta(rules.review_days * (escalations + 1))
    identity = f"review-{hashlib.sha256(f'{trigger} {record_id}'.encode()).hexdigest()[:16]}"
    return Review(identity, product, version, trigger, told, opened, until.isoformat(), owner, escalations)


def close(
    ledger: Ledger, product: str, rules: Governance, on: dt.date, review_id: str, by: str, reason: str, at: str
) -> Review:
    """Close a review with what came of it. Of several who do so at once one is on record.

    Raises InputError for one that is not open or without words, Refusal where somebody was faster.
    """
    found = next((one for one in due(ledger, product, rules, on) if one.id == review_id), None)
    if found is None:
        raise InputError(f"{product} has no open review {review_id!r}; creditloop governance reviews names them")
    if not reason.strip() or not by.strip():
        raise InputError("a review is closed with what came of it, by whom: neither may be empty")
    body = canonical({"review": review_id, "trigger": found.trigger, "by": by, "reason": reason})
    identity = f"{review_id}-closed"
    (made,) = ledger.append([Entry(identity, KIND, product, found.version, at, body, identity)])
    if not made.new:
        raise Refusal(f"{review_id} was closed by {made.body()['by']} at {made.entry.at}")
    return found
