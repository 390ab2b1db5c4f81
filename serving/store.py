"""The database under the ledger: records and customers' keys, how a transaction goes, what it refuses by itself.

SQLite or PostgreSQL, by URL. In both a writer takes its turn before it reads the head of the chain, readers never
wait, and a commit has reached the disk when it returns. PostgreSQL's own `fsync` must be on for that.
"""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from configs.errors import ConfigError

_METADATA = sa.MetaData()
RECORDS = sa.Table(
    "records",
    _METADATA,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
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
CUSTOMERS = sa.Table(  # not of the chain: a row goes when the customer is erased
    "customer_keys",
    _METADATA,
    sa.Column("pseudonym", sa.String, primary_key=True),
    sa.Column("customer", sa.String, nullable=False, unique=True),
    sa.Column("sealed_key", sa.LargeBinary, nullable=False),
)
AS_STORED = sa.select(  # in the order of RECORDS; a body is whatever lies there, not made into bytes
    *(sa.type_coerce(c, sa.types.NullType()).label("body") if c.name == "body" else c for c in RECORDS.c)
).order_by(RECORDS.c.seq)

_RECORDED_BEFORE = """NEW.seq <= (SELECT max(seq) FROM records)
  OR EXISTS (SELECT 1 FROM records WHERE id = NEW.id OR idempotency_key = NEW.idempotency_key)"""
# INSERT OR REPLACE deletes what it replaces, and asks no DELETE trigger.
_SQLITE_REFUSES = {"UPDATE": "", "DELETE": "", "INSERT": f"WHEN {_RECORDED_BEFORE}"}
_SQLITE_TRIGGER = """
CREATE TRIGGER IF NOT EXISTS records_no_{verb} BEFORE {verb} ON records {when}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
"""
_WAITS = "PRAGMA busy_timeout=30000"
_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION records_only_append() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$
"""
_POSTGRES_REFUSES = {
    "update": "BEFORE UPDATE ON records FOR EACH STATEMENT",
    "delete": "BEFORE DELETE ON records FOR EACH STATEMENT",
    "truncate": "BEFORE TRUNCATE ON records FOR EACH STATEMENT",
}
_POSTGRES_TRIGGERS = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'records'::regclass"
_POSTGRES_SESSION = (
    "SET lock_timeout = '30s'",
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 45.0  # a writer waits no longer for the server's next word: a little more than for its turn
_MACHINE_IS_GONE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}
_TURN = 0x6372656469746C6F  # the advisory lock of this ledger's writers: an INSERT-only role may not lock the table


def open_engine(url: str) -> sa.Engine:
    """The engine of a ledger's URL. Raises ConfigError for a URL that is none, or another database's."""
    try:
        at = sa.engine.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # their words may hold a part of the password
        raise ConfigError("stores.ledger: not a database URL; expected " + _KNOWN) from None
    if at.drivername == "sqlite" and at.database:
        Path(at.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(at, connect_args={"timeout": 30})
        sa.event.listen(engine, "connect", _configure_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    if at.drivername in ("postgresql", "postgresql+pg8000") and at.username and at.database:
        return _open_postgres(at.set(drivername="postgresql+pg8000"))
    told = at.render_as_string(hide_password=True)
    raise ConfigError(f"stores.ledger: {told!r}: this release keeps its ledger in SQLite or PostgreSQL: {_KNOWN}")


_KNOWN = "sqlite:///PATH or postgresql+pg8000://USER:PASSWORD@HOST:PORT/DATABASE"


def _open_postgres(at: sa.engine.URL) -> sa.Engine:
    try:
        engine = sa.create_engine(at, pool_pre_ping=True, connect_args={"timeout": CONNECT_SECONDS})
    except ImportError:
        raise ConfigError("stores.ledger: PostgreSQL needs its driver: pip install 'creditloop[postgres]'") from None
    sa.event.listen(engine, "connect", _configure_postgres)
    sa.event.listen(engine, "begin", _begin_postgres)
    sa.event.listen(engine, "checkin", _rest_postgres)
    return engine


def loses_commits(url: str, version: tuple[int, int, int]) -> bool:
    """Whether several processes on this ledger may, very rarely, lose a commit: SQLite before its "WAL-reset bug" was
    mended (3.51.3; 3.50.7 and 3.44.6 of the lines before)."""
    mended = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0)
    return url.startswith("sqlite") and not mended


def prepare(connection: sa.Connection) -> None:
    """Make the table and its triggers where they are missing, within the caller's transaction."""
    if connection.dialect.name == "sqlite":
        _METADATA.create_all(connection)
        for verb, when in _SQLITE_REFUSES.items():
            connection.exec_driver_sql(_SQLITE_TRIGGER.format(verb=verb, when=when))
        return
    missing = [table for table in _METADATA.sorted_tables if not sa.inspect(connection).has_table(table.name)]
    _METADATA.create_all(connection, missing, checkfirst=False)
    _refuse_changes_in_postgres(connection)


def _refuse_changes_in_postgres(connection: sa.Connection) -> None:
    """ENABLE ALWAYS: the session setting that turns triggers off for replication does not turn off these."""
    there = {row[0] for row in connection.exec_driver_sql(_POSTGRES_TRIGGERS)}
    for verb, when in _POSTGRES_REFUSES.items():
        name = f"records_no_{verb}"
        if name not in there:  # whoever may only insert and read finds them made
            connection.exec_driver_sql(_POSTGRES_FUNCTION)
            connection.exec_driver_sql(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION records_only_append()")
            connection.exec_driver_sql(f"ALTER TABLE records ENABLE ALWAYS TRIGGER {name}")


def settle(connection: sa.Connection) -> bool:
    """After a commit that failed: write again, from the log, what the disk may have dropped. Whether that is done.

    A failed fsync leaves pages that the system takes for written and the disk does not hold; the next fsync says
    nothing of them. PostgreSQL ends and recovers by itself.
    """
    if connection.dialect.name != "sqlite":
        return True
    busy, _, _ = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def carry_over(connection: sa.Connection) -> None:
    """Copy what SQLite's log holds into the database, so that no commit has to once the log has 1,000 pages.

    Nobody is waited for: what a reader still needs stays in the log. Writers of other processes are kept out meanwhile
    (FULL): before 3.51.3 SQLite may lose a commit that begins the log anew while another connection copies it.
    """
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        cursor.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    finally:
        cursor.execute(_WAITS)


def _configure_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, not where the driver guesses
    connection.text_factory = _text
    for pragma in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", _WAITS, "PRAGMA secure_delete=ON"):
        connection.execute(pragma)


def _text(stored: bytes) -> str:
    return stored.decode(errors="surrogateescape")  # bytes that are no text are for `verify` to name, not the driver


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.connection.cursor().execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def _configure_postgres(connection: Any, _: object) -> None:
    # The driver sends one message in several small packets; without this each waits 40 ms for the last one's receipt.
    connection._usock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A machine that vanished says nothing: without this a reader would wait for it for ever.
    for name, value in _MACHINE_IS_GONE.items():
        if hasattr(socket, name):  # not every system has each
            connection._usock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    cursor = connection.cursor()
    for statement in _POSTGRES_SESSION:
        cursor.execute(statement)
    connection.commit()


def _rest_postgres(connection: Any, _: object) -> None:
    """Whoever takes a connection that rested asks first whether it lives, and does not wait for ever to hear it."""
    if connection is not None and connection._usock is not None:  # None: it was given up
        connection._usock.settimeout(CONNECT_SECONDS)


def _begin_postgres(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    # A reader may ask what takes minutes; a writer holds everybody up.
    driver: Any = connection.connection.dbapi_connection
    driver._usock.settimeout(SILENCE_SECONDS if writes else None)
    if writes:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
