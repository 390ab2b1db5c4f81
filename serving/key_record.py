"""Who may do what since when: every key that is made or revoked is a record, so that none comes in silently."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from configs.persons import known_as
from serving import access
from serving.access import Caller
from serving.ledger import Entry, Ledger, canonical

KIND = "key"


@dataclass(frozen=True, slots=True)
class Change:
    """A key that was made or revoked: whose it is, by whom and when; `by` is None where nobody had to say."""

    act: str
    key_id: str
    name: str
    role: str
    by: str | None
    at: str


def make(ledger: Ledger, home: Path, name: str, role: str, by: str | None, at: str) -> str:
    """A new key, on record before anybody sees it. Raises as `access.create_key` does."""
    key = access.create_key(home, name, role)
    digest = access.digest_of(key)
    _record(ledger, "made", digest, access.load_keys(home)[digest], by, at)
    return key


def ended(ledger: Ledger, digest: str, who: Caller, by: str | None, at: str) -> None:
    """Put on record that the key of a hash was revoked."""
    _record(ledger, "revoked", digest, who, by, at)


def changes(ledger: Ledger) -> Iterator[Change]:
    """Every key made or revoked, in order."""
    for record in ledger.records(KIND):
        body, entry = record.body(), record.entry
        yield Change(body["act"], access.key_id(entry.subject), body["name"], body["role"], body["by"], entry.at)


def unrecorded(ledger: Ledger, home: Path) -> list[Caller]:
    """Whose keys are in use though no record says that they were made so, or one says that they ended since.

    A new key of a name ends the former.
    """
    stand: dict[str, tuple[str, Caller]] = {}
    for record in ledger.records(KIND):
        body = record.body()
        who = Caller(body["name"], body["role"])
        if body["act"] == "made":
            stand[known_as(who.name)] = record.entry.subject, who
        elif stand.get(known_as(who.name), ("", who))[0] == record.entry.subject:
            del stand[known_as(who.name)]
    recorded = dict(stand.values())
    return [who for digest, who in access.load_keys(home).items() if recorded.get(digest) != who]


def _record(ledger: Ledger, act: str, digest: str, who: Caller, by: str | None, at: str) -> None:
    body = canonical({"act": act, "name": who.name, "role": who.role, "by": by})
    # The subject is the key's hash, not the name: a customer may be called as a person is.
    ledger.append([Entry(f"{KIND}-{uuid.uuid4().hex}", KIND, "", digest, at, body)])
