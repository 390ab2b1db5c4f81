"""The ledger: nothing acknowledged is lost, nothing recorded can be changed unseen, writers never part the chain."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigError, Refusal
from serving.ledger import Entry, Ledger, LedgerError, Record, canonical, entry_hash
from serving.writer import Writer

LENGTH = 25
TRIGGERS = ("UPDATE", "DELETE", "INSERT")
CHANGES = {
    "id": "another",
    "kind": "promotion",
    "product": "another",
    "subject": "another",
    "at": "2020-01-01",
    "idempotency_key": None,
    "body": b'{"limit":1000000}',
    "previous": "f" * 64,
    "hash": "f" * 64,
}


def entry(name: str, key: str | None = None, kind: str = "decision") -> Entry:
    return Entry(name, kind, "p", f"customer of {name}", "2026-01-01", canonical({"of": name}), key)


def names(ledger: Ledger) -> list[str]:
    return [record.entry.id for record in ledger.records()]


@contextmanager
def opened(at: Path | str) -> Iterator[Ledger]:
    ledger = Ledger(at if isinstance(at, str) else f"sqlite:///{at}")
    try:
        yield ledger
    finally:
        ledger.close()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """An empty ledger in each of the databases."""
    with opened(url) as made:
        yield made


@contextmanager
def behind(path: Path, guarded: bool = False) -> Iterator[sqlite3.Connection]:
    """The file as somebody with write access to it has it; unless `guarded`, the triggers are gone."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for verb in () if guarded else TRIGGERS:
            connection.execute(f"DROP TRIGGER records_no_{verb}")
        yield connection
    finally:
        connection.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A closed ledger file of LENGTH records, its length and its head as somebody kept them elsewhere."""
    path = tmp_path_factory.mktemp("kept") / "ledger.db"
    with opened(path) as ledger:
        ledger.append([entry(f"d{place}", f"key {place}") for place in range(1, LENGTH + 1)])
        return path, *ledger.verify()


@pytest.fixture(scope="module")
def verdict_on(kept: tuple[Path, int, str]) -> Callable[..., str]:
    """What `verify` says of a copy of the kept ledger after somebody had it: the breach, or count and head."""

    def verdict(*statements: tuple[str, tuple[Any, ...]]) -> str:
        path = kept[0].with_name("tampered.db")
        shutil.copy(kept[0], path)
        with behind(path) as connection:
            for statement, values in statements:
                connection.execute(statement, values)
        with opened(path) as ledger:
            try:
                return "{} {}".format(*ledger.verify())
            except LedgerError as error:
                return str(error)

    return verdict


def test_an_untouched_chain_verifies_with_its_length(kept: tuple[Path, int, str]) -> None:
    assert kept[1] == LENGTH


def test_the_head_is_the_hash_of_the_last_record(kept: tuple[Path, int, str]) -> None:
    with opened(kept[0]) as ledger:
        assert [record.hash for record in ledger.records()][-1] == kept[2]


def test_an_empty_ledger_verifies_as_empty(ledger: Ledger) -> None:
    assert ledger.verify() == (0, "0" * 64)


def test_a_hash_is_the_one_the_module_describes() -> None:
    body = hashlib.sha256(b"{}").hexdigest()
    described = hashlib.sha256(f'\x00[1,"i","k","p","s","t",null,"{body}","{"0" * 64}"]'.encode()).hexdigest()
    assert entry_hash(1, Entry("i", "k", "p", "s", "t", b"{}"), "0" * 64) == described


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET body = x'00' WHERE seq = 3",
        "UPDATE records SET seq = 99 WHERE seq = 3",
        "DELETE FROM records WHERE seq = 3",
        "DELETE FROM records",
        "INSERT OR REPLACE INTO records SELECT seq, id, kind, product, subject, at, idempotency_key, x'00', previous, "
        "hash FROM records WHERE seq = 3",
        "INSERT OR REPLACE INTO records SELECT 99, id, kind, product, subject, at, NULL, x'00', previous, hash "
        "FROM records WHERE seq = 3",
        "INSERT OR REPLACE INTO records SELECT 99, 'new', kind, product, subject, at, idempotency_key, x'00', previous,"
        " hash FROM records WHERE seq = 3",
        "INSERT OR IGNORE INTO records SELECT 0, 'new', kind, product, subject, at, NULL, x'00', previous, hash "
        "FROM records WHERE seq = 3",
    ],
)
def test_the_database_refuses_to_change_what_is_recorded(
    kept: tuple[Path, int, str], tmp_path: Path, statement: str
) -> None:
    shutil.copy(kept[0], tmp_path / "copy.db")
    with (
        behind(tmp_path / "copy.db", guarded=True) as connection,
        pytest.raises(sqlite3.IntegrityError, match="the ledger is append-only"),
    ):
        connection.execute(statement)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(1, LENGTH), column=st.sampled_from(sorted(CHANGES)))
def test_a_changed_record_is_named(verdict_on: Callable[..., str], place: int, column: str) -> None:
    told = verdict_on((f"UPDATE records SET {column} = ? WHERE seq = ?", (CHANGES[column], place)))
    assert f"record {place} (" in told


@pytest.mark.parametrize("column", ["id", "kind", "body", "hash"])
@pytest.mark.parametrize("value", ["CAST(x'ff' AS TEXT)", "7", "7.5", "CAST(body AS TEXT)", "x'ff'"])
def test_a_value_of_a_kind_that_is_never_written_is_named_too(
    verdict_on: Callable[..., str], column: str, value: str
) -> None:
    assert "record 9 (" in verdict_on((f"UPDATE records SET {column} = {value} WHERE seq = 9", ()))


@settings(max_examples=24, deadline=None)
@given(place=st.integers(1, LENGTH - 1))
def test_a_deleted_record_is_named(verdict_on: Callable[..., str], place: int) -> None:
    assert f"record {place} is missing" in verdict_on(("DELETE FROM records WHERE seq = ?", (place,)))


@settings(max_examples=24, deadline=None)
@given(place=st.integers(1, LENGTH - 1))
def test_a_deleted_record_is_named_even_if_the_rest_moved_up(verdict_on: Callable[..., str], place: int) -> None:
    moved = ("UPDATE records SET seq = seq - 1 WHERE seq > ?", (place,))
    assert f"record {place} (" in verdict_on(("DELETE FROM records WHERE seq = ?", (place,)), moved)


@settings(max_examples=24, deadline=None)
@given(place=st.integers(1, LENGTH))
def test_an_inserted_record_is_named_by_the_break_after_it(verdict_on: Callable[..., str], place: int) -> None:
    """The forger hashes well and makes room; only the record that followed still names its true predecessor."""
    forged = entry("forged")
    previous = verdict_on(("DELETE FROM records WHERE seq >= ?", (place,))).split()[1]
    columns = (forged.id, forged.kind, forged.product, forged.subject, forged.at, None, forged.body)
    told = verdict_on(
        ("UPDATE records SET seq = -seq WHERE seq >= ?", (place,)),
        ("UPDATE records SET seq = 1 - seq WHERE seq < 0", ()),
        (
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (place, *columns, previous, entry_hash(place, forged, previous)),
        ),
    )
    assert f"record {place + 1} (" in told


@settings(max_examples=40, deadline=None)
@given(places=st.sets(st.integers(1, LENGTH), min_size=2, max_size=2).map(sorted))
def test_of_two_exchanged_records_the_first_is_named(verdict_on: Callable[..., str], places: list[int]) -> None:
    one, other = places
    told = verdict_on(
        ("UPDATE records SET seq = -1 WHERE seq = ?", (one,)),
        ("UPDATE records SET seq = ? WHERE seq = ?", (one, other)),
        ("UPDATE records SET seq = ? WHERE seq = -1", (other,)),
    )
    assert f"record {one} (" in told


@settings(max_examples=20, deadline=None)
@given(length=st.integers(0, LENGTH - 1))
def test_a_cut_tail_shows_only_against_a_head_that_was_kept(
    kept: tuple[Path, int, str], verdict_on: Callable[..., str], length: int
) -> None:
    """What is left is a whole chain: `verify` alone cannot know; count and head differ from those kept elsewhere."""
    told = verdict_on(("DELETE FROM records WHERE seq > ?", (length,)))
    assert told.startswith(f"{length} ")
    assert told != "{} {}".format(*kept[1:])


def test_a_damaged_file_is_a_ledger_error(kept: tuple[Path, int, str], tmp_path: Path) -> None:
    damaged = bytearray(kept[0].read_bytes())
    damaged[4096:8192] = b"\xa5" * 4096
    (tmp_path / "damaged.db").write_bytes(damaged)
    with pytest.raises(LedgerError), opened(tmp_path / "damaged.db") as ledger:
        ledger.verify()


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.write_bytes(b"no database" * 1000)])
def test_what_is_no_ledger_file_is_a_ledger_error(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    make(tmp_path / "ledger.db")
    with pytest.raises(LedgerError):
        Ledger(f"sqlite:///{tmp_path}/ledger.db")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://me:hunter2@host/ledger", "in SQLite or PostgreSQL"),
        ("sqlite://", "in SQLite or PostgreSQL"),
        ("postgresql://host/ledger", "in SQLite or PostgreSQL"),
        ("postgresql://me:hunter2@host:port/ledger", "not a database URL"),
        ("postgresql+psycopg2://me:hunter2@host/ledger", "in SQLite or PostgreSQL"),
    ],
)
def test_what_names_no_ledger_database_is_refused_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        Ledger(url)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_does_not_answer_is_a_ledger_error() -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger("postgresql://me:hunter2@127.0.0.1:1/ledger")
    assert "hunter2" not in str(caught.value)


def test_an_error_does_not_repeat_what_was_to_be_recorded(ledger: Ledger) -> None:
    ledger.append([entry("d1")])
    with pytest.raises(LedgerError) as caught:
        ledger.append([entry("d1")])
    assert "customer" not in str(caught.value)


def test_entries_that_cannot_all_be_recorded_are_not_recorded_at_all(ledger: Ledger) -> None:
    ledger.append([entry("d1")])
    with pytest.raises(LedgerError):
        ledger.append([entry("d2"), entry("d1")])
    assert names(ledger) == ["d1"]


def test_records_come_back_as_they_were_written(ledger: Ledger) -> None:
    ledger.append([entry("d1", "k1")])
    found = ledger.by_id("d1")
    assert found is not None
    assert found.entry == entry("d1", "k1")


def test_the_latest_is_the_newest_of_its_kind_and_product(ledger: Ledger) -> None:
    ledger.append([entry("a", kind="promotion"), entry("b", kind="promotion"), entry("c")])
    found = ledger.latest("promotion", "p")
    assert found is not None
    assert found.entry.id == "b"


def test_records_can_be_asked_for_by_kind(ledger: Ledger) -> None:
    ledger.append([entry("a", kind="promotion"), entry("b"), entry("c")])
    assert [record.entry.id for record in ledger.records("decision", "p")] == ["b", "c"]


def test_a_repeated_key_gives_the_first_record(ledger: Ledger) -> None:
    first = ledger.append([entry("d1", "k")])[0]
    again = ledger.append([entry("d2", "k")])[0]
    assert (again.entry, again.seq, again.hash, again.new) == (first.entry, first.seq, first.hash, False)


def test_a_key_repeated_within_one_batch_gives_the_first_record(ledger: Ledger) -> None:
    made = ledger.append([entry("d1", "k"), entry("d2"), entry("d3", "k")])
    assert [record.entry.id for record in made] == ["d1", "d2", "d1"]
    assert names(ledger) == ["d1", "d2"]


def test_concurrent_writers_with_one_key_all_get_the_same_record(url: str) -> None:
    barrier = threading.Barrier(8)

    def write(number: int) -> Record:
        with opened(url) as ledger:
            barrier.wait()
            return ledger.append([entry(f"d{number}", "k")])[0]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(write, range(8)))
    assert len({record.entry.id for record in made}) == 1
    assert sum(record.new for record in made) == 1


def test_of_concurrent_swaps_exactly_one_wins(url: str) -> None:
    barrier = threading.Barrier(8)

    def swap(number: int) -> bool:
        with opened(url) as ledger:
            barrier.wait()
            try:
                ledger.append([entry(f"d{number}")], expect=("decision", "p", None))
            except Refusal:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(swap, range(8))) == 1


def test_a_refused_swap_says_what_is_there(ledger: Ledger) -> None:
    ledger.append([entry("d1")])
    with pytest.raises(Refusal, match="the latest decision of p is d1, not d0"):
        ledger.append([entry("d2")], expect=("decision", "p", "d0"))


APPENDER = """
import sys
from serving.ledger import Entry, Ledger
ledger = Ledger(sys.argv[1])
for number in range(150):
    ledger.append([Entry(f"{sys.argv[2]}-{number}", "decision", "p", "c", "t", b"{}")])
