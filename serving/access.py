"""API keys: made once, shown once, kept as hashes with a name and a role."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import msgspec

from configs.errors import ConfigError, InputError, nearest

Role = Literal["score", "read", "outcome", "override", "admin"]
MAY: dict[Role, frozenset[Role]] = {
    "score": frozenset({"score", "read"}),
    "read": frozenset({"read"}),
    "outcome": frozenset({"outcome"}),  # outcomes teach the next model: not the business of who asks for decisions
    "override": frozenset({"override", "read"}),
    "admin": frozenset(get_args(Role)),
}
_ID = 8


@dataclass(frozen=True, slots=True)
class Caller:
    """Who holds a key, and what the key may do."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether the key covers what `role` may do."""
        return role in MAY[self.role]


def _path(home: Path) -> Path:
    return home / "keys.json"


def _digest(key: str) -> str:
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


def create_key(home: Path, name: str, role: str) -> str:
    """A new key for `name`, replacing its former one; only its hash is kept. Raises InputError for an unknown role."""
    if role not in get_args(Role):
        raise InputError(f"role {role!r}: expected one of {', '.join(get_args(Role))}")
    key = "cl_" + secrets.token_urlsafe(32)
    kept = {digest: who for digest, who in _read(home).items() if who.name != name}
    kept[_digest(key)] = Caller(name, cast(Role, role))
    _write(home, kept)
    return key


def revoke_key(home: Path, which: str) -> Caller:
    """Forget the key of a name, or of an id (the first digits of its hash, eight at least); whose it was.

    A running service refuses it within seconds. Raises InputError unless exactly one key is meant.
    """
    kept = _read(home)
    found = [digest for digest, who in kept.items() if who.name == which]
    found = found or [digest for digest in kept if len(which) >= _ID and digest.startswith(which)]
    if len(found) != 1:
        hint = nearest(which, [who.name for who in kept.values()]) or "; creditloop keys list names them"
        raise InputError(f"{which!r} is {'no' if not found else 'more than one'} key's name or id{hint}")
    gone = kept.pop(found[0])
    _write(home, kept)
    return gone


def key_id(digest: str) -> str:
    """What a key is called where its hash is too long."""
    return digest[:_ID]


def load_keys(home: Path) -> dict[str, Caller]:
    """The callers by the hash of their key. Raises ConfigError where the file is damaged."""
    return _read(home)


def caller(keys: dict[str, Caller], authorization: str) -> Caller | None:
    """Who an `Authorization: Bearer KEY` header belongs to. Keys are 256 random bits looked up by hash."""
    scheme, _, key = authorization.partition(" ")
    return keys.get(_digest(key.strip())) if scheme.lower() == "bearer" else None
