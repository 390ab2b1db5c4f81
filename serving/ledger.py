"""The one record of what was decided, promoted and observed: append-only, hash-chained, acknowledged only once durable.

Each record's hash covers its columns, the SHA-256 of its body and the hash before it:
h_n = SHA256(0x00 || canonical JSON of [seq, id, kind, product, subject, at, key, SHA256(body), h_(n-1)]).
Whoever changes, deletes or reorders a record breaks every hash after it. A cut-off tail shows only against a head
that was kept elsewhere: keep the head that `verify` prints.
"""

from __future__ import annotations

import hashlib
import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from configs.errors import ConfigError, CreditloopError, Refusal

_START = "0" * 64

_METADATA = sa.MetaData()
RECORDS = sa.Table(
    "records",
    _METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("product", sa.String, nullable=False),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("idempotency_key", sa.String, unique=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("previous", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Index("records_by_kind", "kind", "product", "seq"),
    sa.Index("records_by_subject", "subject", "seq"),
)
_RECORDED_BEFORE = """
WHEN NEW.seq <= (SELECT max(seq) FROM records)
  OR EXISTS (SELECT 1 FROM records WHERE id = NEW.id OR idempotency_key = NEW.idempotency_key)
"""
# INSERT OR REPLACE deletes what it replaces, and asks no DELETE trigger.
_REFUSED = {"UPDATE": "", "DELETE": "", "INSERT": _RECORDED_BEFORE}
_ONLY_APPEND = """
CREATE TRIGGER IF NOT EXISTS records_no_{verb} BEFORE {verb} ON records {when}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
"""
_AS_STORED = sa.select(
    *(column for column in RECORDS.c if column.name != "body"),
    sa.type_coerce(RECORDS.c.body, sa.types.NullType()).label("body"),  # whatever lies there, not made into bytes
).order_by(RECORDS.c.seq)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded. `subject` is the customer or model version it is about; `body` canonical JSON."""

    id: str
    kind: str
    product: str
    subject: str
    at: str
    body: bytes
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A recorded entry, its place in the chain, and whether this call wrote it or found it under the same key."""

    seq: int
    entry: Entry
    hash: str
    new: bool = True

    def body(self) -> Any:
        """The body as values."""
        return msgspec.json.decode(self.entry.body)


class LedgerError(CreditloopError):
    """The ledger cannot be read or written; nothing that was not recorded may be answered."""


def canonical(values: Any) -> bytes:
    """JSON with sorted keys and shortest exact floats: the same values give the same bytes."""
    return msgspec.json.encode(values, order="sorted")


def entry_hash(seq: int, entry: Entry, previous: str) -> str:
    """The hash of one record, as the module says."""
    body = hashlib.sha256(entry.body).hexdigest()
    columns = [seq, entry.id, entry.kind, entry.product, entry.subject, entry.at, entry.idempotency_key]
    return hashlib.sha256(b"\x00" + canonical([*columns, body, previous])).hexdigest()


class Ledger:
    """One ledger database. Safe for several threads and processes: writers take turns in the database."""

    def __init__(self, url: str) -> None:
        if not url.startswith("sqlite:///"):
            raise ConfigError(f"stores.ledger: {url!r}: this release keeps its ledger in SQLite (sqlite:///PATH)")
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self._engine = sa.create_engine(url, connect_args={"timeout": 30})
        sa.event.listen(self._engine, "connect", _configure)
        sa.event.listen(self._engine, "begin", _begin)
        with self._writing() as connection:
            _METADATA.create_all(connection)
            for verb, when in _REFUSED.items():
                connection.exec_driver_sql(_ONLY_APPEND.format(verb=verb, when=when))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def append(self, entries: Sequence[Entry], expect: tuple[str, str, str | None] | None = None) -> list[Record]:
        """Record `entries` in order, durably, all or none; one that repeats an idempotency key gives the first record.

        `expect` (kind, product, id) demands that the latest record of that kind and product is `id` (None: that
        there is none), else Refusal: compare and swap. Raises LedgerError where the database cannot commit.
        """
        with self._writing() as connection:
            if expect is not None:
                _hold(connection, *expect)
            return _append(connection, entries)

    def latest(self, kind: str, product: str) -> Record | None:
        """The newest record of a kind for a product."""
        of_kind = sa.select(RECORDS).where(RECORDS.c.kind == kind, RECORDS.c.product == product)
        return self._first(of_kind.order_by(RECORDS.c.seq.desc()).limit(1))

    def by_id(self, record_id: str) -> Record | None:
        """The record `record_id`."""
        return self._first(sa.select(RECORDS).where(RECORDS.c.id == record_id))

    def by_key(self, key: str) -> Record | None:
        """The record first made under an idempotency key."""
        return self._first(sa.select(RECORDS).where(RECORDS.c.idempotency_key == key))

    def records(self, kind: str | None = None, product: str | None = None) -> Iterator[Record]:
        """Records in order, streamed; of one kind and product where given."""
        query = sa.select(RECORDS).order_by(RECORDS.c.seq)
        if kind is not None:
            query = query.where(RECORDS.c.kind == kind)
        if product is not None:
            query = query.where(RECORDS.c.product == product)
        with self._reading() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                yield _record(row)

    def verify(self) -> tuple[int, str]:
        """Recompute every hash; the number of records and the head. Raises LedgerError at the first broken one."""
        seq, previous = 0, _START
        with self._reading() as connection:
            for row in connection.execution_options(yield_per=1000).execute(_AS_STORED):
                seq += 1
                if row.seq != seq:
                    raise LedgerError(f"record {seq} is missing: the chain goes on at {row.seq}")
                if not _intact(row, previous):
                    raise LedgerError(f"record {seq} ({row.kind} {row.id}) is not what was written")
                previous = row.hash
        return seq, previous

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with (
            _told("record"),
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with _told("be read"), self._engine.connect() as connection:
            yield connection

    def _first(self, query: sa.Select[Any]) -> Record | None:
        with self._reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _record(row)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """The database's own word for what went wrong, without the statement: that would hold applicants' data."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        raise LedgerError(f"the ledger could not {what}: {cause.__class__.__name__}: {cause}") from None


def _configure(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says, not where the driver guesses
    connection.text_factory = _text
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _text(stored: bytes) -> str:
    return stored.decode(errors="surrogateescape")  # bytes that are no text are for `verify` to name, not the driver


def _begin(connection: sa.Connection) -> None:
    # A writer takes its turn before it reads the head of the chain; a reader never waits.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _record(row: Any) -> Record:
    entry = Entry(row.id, row.kind, row.product, row.subject, row.at, row.body, row.idempotency_key)
    return Record(row.seq, entry, row.hash)


def _intact(row: Any, previous: str) -> bool:
    try:
        return bool(row.previous == previous and row.hash == entry_hash(row.seq, _record(row).entry, previous))
    except (TypeError, UnicodeEncodeError):  # a value of a kind that is never written
        return False


def _hold(connection: sa.Connection, kind: str, product: str, record_id: str | None) -> None:
    of_kind = sa.select(RECORDS.c.id).where(RECORDS.c.kind == kind, RECORDS.c.product == product)
    found = connection.execute(of_kind.order_by(RECORDS.c.seq.desc()).limit(1)).scalar()
    if found != record_id:
        raise Refusal(f"the latest {kind} of {product} is {found}, not {record_id}: somebody was faster; look again")


def _append(connection: sa.Connection, entries: Sequence[Entry]) -> list[Record]:
    known = _already(connection, [entry.idempotency_key for entry in entries if entry.idempotency_key])
    head = connection.execute(sa.select(RECORDS.c.seq, RECORDS.c.hash).order_by(RECORDS.c.seq.desc()).limit(1)).first()
    seq, previous = (head.seq, head.hash) if head else (0, _START)
    rows, result = [], []
    for entry in entries:
        if entry.idempotency_key in known:
            found = known[entry.idempotency_key]
            result.append(Record(found.seq, found.entry, found.hash, new=False))
            continue
        seq += 1
        digest = entry_hash(seq, entry, previous)
        rows.append(
            {
                "seq": seq,
                "id": entry.id,
                "kind": entry.kind,
                "product": entry.product,
                "subject": entry.subject,
                "at": entry.at,
                "idempotency_key": entry.idempotency_key,
                "body": entry.body,
                "previous": previous,
                "hash": digest,
            }
        )
        previous = digest
        result.append(Record(seq, entry, digest))
        if entry.idempotency_key:
            known[entry.idempotency_key] = result[-1]
    if rows:
        connection.execute(RECORDS.insert(), rows)
    return result


def _already(connection: sa.Connection, keys: list[str]) -> dict[str | None, Record]:
    if not keys:
        return {}
    found = connection.execute(sa.select(RECORDS).where(RECORDS.c.idempotency_key.in_(keys)))
    return {row.idempotency_key: _record(row) for row in found}


class Writer:
    """Group commit: one thread that records whatever waits in one transaction, then tells each caller."""

    def __init__(self, ledger: Ledger, batch: int) -> None:
        self._ledger = ledger
        self._batch = batch
        self._waiting: queue.SimpleQueue[tuple[Entry, Future[Record]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, entry: Entry) -> Future[Record]:
        """Queue `entry`; the future holds its record once the commit is durable, or the LedgerError.

        It cannot be cancelled: a caller that no longer waits neither unmakes the record nor stops the writer.
        """
        done: Future[Record] = Future()
        done.set_running_or_notify_cancel()
        self._waiting.put((entry, done))
        return done

    def close(self) -> None:
        """Record what still waits, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group = [first]
            stop = False
            while len(group) < self._batch and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    stop = True
                    break
                group.append(following)
            self._commit(group)
            if stop:
                return

    def _commit(self, group: list[tuple[Entry, Future[Record]]]) -> None:
        try:
            records = self._ledger.append([entry for entry, _ in group])
        except Exception as error:  # whatever it is, every caller must hear that nothing was recorded
            for _, done in group:
                done.set_exception(error)
            return
        for (_, done), record in zip(group, records, strict=True):
            done.set_result(record)
