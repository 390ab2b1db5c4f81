"""What a validator or an auditor found about a version: how grave, to be mended by when. What is open may block."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from configs.errors import InputError, Refusal, nearest
from configs.governance import Severity
from configs.persons import known_as
from serving import authorship
from serving.ledger import Entry, Ledger, Record, canonical
from training.bundle import Bundle

KIND, CLOSED = "finding", "finding_closed"
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
State = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: about which version, how grave, due by when, what, by whom; and how it was closed."""

    id: str
    version: str
    severity: Severity
    due: str
    text: str
    by: str
    at: str
    state: State = "open"
    closed_by: str | None = None
    closed_at: str | None = None
    remedy: str | None = None


def add(ledger: Ledger, bundle: Bundle, severity: Severity, due: dt.date, text: str, by: str, at: str) -> Finding:
    """Record a finding about a version; the same one again is recorded once.

    Raises InputError without words, Refusal where that finding was closed: it would not be open again.
    """
    if not text.strip() or not by.strip():
        raise InputError("a finding says what was found, and by whom: neither may be empty")
    said = {"severity": severity, "due": due.isoformat(), "text": text, "by": by, "digest": bundle.digest}
    body = canonical(said)
    identity = f"finding-{hashlib.sha256(bundle.version.encode() + body).hexdigest()[:16]}"
    ledger.append([Entry(identity, KIND, bundle.product, bundle.version, at, body, identity)])
    found = next(one for one in findings(ledger, bundle.product) if one.id == identity)
    if found.state == "closed":
        told = f"{identity} was closed by {found.closed_by} at {found.closed_at}: say what is found now, or by when"
        raise Refusal(f"{told} it is due now")
    return found


def close(ledger: Ledger, product: str, finding_id: str, remedy: str, by: str, at: str) -> Finding:
    """Close a finding with what was done about it. Of several who do so at once one is on record.

    Raises InputError for one there is not or without words, Refusal where it is closed already, or where `by` made
    the version.
    """
    known = {one.id: one for one in findings(ledger, product)}
    if finding_id not in known:
        hint = nearest(finding_id, list(known)) or "; creditloop models finding list names them"
        raise InputError(f"{product} has no finding {finding_id!r}{hint}")
    found = known[finding_id]
    if not remedy.strip() or not by.strip():
        raise InputError("a finding is closed with what was done about it, by whom: neither may be empty")
    maker = authorship.author(ledger, found.version)
    if maker is not None and known_as(maker) == known_as(by):
        raise Refusal(f"{found.version} was trained by {maker}, who does not close what others found about it")
    body = canonical({"finding": finding_id, "by": by, "remedy": remedy})
    identity = f"{finding_id}-closed"
    (made,) = ledger.append([Entry(identity, CLOSED, product, found.version, at, body, identity)])
    if not made.new:
        raise Refusal(f"{finding_id} was closed by {made.body()['by']} at {made.entry.at}")
    return _closed(found, made)


def findings(ledger: Ledger, product: str) -> list[Finding]:
    """Every finding about the versions of a product, in order, as it stands."""
    found = {made.entry.id: _finding(made) for made in ledger.records(KIND, product)}
    for made in ledger.records(CLOSED, product):
        which = made.body()["finding"]
        found[which] = _closed(found[which], made)
    return list(found.values())


def blocking(found: Iterable[Finding], version: str, severity: Severity, on: dt.date) -> list[Finding]:
    """The open findings about a version that stop its promotion: as grave as `severity` or more, or overdue."""
    grave = SEVERITIES[SEVERITIES.index(severity) :]
    return [
        one
        for one in found
        if one.version == version and one.state == "open" and (one.severity in grave or is_overdue(one, on))
    ]


def is_overdue(one: Finding, on: dt.date) -> bool:
    """Whether a finding is open after its due date."""
    return one.state == "open" and dt.date.fromisoformat(one.due) < on


def require_none(ledger: Ledger, bundle: Bundle, severity: Severity, on: dt.date) -> None:
    """Raise Refusal where an open finding blocks the version."""
    if found := blocking(findings(ledger, bundle.product), bundle.version, severity, on):
        told = "; ".join(f"{one.id}, {one.severity}, due {one.due}: {one.text}" for one in found)
        raise Refusal(f"{bundle.version} has open findings ({told}); creditloop models finding close closes one")


def _finding(made: Record) -> Finding:
    body, entry = made.body(), made.entry
    return Finding(entry.id, entry.subject, body["severity"], body["due"], body["text"], body["by"], entry.at)


def _closed(found: Finding, made: Record) -> Finding:
    body = made.body()
    return replace(found, state="closed", closed_by=body["by"], closed_at=made.entry.at, remedy=body["remedy"])
