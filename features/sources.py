"""Where raw tables come from: folders of parquet or CSV, SQL databases, frames; one or several, all or by customer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import sqlalchemy as sa

from configs.errors import DataError
from features import uci_default
from features.contracts import TABLES
from features.files import read_file
from features.parquet import LastGroup, customer_ids, read_parquet
from features.ranges import ALL, Range

_COLLATION = {"postgresql": "C", "sqlite": "BINARY"}  # ids are ordered by bytes, as Python orders them
_TEXT = ("customer_id", *sorted({n for table in TABLES.values() for n, c in table.columns.items() if c.kind == "text"}))


class Source(Protocol):
    """Something that holds raw tables."""

    def names(self) -> list[str]:
        """The tables it holds."""

    def read(self, table: str, customers: Range = ALL) -> pd.DataFrame:
        """The rows of a table about these customers. Raises DataError where it cannot be read."""

    def customers(self, table: str) -> np.ndarray:
        """The distinct ids of a table, as text, in no order."""

    def told(self) -> str:
        """Where this is, for messages; never a password."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with `<table>.parquet` or `<table>.csv`, or with subfolders `<table>/` of parquet files."""

    path: Path
    _last: dict[str, LastGroup] = field(default_factory=dict, init=False, repr=False, compare=False)

    def names(self) -> list[str]:
        """The tables it holds."""
        files = {path.stem for path in self.path.iterdir() if path.suffix in (".parquet", ".csv")}
        folders = {path.name for path in self.path.iterdir() if path.is_dir() and any(path.glob("*.parquet"))}
        return sorted(files | folders)

    def read(self, table: str, customers: Range = ALL) -> pd.DataFrame:
        """Of parquet only the row groups are read that can hold the customers; a CSV is read whole each time."""
        path = self._parquet(table)
        if path is None:
            return _within(read_file(self.path / f"{table}.csv", _TEXT), customers)
        return read_parquet(path, customers, self._last.setdefault(table, LastGroup()))

    def customers(self, table: str) -> np.ndarray:
        """The distinct ids of a table; of parquet only that column is read."""
        path = self._parquet(table)
        if path is None:
            return _distinct(self.read(table))
        return customer_ids(path)

    def _parquet(self, table: str) -> Path | None:
        return next((p for p in (self.path / f"{table}.parquet", self.path / table) if p.exists()), None)

    def told(self) -> str:
        """The path."""
        return str(self.path)


def _distinct(frame: pd.DataFrame) -> np.ndarray:
    if "customer_id" not in frame.columns:
        return np.empty(0, object)
    return frame["customer_id"].dropna().astype(str).unique().astype(object)


def _within(frame: pd.DataFrame, customers: Range) -> pd.DataFrame:
    if customers == ALL or "customer_id" not in frame.columns:
        return frame
    ids = frame["customer_id"]
    ids = ids.astype(object).where(ids.notna(), "").astype(str)  # the empty text sorts before every id
    kept = np.ones(len(frame), bool)
    if customers.low is not None:
        kept &= (ids >= customers.low).to_numpy()
    if customers.high is not None:
        kept &= (ids < customers.high).to_numpy()
    return frame[kept]


