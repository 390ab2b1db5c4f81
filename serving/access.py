"""API keys: made once, shown once, kept as hashes with a name and a role."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from configs.errors import InputError

Role = Literal["score", "read", "admin"]
MAY = {"score": {"score", "read"}, "read": {"read"}, "admin": {"score", "read", "admin"}}


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


def _read(home: Path) -> dict[str, dict[str, str]]:
    path = _path(home)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def create_key(home: Path, name: str, role: str) -> str:
    """A new key for `name`, replacing its former one; only its hash is kept. Raises InputError for an unknown role."""
    if role not in get_args(Role):
        raise InputError(f"role {role!r}: expected one of {', '.join(get_args(Role))}")
    key = "cl_" + secrets.token_urlsafe(32)
    kept = {digest: who for digest, who in _read(home).items() if who["name"] != name}
    kept[_digest(key)] = {"name": name, "role": role}
    home.mkdir(parents=True, exist_ok=True)
    unfinished = _path(home).with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)  # one that was left behind keeps the mode it had
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(kept, indent=1, sort_keys=True), encoding="utf-8")
    unfinished.replace(_path(home))
    return key


def load_keys(home: Path) -> dict[str, Caller]:
    """The callers by the hash of their key."""
    return {digest: Caller(who["name"], who["role"]) for digest, who in _read(home).items()}  # type: ignore[arg-type]


def caller(keys: dict[str, Caller], authorization: str) -> Caller | None:
    """Who an `Authorization: Bearer KEY` header belongs to. Keys are 256 random bits looked up by hash."""
    scheme, _, key = authorization.partition(" ")
    return keys.get(_digest(key.strip())) if scheme.lower() == "bearer" else None
