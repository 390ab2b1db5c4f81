"""Incidents, changes and the end of a version's life, told by a named person, in the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from configs.errors import InputError, Refusal
from serving import canary, champion
from serving.ledger import Entry, Ledger, canonical

KIND = "governance_event"
EventKind = Literal["incident", "change", "retirement"]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a version: when it began, who tells of it, what was decided wrongly, what was gone back to.

    `since` and `until` bound the decisions it affected, by time; None where nothing was decided wrongly.
    """

    id: str
    kind: EventKind
    version: str
    by: str
    told: str
    since: str | None
    until: str | None
    rollback: str | None
    at: str


def record(
    ledger: Ledger,
    product: str,
    version: str,
    kind: EventKind,
    by: str,
    told: str,
    at: str,
    since: str | None = None,
    until: str | None = None,
    rollback: str | None = None,
) -> Event:
    """Put an event on record; the same one again is recorded once.

    Raises InputError without words or where it ends before it begins, Refusal for the retirement of the champion, of
    the canary, of a version that was retired before, or of which something was said while that was looked at.
    """
    if not told.strip() or not by.strip():
        raise InputError("an event is on record with what happened, and who tells of it: neither may be empty")
    if since is not None and until is not None and until < since:
        raise InputError(f"--until {until} lies before --since {since}")
    unsaid = None
    if kind == "retirement":
        unsaid = (version, ledger.head()[0])
        _may_retire(ledger, product, version)
    said = {"event": kind, "by": by, "told": told, "since": since, "until": until, "rollback": rollback}
    body = canonical(said)
    identity = f"{kind}-{hashlib.sha256(version.encode() + body).hexdigest()[:16]}"
    if kind == "retirement":
        identity = champion.retirement_id(version)  # one only, whoever is first
    (made,) = ledger.append([Entry(identity, KIND, product, version, at, body, identity)], unsaid=unsaid)
    if kind == "retirement" and not made.new:
        raise Refusal(f"{version} was retired by {made.body()['by']} at {made.entry.at}")
    return Event(made.entry.id, kind, version, by, told, since, until, rollback, made.entry.at)


def _may_retire(ledger: Ledger, product: str, version: str) -> None:
    now = champion.current(ledger, product)
    if now is not None and now.version == version:
        raise Refusal(f"{version} is the champion of {product}: promote another, or roll back, before it retires")
    beside = canary.current(ledger, product)
    if beside is not None and beside.version == version:
        raise Refusal(f"{version} is the canary of {product}: stop it before it retires")


def events(ledger: Ledger, product: str) -> Iterator[Event]:
    """Every event of a product, in order."""
    for made in ledger.records(KIND, product):
        body, entry = made.body(), made.entry
        said = (body["by"], body["told"], body["since"], body["until"], body["rollback"])
        yield Event(entry.id, body["event"], entry.subject, *said, entry.at)


def plain(event: Event) -> dict[str, str | None]:
    """An event as JSON values."""
    return asdict(event)