class Database:
    """Tables of a SQL database, by SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        at = _parsed(url)
        self._told = at.render_as_string(hide_password=True)
        if at.get_backend_name() == "sqlite" and not Path(at.database or "").is_file():
            raise DataError(f"{self._told}: no such file")  # SQLite would make an empty one
        try:
            self._engine = sa.create_engine(at, poolclass=sa.NullPool)
            inspector = sa.inspect(self._engine)
            self._names = [*inspector.get_table_names(), *inspector.get_view_names()]
        except (sa.exc.SQLAlchemyError, ImportError, TypeError) as error:  # a TypeError: the driver wants a user
            raise DataError(f"{self._told}: cannot connect: {_reason(error)}") from None

    def names(self) -> list[str]:
        """The tables and views it holds."""
        return list(self._names)

    def read(self, table: str, customers: Range = ALL) -> pd.DataFrame:
        """The rows about these customers; the database selects them. Values come as they are: the contract judges."""
        with self._asked(table) as (connection, columns):
            query = sa.select(*columns.values()).select_from(sa.table(table))
            if customers != ALL and "customer_id" in columns:
                query = query.where(self._bounds(columns["customer_id"], customers))
            return pd.read_sql_query(query, connection, dtype_backend="numpy_nullable")

    def customers(self, table: str) -> np.ndarray:
        """The distinct ids of a table; the database finds them."""
        with self._asked(table) as (connection, columns):
            if "customer_id" not in columns:
                return np.empty(0, object)
            query = sa.select(sa.cast(columns["customer_id"], sa.Text)).select_from(sa.table(table)).distinct()
            return np.array([row[0] for row in connection.execute(query) if row[0] is not None], object)

    @contextmanager
    def _asked(self, table: str) -> Iterator[tuple[sa.Connection, dict[str, sa.ColumnElement[Any]]]]:
        """A connection, and the table's columns without their types; DataError where the database refuses."""
        try:
            with self._engine.connect() as connection:
                yield connection, {c["name"]: sa.column(c["name"]) for c in sa.inspect(connection).get_columns(table)}
        except sa.exc.SQLAlchemyError as error:
            raise DataError(f"{self._told}: table {table!r} cannot be read: {_reason(error)}") from None

    def _bounds(self, column: sa.ColumnElement[Any], customers: Range) -> sa.ColumnElement[bool]:
        text = sa.cast(column, sa.Text)
        collation = _COLLATION.get(self._engine.dialect.name)
        ordered = text if collation is None else sa.collate(text, collation)
        if customers.low is None:
            return column.is_(None) | (ordered < customers.high)
        from_low = ordered >= customers.low
        return from_low if customers.high is None else from_low & (ordered < customers.high)

    def told(self) -> str:
        """The URL without its password."""
        return self._told


def _parsed(url: str) -> sa.engine.URL:
    try:
        return sa.engine.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # their words may hold a part of the password
        known = "expected dialect+driver://user:password@host:port/name, with / : @ in a password as %2F %3A %40"
        raise DataError(f"not a database URL: {known}") from None


def _reason(error: Exception) -> str:
    """What went wrong, in the driver's words and without SQLAlchemy's SQL and links."""
    return str(getattr(error, "orig", None) or error)


@dataclass(frozen=True, slots=True)
class Frames:
    """Tables in memory: the simulated portfolio, or what a reader made of a published file."""

    frames: Mapping[str, pd.DataFrame]
    origin: str

    def names(self) -> list[str]:
        """The tables it holds."""
        return list(self.frames)

    def read(self, table: str, customers: Range = ALL) -> pd.DataFrame:
        """The rows about these customers."""
        return _within(self._frame(table), customers)

    def customers(self, table: str) -> np.ndarray:
        """The distinct ids of a table."""
        return _distinct(self._frame(table))

    def _frame(self, table: str) -> pd.DataFrame:
        if table not in self.frames:
            raise DataError(f"{self.origin}: no table {table!r}; it holds {', '.join(self.frames) or 'nothing'}")
        return self.frames[table]

    def told(self) -> str:
        """What made the frames."""
        return self.origin


@dataclass(frozen=True, slots=True)
class Joined:
    """Several sources for one product: a table that stands in two of them is the rows of both."""

    sources: tuple[Source, ...]

    def names(self) -> list[str]:
        """The tables any of them holds."""
        return sorted({name for source in self.sources for name in source.names()})

    def read(self, table: str, customers: Range = ALL) -> pd.DataFrame:
        """The rows of all that hold the table."""
        parts = [source.read(table, customers) for source in self.sources if table in source.names()]
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    def customers(self, table: str) -> np.ndarray:
        """The distinct ids in all that hold the table."""
        found = [source.customers(table) for source in self.sources if table in source.names()]
        return np.unique(np.concatenate(found))

    def told(self) -> str:
        """All of them."""
        return " + ".join(source.told() for source in self.sources)


def open_source(places: Sequence[str], reader: str = "tables") -> Source:
    """The source of what a user wrote: folders or SQLAlchemy URLs, one or several. Raises DataError."""
    opened = tuple(_open(place, reader) for place in places)
    return opened[0] if len(opened) == 1 else Joined(opened)


def _open(place: str, reader: str) -> Source:
    if "://" in place:
        return Database(place)
    path = Path(place)
    if reader == "uci_default":
        return Frames(uci_default.read(path), str(path))
    if not path.is_dir():
        kind = (
            "is a file; expected a folder of tables (one flat table: --csv)"
            if path.exists()
            else "no such file or folder"
        )
        raise DataError(f"{path}: {kind}")
    return Folder(path)