"""


def test_two_processes_and_two_threads_keep_one_unbroken_chain(url: str, repository: Path) -> None:
    with opened(url) as ledger:
        others = [
            subprocess.Popen([sys.executable, "-c", APPENDER, url, str(number)], cwd=repository) for number in range(2)
        ]
        writers = [Writer(ledger, 16) for _ in range(2)]
        waiting = [writer.submit(entry(f"t{n}-{w}")) for n in range(150) for w, writer in enumerate(writers)]
        assert all(future.result(timeout=60) for future in waiting)
        for writer in writers:
            writer.close()
        assert [other.wait(timeout=60) for other in others] == [0, 0]
        assert ledger.verify()[0] == 600


def test_group_commit_keeps_the_order_of_submission(ledger: Ledger) -> None:
    writer = Writer(ledger, 7)
    wanted = [f"d{number}" for number in range(50)]
    for future in [writer.submit(entry(name)) for name in wanted]:
        future.result(timeout=30)
    writer.close()
    assert names(ledger) == wanted


def test_close_records_what_still_waits(ledger: Ledger) -> None:
    writer = Writer(ledger, 7)
    waiting = [writer.submit(entry(f"d{number}")) for number in range(50)]
    writer.close()
    assert all(future.done() for future in waiting)
    assert len(names(ledger)) == 50


def test_a_caller_that_gives_up_does_not_stop_the_writer(ledger: Ledger) -> None:
    writer = Writer(ledger, 7)
    for number in range(20):
        writer.submit(entry(f"d{number}")).cancel()
    assert writer.submit(entry("last")).result(timeout=30).entry.id == "last"
    writer.close()


def test_a_group_that_cannot_be_recorded_tells_each_of_its_callers(ledger: Ledger) -> None:
    ledger.append([entry("d1")])
    writer = Writer(ledger, 7)
    with pytest.raises(LedgerError):
        writer.submit(entry("d1")).result(timeout=30)
    writer.close()


WRITER = """
import os, sys
from serving.ledger import Entry, Ledger
from serving.writer import Writer
while sys.stdin.readline():
    child = os.fork()
    if child == 0:
        writer = Writer(Ledger(sys.argv[1]), 16)
        os.write(1, f"pid {os.getpid()}\\n".encode())
        while True:
            names = [f"{os.getpid()}-{os.urandom(6).hex()}" for _ in range(40)]
            for future in [writer.submit(Entry(name, "decision", "p", "c", "t", b"{}")) for name in names]:
                os.write(1, f"ok {future.result().entry.id}\\n".encode())
    os.wait()
    os.write(1, b"dead\\n")
