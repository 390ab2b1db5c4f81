"""What SQLite's log holds goes into the database while nobody waits, not within a commit that somebody waits for."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from serving import store
from serving.ledger import Entry, Ledger, LedgerError
from serving.writer import Writer

BODY = b"x" * 9_000  # a decision's
COMMIT_CARRIES_AT = 1_000 * 4_096  # bytes of log from which on SQLite itself carries over, in a commit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    ledger = Ledger(f"sqlite:///{path}")
    writer = Writer(ledger, 256)
    yield writer
    writer.close()
    assert ledger.verify()[0] == len(list(ledger.records()))
    ledger.close()


def record(writer: Writer, count: int, first: int = 0) -> None:
    """Decisions of a caller who waits for each before asking for the next."""
    for number in range(first, first + count):
        entry = Entry(f"d{number}", "decision", "p", f"c{number}", "2026-01-01", BODY)
        assert writer.submit(entry).result(timeout=10).seq == number + 1


def log_bytes(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def test_the_log_never_grows_to_where_a_commit_would_have_to_carry_it_over(writer: Writer, path: Path) -> None:
    record(writer, 400)
    assert log_bytes(path) < COMMIT_CARRIES_AT / 2
    assert path.stat().st_size > 300 * len(BODY)


def test_a_reader_who_keeps_the_log_from_being_carried_over_makes_nobody_wait(writer: Writer, path: Path) -> None:
    reader = sqlite3.connect(path, isolation_level=None)
    record(writer, 1)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM records").fetchone()
    started = time.monotonic()
    record(writer, 100, first=1)
    assert time.monotonic() - started < 10  # a busy database is waited for 30 s
    reader.close()


def test_who_writes_beside_makes_nobody_wait_either(writer: Writer, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = writer._ledger.database
    started = time.monotonic()
    database.carry_over()
    assert time.monotonic() - started < 10
    other.close()


def test_a_log_that_cannot_be_carried_over_is_told_of_and_loses_nothing(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def disk_error(_: sa.Connection) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR, "creditloop.serving"):
        broken.setattr(store, "carry_over", disk_error)
        record(writer, 100)
    record(writer, 100, first=100)
    assert set(caplog.messages) == {"the ledger could not carry over its log: OperationalError: disk I/O error"}


def test_a_log_that_cannot_be_emptied_is_recovered_from_before_the_next_record(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(writer, 3)
    settle, settled = store.settle, []

    def fails_once(connection: sa.Connection) -> bool:
        settled.append(connection)
        if len(settled) == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return settle(connection)

    monkeypatch.setattr(store, "settle", fails_once)
    with pytest.raises(LedgerError, match="could not empty its log: OperationalError: disk I/O error"):
        writer._ledger.database.empty_log()
    record(writer, 3, first=3)
    assert len(settled) == 2
    assert settled[0] is not settled[1]
    assert writer._ledger.verify()[0] == 6
