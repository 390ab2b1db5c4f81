"""Who is signed in: random session names in signed cookies, kept in a file that all workers share, ended at once.

A cookie is NONCE.EXPIRES.MAC. What is kept is the SHA-256 of the nonce, so the file opens no session; whose it is, is
the hash of their key, so a revoked key ends its sessions. A visitor who is not signed in has a cookie too: their forms
carry a token bound to it, as all forms do.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from configs.console_pages import ConsolePages
from configs.whole import make_once

_TABLES = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, expires REAL NOT NULL, seen REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (address TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS attempts_by_address ON attempts (address, at);
"""
_SEEN_SECONDS = 30.0  # a session in use is written to the file no more often than this


@dataclass(frozen=True, slots=True)
class Session:
    """A visitor's browser: its nonce, when it ends (seconds since 1970), the hash of the key it is signed in with."""

    nonce: str
    expires: float
    key: str | None = None

    @property
    def id(self) -> str:
        """What it is kept under."""
        return hashlib.sha256(self.nonce.encode()).hexdigest()


class Sessions:
    """The sessions of a home. Safe for several threads and processes. Times are seconds since 1970."""

    def __init__(self, home: Path, settings: ConsolePages) -> None:
        self._settings = settings
        self._file = home / "console.db"
        self._secret = _secret(home / "console.key")
        with self._open() as db:
            db.executescript(_TABLES)
        self._file.chmod(0o600)

    def visitor(self, now: float) -> Session:
        """A new session of nobody yet."""
        return Session(secrets.token_urlsafe(24), now + 60 * self._settings.session_minutes)

    def cookie(self, session: Session) -> str:
        """The cookie's value."""
        signed = f"{session.nonce}.{session.expires:.0f}"
        return f"{signed}.{self._mac('session', signed)}"

    def read(self, cookie: str, now: float) -> Session | None:
        """The session of a cookie, with its key where it is signed in; None where it is forged or over."""
        signed, _, mac = cookie.rpartition(".")
        nonce, _, expires = signed.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac("session", signed).encode()):
            return None
        session = Session(nonce, float(expires))
        return None if session.expires <= now else Session(nonce, session.expires, self._key(session, now))

    def _key(self, session: Session, now: float) -> str | None:
        with self._open() as db:
            row = db.execute(
                "SELECT key, seen FROM sessions WHERE id = ? AND expires > ?", (session.id, now)
            ).fetchone()
            if row is None or now - row[1] > 60 * self._settings.idle_minutes:
                return None
            if now - row[1] > _SEEN_SECONDS:
                db.execute("UPDATE sessions SET seen = ? WHERE id = ?", (now, session.id))
        return str(row[0])

    def sign_in(self, key: str, now: float) -> Session:
        """A new session of the key of that hash. What is over is forgotten."""
        visitor = self.visitor(now)
        made = Session(visitor.nonce, visitor.expires, key)
        with self._open() as db:
            db.execute("DELETE FROM sessions WHERE expires <= ?", (now,))
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (made.id, key, made.expires, now))
        return made

    def sign_out(self, session: Session) -> None:
        """The session is over for whoever holds its cookie."""
        with self._open() as db:
            db.execute("DELETE FROM sessions WHERE id = ?", (session.id,))

    def token(self, session: Session) -> str:
        """What every form of this session carries."""
        return self._mac("form", session.nonce)

    def token_holds(self, session: Session, token: str) -> bool:
        """Whether a form is of this session."""
        return hmac.compare_digest(token.encode(), self.token(session).encode())

    def attempt(self, address: str, now: float) -> bool:
        """Count an attempt to sign in; whether it may be made."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")  # of many at once each sees those before it
            db.execute("DELETE FROM attempts WHERE at <= ?", (now - 60 * self._settings.sign_in_minutes,))
            made = db.execute("SELECT count(*) FROM attempts WHERE address = ?", (address,)).fetchone()[0]
            if made >= self._settings.sign_in_attempts:
                return False
            db.execute("INSERT INTO attempts VALUES (?, ?)", (address, now))
        return True

    def _mac(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose} {text}".encode(), hashlib.sha256).hexdigest()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=5)) as db, db:
            yield db


def _secret(path: Path) -> bytes:
    with suppress(FileExistsError):
        make_once(path, secrets.token_bytes(32))
    return path.read_bytes()