"""


def test_no_acknowledged_record_is_lost_when_the_writer_is_killed(url: str, repository: Path) -> None:
    """Twenty kill -9 at different moments; one parent imports once and forks each writer afresh."""
    acknowledged: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url],
        cwd=repository,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for trial in range(20):
            parent.stdin.write("go\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline().removeprefix("pid "))
            timer = threading.Timer(0.02 + 0.01 * trial, os.kill, (child, signal.SIGKILL))
            timer.start()
            while (line := parent.stdout.readline()) != "dead\n":
                acknowledged.append(line.removeprefix("ok ").strip())
        parent.stdin.close()
    with opened(url) as ledger:
        recorded = set(names(ledger))
        assert ledger.verify()[0] == len(recorded)
    assert len(acknowledged) > 100
    assert set(acknowledged) <= recorded


FULL_DISK = """
import resource, sys
from serving.ledger import Entry, Ledger, LedgerError
from serving.writer import Writer
ledger = Ledger(sys.argv[1])
writer = Writer(ledger, 8)
def write(name):
    try:
        writer.submit(Entry(name, "decision", "p", "c", "t", b"x" * 4000)).result(timeout=30)
        print("ok", name, flush=True)
    except LedgerError:
        print("no", name, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
for number in range(100):
    write(f"full-{number}")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for number in range(5):
    write(f"after-{number}")
"""


@pytest.fixture(scope="module")
def full_disk(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> tuple[list[str], list[str], Path]:
    """What a writer acknowledged and what it refused on a disk that fills up and is then freed, and its ledger."""
    path = tmp_path_factory.mktemp("full") / "ledger.db"
    command = [sys.executable, "-c", FULL_DISK, f"sqlite:///{path}"]
    told = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=60, check=True).stdout
    lines = [line.split() for line in told.splitlines()]
    return [name for word, name in lines if word == "ok"], [name for word, name in lines if word == "no"], path


def test_a_full_disk_gives_an_error_and_no_acknowledgement(full_disk: tuple[list[str], list[str], Path]) -> None:
    acknowledged, refused, path = full_disk
    assert refused
    with opened(path) as ledger:
        assert names(ledger) == acknowledged


def test_a_full_disk_leaves_the_chain_whole(full_disk: tuple[list[str], list[str], Path]) -> None:
    with opened(full_disk[2]) as ledger:
        assert ledger.verify()[0] == len(full_disk[0])


def test_the_writer_goes_on_by_itself_once_there_is_room(full_disk: tuple[list[str], list[str], Path]) -> None:
    assert full_disk[0][-5:] == [f"after-{number}" for number in range(5)]


def test_a_reader_does_not_wait_for_a_writer(url: str, ledger: Ledger) -> None:
    ledger.append([entry("d1")])
    with opened(url) as other, other.database.writing():
        started = time.monotonic()
        assert names(ledger) == ["d1"]
        assert time.monotonic() - started < 5


def test_a_long_batch_is_recorded_whole_and_in_order(ledger: Ledger) -> None:
    wanted = [f"d{number}" for number in range(2500)]
    ledger.append([entry(name, f"key of {name}") for name in wanted])
    assert names(ledger) == wanted
    assert ledger.verify()[0] == 2500


@contextmanager
def faulty(ledger: Ledger, commit: Callable[[Any], None]) -> Iterator[list[Any]]:
    """The ledger while its commits do what `commit` does; the connections that met one."""
    met: list[Any] = []

    def instead(connection: sa.Connection) -> None:
        met.append(connection.connection.dbapi_connection)
        commit(connection)

    sa.event.listen(ledger.database.engine, "commit", instead)
    try:
        yield met
    finally:
        sa.event.remove(ledger.database.engine, "commit", instead)


def disk_error(_: object) -> None:
    raise sqlite3.OperationalError("disk I/O error")


def test_after_a_failed_commit_no_connection_is_used_again(ledger: Ledger) -> None:
    ledger.append([entry("d1")])
    with faulty(ledger, disk_error) as failed, pytest.raises(LedgerError, match="disk I/O error"):
        ledger.append([entry("d2")])
    with faulty(ledger, lambda _: None) as used:
        ledger.append([entry("d3")])
    assert used[0] is not failed[0]
    assert names(ledger) == ["d1", "d3"]
    with pytest.raises(Exception, match="closed"):
        failed[0].cursor().execute("SELECT 1")


def test_a_failed_commit_gives_every_waiting_caller_an_error_and_the_next_a_record(ledger: Ledger) -> None:
    writer = Writer(ledger, 16)
    with faulty(ledger, disk_error):
        waiting = [writer.submit(entry(f"lost-{number}")) for number in range(30)]
        assert all(isinstance(future.exception(timeout=30), LedgerError) for future in waiting)
    assert writer.submit(entry("kept")).result(timeout=30).seq == 1
    writer.close()


def test_nothing_is_recorded_before_a_failed_commit_is_recovered_from(tmp_path: Path) -> None:
    """What the failed fsync left in the log is written again first; a reader of the old log holds that up."""
    with opened(tmp_path / "ledger.db") as ledger, behind(tmp_path / "ledger.db", guarded=True) as reader:
        ledger.append([entry("d1")])
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchone()
        with faulty(ledger, disk_error), pytest.raises(LedgerError, match="disk I/O error"):
            ledger.append([entry("d2")])
        with short_waits(ledger), pytest.raises(LedgerError, match="a reader holds it up"):
            ledger.append([entry("d3")])
        reader.execute("ROLLBACK")
        assert ledger.append([entry("d4")])[0].seq == 2


@contextmanager
def short_waits(ledger: Ledger) -> Iterator[None]:
    """Waits are short: the database says at once that it is busy."""

    def short(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA busy_timeout=50")

    sa.event.listen(ledger.database.engine, "connect", short)
    try:
        yield
    finally:
        sa.event.remove(ledger.database.engine, "connect", short)


@pytest.fixture
def in_postgres(postgres_database: Callable[[], AbstractContextManager[str]]) -> Iterator[tuple[str, sa.Engine]]:
    """A ledger of LENGTH records in PostgreSQL, and the database as its owner has it."""
    with postgres_database() as url:
        with opened(url) as ledger:
            ledger.append([entry(f"d{place}", f"key {place}") for place in range(1, LENGTH + 1)])
        yield url, sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET body = '' WHERE seq = 3",
        "DELETE FROM records",
        "TRUNCATE records",
        "INSERT INTO records SELECT * FROM records WHERE seq = 3 ON CONFLICT (seq) DO UPDATE SET body = ''",
    ],
)
@pytest.mark.parametrize("replicating", [False, True], ids=["plain", "with triggers off for replication"])
def test_postgres_refuses_to_change_what_is_recorded(
    in_postgres: tuple[str, sa.Engine], statement: str, replicating: bool
) -> None:
    with in_postgres[1].connect() as connection:
        if replicating:
            connection.exec_driver_sql("SET session_replication_role = replica")
        with pytest.raises(sa.exc.DBAPIError, match="the ledger is append-only"):
            connection.exec_driver_sql(statement)


def test_a_changed_record_in_postgres_is_named(in_postgres: tuple[str, sa.Engine]) -> None:
    url, engine = in_postgres
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE records DISABLE TRIGGER ALL")
        connection.exec_driver_sql("CREATE TABLE untouched AS SELECT * FROM records")
        for place, (column, value) in enumerate(CHANGES.items(), start=3):
            connection.exec_driver_sql(f"UPDATE records SET {column} = %s WHERE seq = %s", (value, place))
            with opened(url) as ledger, pytest.raises(LedgerError, match=rf"record {place} \("):
                ledger.verify()
            connection.exec_driver_sql("DELETE FROM records")
            connection.exec_driver_sql("INSERT INTO records SELECT * FROM untouched ORDER BY seq")


def test_a_role_that_may_only_read_and_insert_can_keep_the_ledger(in_postgres: tuple[str, sa.Engine]) -> None:
    url, engine = in_postgres
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS appender")
        connection.exec_driver_sql("CREATE ROLE appender LOGIN PASSWORD 'x'")
        connection.exec_driver_sql("GRANT SELECT, INSERT ON records TO appender")
    own = sa.engine.make_url(url).set(username="appender", password="x").render_as_string(hide_password=False)
    with opened(own) as ledger:
        assert ledger.append([entry("by the appender")])[0].seq == LENGTH + 1


def test_a_connection_that_the_server_ended_is_replaced(in_postgres: tuple[str, sa.Engine]) -> None:
    url, engine = in_postgres
    with opened(url) as ledger:
        with engine.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert ledger.append([entry("after")])[0].seq == LENGTH + 1


def test_commits_wait_for_the_disk_even_where_the_server_would_not(in_postgres: tuple[str, sa.Engine]) -> None:
    url, engine = in_postgres
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {engine.url.database} SET synchronous_commit = off")
    with opened(url) as ledger, ledger.database.writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
