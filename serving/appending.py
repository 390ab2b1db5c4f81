"""What an append asks of the database, in statements made once.

SQLite lies in this process: there the statements run on the driver's own cursor, since SQLAlchemy's way costs many
times what the database does. Over a network its way costs nothing beside the round trip, and it sends few statements.
Every function runs within the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, cast

import sqlalchemy as sa

from serving.store import CUSTOMERS, RECORDS
from serving.verify_ledger import START

Row = tuple[int, str, str, str, str, str, str | None, bytes, str, str]
"""A record as the table's columns stand."""
StoredKey = tuple[str, str, bytes]
"""A customer, their pseudonym, their sealed key."""

_HEAD = "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1"
_KEY_COLUMNS = "customer, pseudonym, sealed_key"
_INSERT = f"INSERT INTO records ({', '.join(c.name for c in RECORDS.c)}) VALUES ({', '.join('?' for _ in RECORDS.c)})"
_ADD_KEYS = f"INSERT INTO customer_keys ({_KEY_COLUMNS}) VALUES (?, ?, ?)"
_KEYS_OF = f"SELECT {_KEY_COLUMNS} FROM customer_keys WHERE customer IN "
_KNOWN = "SELECT 1 FROM records WHERE idempotency_key IN "

_ASK_HEAD = sa.select(RECORDS.c.seq, RECORDS.c.hash).order_by(RECORDS.c.seq.desc()).limit(1)
_ASK_KEYS = sa.select(CUSTOMERS.c.customer, CUSTOMERS.c.pseudonym, CUSTOMERS.c.sealed_key).where(
    CUSTOMERS.c.customer.in_(sa.bindparam("customers", expanding=True))
)
_ASK_KNOWN = (
    sa.select(RECORDS.c.seq).where(RECORDS.c.idempotency_key.in_(sa.bindparam("keys", expanding=True))).limit(1)
)
# Where something is returned SQLAlchemy sends many rows in one statement.
_INSERT_MANY = RECORDS.insert().returning(RECORDS.c.seq)


def head(connection: sa.Connection) -> tuple[int, str]:
    """Sequence and hash of the last record."""
    driver = _sqlite(connection)
    row = connection.execute(_ASK_HEAD).first() if driver is None else driver.execute(_HEAD).fetchone()
    return (row[0], row[1]) if row else (0, START)


def keys_of(connection: sa.Connection, customers: Sequence[str]) -> list[StoredKey]:
    """The keys of those of `customers` who have one."""
    driver = _sqlite(connection)
    if driver is None:
        return [(row[0], row[1], row[2]) for row in connection.execute(_ASK_KEYS, {"customers": customers})]
    return driver.execute(_KEYS_OF + _places(len(customers)), customers).fetchall()


def add_keys(connection: sa.Connection, keys: Sequence[StoredKey]) -> None:
    """Keep the keys of customers who had none."""
    driver = _sqlite(connection)
    if driver is None:
        names = ("customer", "pseudonym", "sealed_key")
        connection.execute(CUSTOMERS.insert(), [dict(zip(names, key, strict=True)) for key in keys])
    else:
        driver.executemany(_ADD_KEYS, keys)


def any_known(connection: sa.Connection, keys: Sequence[str]) -> bool:
    """Whether a record was made under any of these idempotency keys."""
    driver = _sqlite(connection)
    if driver is None:
        return connection.execute(_ASK_KNOWN, {"keys": keys}).first() is not None
    return driver.execute(_KNOWN + _places(len(keys)) + " LIMIT 1", keys).fetchone() is not None


def insert(connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Append the rows to the records."""
    driver = _sqlite(connection)
    if driver is None:
        names = [column.name for column in RECORDS.c]
        connection.execute(_INSERT_MANY, [dict(zip(names, row, strict=True)) for row in rows])
    else:
        driver.executemany(_INSERT, rows)


def _sqlite(connection: sa.Connection) -> sqlite3.Cursor | None:
    if connection.dialect.name != "sqlite":
        return None
    return cast(sqlite3.Cursor, cast(Any, connection.connection).cursor())


def _places(count: int) -> str:
    return f"({', '.join('?' * count)})"
