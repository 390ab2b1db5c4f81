"""Keys of machines and persons: made once, shown once, kept as hashes with a name and a role; what each role may do."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import msgspec

from configs.errors import ConfigError, InputError, nearest
from configs.lock import in_turn
from configs.persons import known_as

Machine = Literal["score", "read", "outcome", "override", "admin"]
PersonRole = Literal["developer", "validator", "approver", "risk", "auditor"]
Role = Literal[Machine, PersonRole]
Action = Literal[
    "score",
    "read",
    "outcome",
    "override",
    "admin",
    "train",
    "validate",
    "approve",
    "waive",
    "promote",
    "rollback",
    "refer",
    "overlay",
    "customers",
    "erase",
    "hold",
    "review",
    "incident",
    "retire",
    "keys",
]
# Who makes a model does not approve it, who approves it does not find its faults closed, who audits changes nothing
# but a hold. An administrator may do all, and yet is only one pair of eyes.
ACTIONS: dict[Action, frozenset[Role]] = {
    "score": frozenset({"score", "admin"}),  # ask for decisions
    "read": frozenset({"score", "read", "override", *get_args(PersonRole), "admin"}),  # look up what is on record
    "outcome": frozenset({"outcome", "admin"}),  # teaches the next model: not the business of who asks for decisions
    "override": frozenset({"override", "risk", "admin"}),  # decide otherwise than the policy did
    "admin": frozenset({"admin"}),
    "train": frozenset({"developer", "admin"}),  # make a version
    "validate": frozenset({"validator", "auditor", "admin"}),  # raise and close findings
    "approve": frozenset({"validator", "approver", "admin"}),  # say yes or no to a version
    "waive": frozenset({"approver", "risk", "admin"}),  # let a version pass that the gate did not
    "promote": frozenset({"approver", "admin"}),  # make a version the champion
    "rollback": frozenset({"approver", "risk", "admin"}),  # go back to the former one: needs one name
    "refer": frozenset({"approver", "risk", "admin"}),  # let persons decide in place of the model
    "overlay": frozenset({"risk", "admin"}),  # adjust what a model says, for a time
    "customers": frozenset({"risk", "admin"}),  # warnings and collections
    "erase": frozenset({"risk", "admin"}),  # make records unreadable
    "hold": frozenset({"risk", "auditor", "admin"}),  # keep records from that
    "review": frozenset({"validator", "risk", "approver", "admin"}),  # close a review that a trigger opened
    "incident": frozenset({"developer", "validator", "approver", "risk", "admin"}),  # tell of one
    "retire": frozenset({"approver", "admin"}),  # end a version's life
    "keys": frozenset({"admin"}),  # make and revoke keys
}
ROLES: tuple[Role, ...] = (*get_args(Machine), *get_args(PersonRole))
PERSONS: frozenset[Role] = frozenset({*get_args(PersonRole), "admin"})
_ID = 8


@dataclass(frozen=True, slots=True)
class Caller:
    """Who holds a key, and what the key may do."""

    name: str
    role: Role

    def may(self, action: Action) -> bool:
        """Whether the role allows it."""
        return self.role in ACTIONS[action]

    @property
    def is_person(self) -> bool:
        """Whether the key is a person's, who answers for what they do; else a machine's."""
        return self.role in PERSONS


def _path(home: Path) -> Path:
    return home / "keys.json"


def digest_of(key: str) -> str:
    """The hash by which a key is kept."""
    return hashlib.sha256(key.encode()).hexdigest()


def _read(home: Path) -> dict[str, Caller]:
    path = _path(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Caller]) if path.exists() else {}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: not a file of API keys: {error}; restore it from a backup, or move it away and make the keys "
            "anew: creditloop keys create NAME --role ROLE"
        ) from None


def _write(home: Path, kept: dict[str, Caller]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    unfinished = _path(home).with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)  # one that was left behind keeps the mode it had
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(kept, order="sorted"), indent=1))
    unfinished.replace(_path(home))


def _changing(home: Path) -> AbstractContextManager[None]:
    """One change at a time: of two at once the later would bring back a key that the other revoked."""
    return in_turn(home / "keys.lock")


def create_key(home: Path, name: str, role: str, told: Callable[[str, Caller], object] = lambda *_: None) -> str:
    """A new key for `name`, replacing its former one; only its hash is kept.

    `told` hears of its hash and holder before it counts: where that fails, the former key stays. Raises InputError for
    an unknown role or an empty name.
    """
    if role not in ROLES:
        raise InputError(f"role {role!r}: expected one of {', '.join(ROLES)}")
    if not (name := name.strip()):
        raise InputError("a key belongs to somebody: the name must not be empty")
    key = "cl_" + secrets.token_urlsafe(32)
    digest, holder = digest_of(key), Caller(name, role)
    with _changing(home):
        kept = {digest: who for digest, who in _read(home).items() if known_as(who.name) != known_as(name)}
        told(digest, holder)
        kept[digest] = holder
        _write(home, kept)
    return key


def revoke_key(home: Path, which: str) -> tuple[str, Caller]:
    """Forget the key of a name, or of an id (the first digits of its hash, eight at least); its hash, whose it was.

    A running service refuses it within seconds. Raises InputError unless exactly one key is meant.
    """
    with _changing(home):
        kept = _read(home)
        found = [digest for digest, who in kept.items() if who.name == which]
        found = found or [digest for digest in kept if len(which) >= _ID and digest.startswith(which)]
        if len(found) != 1:
            hint = nearest(which, [who.name for who in kept.values()]) or "; creditloop keys list names them"
            raise InputError(f"{which!r} is {'no' if not found else 'more than one'} key's name or id{hint}")
        gone = kept.pop(found[0])
        _write(home, kept)
    return found[0], gone


def key_id(digest: str) -> str:
    """What a key is called where its hash is too long."""
    return digest[:_ID]


def load_keys(home: Path) -> dict[str, Caller]:
    """The callers by the hash of their key. Raises ConfigError where the file is damaged."""
    return _read(home)


def caller(keys: dict[str, Caller], authorization: str) -> Caller | None:
    """Who an `Authorization: Bearer KEY` header belongs to. Keys are 256 random bits looked up by hash."""
    scheme, _, key = authorization.partition(" ")
    return keys.get(digest_of(key.strip())) if scheme.lower() == "bearer" else None


def person(keys: dict[str, Caller], key: str) -> Caller | None:
    """The person a key belongs to; None where it is nobody's, or a machine's."""
    found = keys.get(digest_of(key.strip()))
    return found if found is not None and found.is_person else None
