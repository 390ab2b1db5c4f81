"""Who may do what since when: every key that is made or revoked is a record, so that none comes in silently."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from configs.persons import known_as
from serving import access
from serving.access import Caller
from serving.identity import Person
from serving.ledger import Entry, Ledger, canonical

KIND = "key"


@dataclass(frozen=True, slots=True)
class Change:
    """A key that was made or revoked: whose it is, by whom and when; `by` is None where nobody had to say.

    `by_role` is the role of whoever did it, `named` where no key proved the name.
    """

    act: str
    key_id: str
    name: str
    role: str
    by: str | None
    by_role: str | None
    at: str


def make(ledger: Ledger, home: Path, name: str, role: str, by: Person | None, at: str) -> str:
    """A new key, on record before it counts. Raises as `access.create_key` does, and as the ledger does."""
    return access.create_key(home, name, role, lambda digest, who: _record(ledger, "made", digest, who, by, at))


def ended(ledger: Ledger, digest: str, who: Caller, by: Person | None, at: str) -> None:
    """Put on record that the key of a hash was revoked."""
    _record(ledger, "revoked", digest, who, by, at)


def changes(ledger: Ledger, most: int) -> list[Change]:
    """The keys made or revoked last, `most` of them, the newest first."""
    return [
        Change(key_id=access.key_id(one.entry.subject), **one.body(), at=one.entry.at)
        for one in ledger.recent(KIND, "", limit=most)
    ]


def unrecorded(ledger: Ledger, home: Path) -> list[Caller]:
    """Whose keys are in use though no record says that they were made so, or one says that they ended since.

    A new key of a name ends the former. Where there was an administrator, a key that nobody made was not made so.
    """
    stand: dict[str, tuple[str, Caller]] = {}
    for record in ledger.records(KIND):
        body = record.body()
        who = Caller(body["name"], body["role"])
        if body["act"] == "made":
            kept = any(other.role == "admin" for _, other in stand.values())
            if body["by_role"] is not None or not kept:
                stand[known_as(who.name)] = record.entry.subject, who
        elif stand.get(known_as(who.name), ("", who))[0] == record.entry.subject:
            del stand[known_as(who.name)]
    recorded = dict(stand.values())
    return [who for digest, who in access.load_keys(home).items() if recorded.get(digest) != who]


def _record(ledger: Ledger, act: str, digest: str, who: Caller, by: Person | None, at: str) -> None:
    name, role = (None, None) if by is None else (by.name or None, by.role)
    body = canonical({"act": act, "name": who.name, "role": who.role, "by": name, "by_role": role})
    # The subject is the key's hash, not the name: a customer may be called as a person is.
    ledger.append([Entry(f"{KIND}-{uuid.uuid4().hex}", KIND, "", digest, at, body)])
