"""The database under the ledger: writers take turns, and a failed commit is recovered from before the next one."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from configs.errors import CreditloopError
from serving import store


class LedgerError(CreditloopError):
    """The ledger cannot be read or written; nothing that was not recorded may be answered."""


class Database:
    """The database under a URL. Safe for several threads and processes."""

    def __init__(self, url: str) -> None:
        self.engine = store.open_engine(url)
        self._doubted = False
        self._turn = threading.Lock()
        self._kept: sa.Connection | None = None

    def close(self) -> None:
        """Let go of the database."""
        with self._turn:
            if self._kept is not None:
                self._kept.close()
                self._kept = None
            self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read with. Raises LedgerError where the database cannot be read."""
        with _told("be read"), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction of the only writer, durable at its end. Raises LedgerError where it cannot commit."""
        with self._turn, _told("record"), self._writer() as connection:
            self._trust_again(connection)
            with connection.begin():
                yield connection

    def carry_over(self) -> None:
        """Spare a later commit, and who waits for it, what SQLite has to do of its log now and then.

        Raises LedgerError where that fails: nothing is lost, and the next record is made after a recovery.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with self._turn, _told("carry over its log"), self._writer() as connection:
            store.carry_over(connection)

    def empty_log(self) -> None:
        """Leave nothing in SQLite's log but what a reader needs: there lie pages as they were before a deletion."""
        with self._turn, _told("empty its log"), self._writer() as connection:
            store.settle(connection)

    @contextmanager
    def _writer(self) -> Iterator[sa.Connection]:
        """The connection of writers, one at a time; distrusted where what it was asked for failed.

        SQLite's is kept: to take one from the pool and give it back costs more than all that SQLAlchemy does of a
        transaction. One over a network is taken anew, for it may have ended.
        """
        if self.engine.dialect.name != "sqlite":
            with self.engine.connect().execution_options(writes=True) as connection, self._distrusting(connection):
                yield connection
            return
        if self._kept is None:
            self._kept = self.engine.connect().execution_options(writes=True)
        with self._distrusting(self._kept):
            yield self._kept

    @contextmanager
    def _distrusting(self, connection: sa.Connection) -> Iterator[None]:
        try:
            yield
        except (CreditloopError, sa.exc.IntegrityError, sqlite3.IntegrityError):
            raise  # an answer of a sound database; nothing was written
        except BaseException:
            self._distrust(connection)
            raise

    def _distrust(self, connection: sa.Connection) -> None:
        """After a failed commit nothing is asked again: this connection and all that rest are closed."""
        self._doubted, self._kept = True, None
        connection.invalidate()
        connection.close()
        self.engine.dispose()

    def _trust_again(self, connection: sa.Connection) -> None:
        if self._doubted:
            if not store.settle(connection):
                raise LedgerError("the ledger could not record: it recovers from a failed commit; a reader holds it up")
            self._doubted = False


@contextmanager
def _told(what: str) -> Iterator[None]:
    """The database's own word for what went wrong, without the statement: that would hold applicants' data."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise LedgerError(f"the ledger could not {what}: {cause.__class__.__name__}: {cause}") from None
