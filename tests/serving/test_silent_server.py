"""PostgreSQL that says nothing more: the ledger's writer does not wait for ever, and nothing is lost by that."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest
import sqlalchemy as sa

from serving import store
from serving.ledger import Entry, Ledger, LedgerError, canonical


def entry(name: str) -> Entry:
    return Entry(name, "decision", "p", "c", "2026-01-01", canonical({"of": name}))


@contextmanager
def opened(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url)
    try:
        yield ledger
    finally:
        ledger.close()


class Between:
    """A relay to a server, which can be made to fall silent: it takes what is sent and passes nothing on."""

    def __init__(self, port: int) -> None:
        self.silent = threading.Event()
        self._port, self._listening = port, socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._passing: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._listening, *self._passing):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            self._passing += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while sent := one.recv(65536):
                if not self.silent.is_set():
                    other.sendall(sent)
            for end in (one, other):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def url(postgres_database: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Where an empty ledger may be, in PostgreSQL."""
    with postgres_database() as made:
        yield made


@pytest.fixture
def between(url: str) -> Iterator[tuple[str, Between]]:
    """The ledger's URL by way of a relay, and the relay."""
    at = sa.engine.make_url(url)
    assert at.port is not None
    relay = Between(at.port)
    yield at.set(port=relay.port).render_as_string(hide_password=False), relay
    relay.close()


# The driver leaves the socket of a connection that was never made to be collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_server_that_falls_silent_is_an_error_and_is_asked_again(
    between: tuple[str, Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_relay, relay = between
    monkeypatch.setattr(store, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(store, "CONNECT_SECONDS", 1.0)
    with opened(by_relay) as ledger:
        ledger.append([entry("before")])
        relay.silent.set()
        asked = time.monotonic()
        for name in ("met it", "found it silent"):
            with pytest.raises(LedgerError, match="could not record"):
                ledger.append([entry(name)])
        assert time.monotonic() - asked < 20
        relay.silent.clear()
        assert ledger.append([entry("after")])[0].seq == 2
        assert ledger.verify()[0] == 2
    gc.collect()


def test_a_reader_may_take_longer_than_a_writer_may_wait(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SILENCE_SECONDS", 0.5)
    with opened(url) as ledger:
        for _ in range(2):  # of the same connection, which a writer had in between
            with ledger.database.reading() as connection:
                assert connection.exec_driver_sql("SELECT 7 FROM pg_sleep(1)").scalar() == 7
            assert len(ledger.append([entry(f"d-{time.monotonic_ns()}")])) == 1


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone lets a program say how long")
def test_a_machine_that_is_gone_is_noticed_within_half_a_minute(url: str) -> None:
    """No machine can be taken away here: what the kernel was told is looked at."""
    with opened(url) as ledger, ledger.database.reading() as connection:
        told = connection.connection.dbapi_connection._usock

        def said(name: str) -> int:
            return int(told.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)))

        assert told.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert said("TCP_KEEPIDLE") + said("TCP_KEEPINTVL") * said("TCP_KEEPCNT") <= 30
        assert 0 < said("TCP_USER_TIMEOUT") <= 30_000
