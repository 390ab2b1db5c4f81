"""Where raw tables come from: folders of parquet or CSV, SQL databases, frames; one or several, all or by customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import sqlalchemy as sa

from configs.errors import DataError
from features import uci_default
from features.files import read_file

_COLLATION = {"postgresql": "C", "sqlite": "BINARY"}  # ids are ordered by bytes, as Python orders them


@dataclass(frozen=True, slots=True)
class Range:
    """Customers whose id, as text, lies in [low, high); None is open."""

    low: str | None = None
    high: str | None = None


ALL = Range()


class Source(Protocol):
    """Something that holds raw tables."""

    def names(self) -> list[str]:
        """The tables it holds."""

    def read(self, table: str, customers: Range = ALL) -> pd.DataFrame:
        """The rows of a table about these customers. Raises DataError where it cannot be read."""

    def told(self) -> str:
        """Where this is, for messages; never a password."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with `<table>.parquet` or `<table>.csv`, or with subfolders `<table>/` of parquet files."""

    path: Path

    def names(self) -> list[str]:
        """The tables it holds."""
        files = {path.stem for path in self.path.iterdir() if path.suffix in (".parquet", ".csv")}
        folders = {path.name for path in self.path.iterdir() if path.is_dir() and any(path.glob("*.parquet"))}
        return sorted(files | folders)

    def read(self, table: str, customers: Range = ALL) -> pd.DataFrame:
        """Of parquet only the row groups are read that can hold the customers; a CSV is read whole each time."""
        path = next((p for p in (self.path / f"{table}.parquet", self.path / table) if p.exists()), None)
        if path is None:
            return _within(read_file(self.path / f"{table}.csv"), customers)
        return read_parquet(path, customers)

    def told(self) -> str:
        """The path."""
        return str(self.path)


def read_parquet(path: Path, customers: Range = ALL) -> pd.DataFrame:
    """The rows of a parquet file or folder about these customers, text as categories."""
    try:
        data = arrow_dataset.dataset(path, format="parquet")
        table = data.to_table(filter=_filter(data.schema, customers))
        return table.to_pandas(strings_to_categorical=True, date_as_object=False, split_blocks=True, self_destruct=True)
    except (ValueError, OSError, NotImplementedError) as error:  # pyarrow's errors are of these kinds
        raise DataError(f"{path}: not readable as parquet: {error}") from None


def _filter(schema: pa.Schema, customers: Range) -> Any:
    if customers == ALL or "customer_id" not in schema.names:
        return None
    kind = schema.field("customer_id").type
    column = arrow_dataset.field("customer_id")
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = column.cast(pa.string())
    bounds = []
    if customers.low is not None:
        bounds.append(column >= customers.low)
    if customers.high is not None:
        bounds.append(column < customers.high)
    return bounds[0] if len(bounds) == 1 else bounds[0] & bounds[1]


def _within(frame: pd.DataFrame, customers: Range) -> pd.DataFrame:
    if customers == ALL or "customer_id" not in frame.columns:
        return frame
    ids = frame["customer_id"].astype(str)
    kept = pd.Series(True, index=frame.index)
    if customers.low is not None:
        kept &= ids >= customers.low
    if customers.high is not None:
        kept &= ids < customers.high
    return frame[kept]


class Database:
    """Tables of a SQL database, by SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        try:
            self._engine = sa.create_engine(url)
            self._names = sa.inspect(self._engine).get_table_names()
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise DataError(f"{_without_password(url)}: cannot connect: {error}") from None

    def names(self) -> list[str]:
        """The tables it holds."""
        return list(self._names)

    def read(self, table: str, customers: Range = ALL) -> pd.DataFrame:
        """The rows about these customers; the database selects them."""
        try:
            reflected = sa.Table(table, sa.MetaData(), autoload_with=self._engine)
            query = sa.select(reflected)
            if customers != ALL and "customer_id" in reflected.c:
                query = query.where(*self._bounds(reflected.c["customer_id"], customers))
            with self._engine.connect() as connection:
                return pd.read_sql_query(query, connection)
        except sa.exc.SQLAlchemyError as error:
            raise DataError(f"{self.told()}: table {table!r} cannot be read: {error}") from None

    def _bounds(self, column: sa.ColumnElement[Any], customers: Range) -> list[sa.ColumnElement[bool]]:
        text = sa.cast(column, sa.Text)
        collation = _COLLATION.get(self._engine.dialect.name)
        ordered = text if collation is None else sa.collate(text, collation)
        low = [] if customers.low is None else [ordered >= customers.low]
        return low if customers.high is None else [*low, ordered < customers.high]

    def told(self) -> str:
        """The URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)


def _without_password(url: str) -> str:
    try:
        return sa.engine.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "the database URL"


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
        return _within(self.frames[table], customers)

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
        kind = "is a file; expected a folder of tables (one flat table: --csv)" if path.exists() else "no such folder"
        raise DataError(f"{path}: {kind}")
    return Folder(path)
