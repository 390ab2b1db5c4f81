"""What a paper is made of: fields with where each comes from, tables, and what a person still has to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from configs.governance import SUPPLIED_BY, Stated

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """One fact: its value, and where it was read. `supplied_by` says whose word is missing, where the value is."""

    name: str
    value: Cell
    source: str
    supplied_by: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of facts under one caption, and where they were read."""

    caption: str
    source: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Artefact:
    """One of the twelve papers: its number on the checklist, its key, what it says."""

    number: int
    key: str
    title: str
    told: str
    fields: tuple[Field, ...] = ()
    tables: tuple[Table, ...] = ()
    attached: Mapping[str, Any] | None = None

    @property
    def missing(self) -> tuple[Field, ...]:
        """What a person has to supply and did not."""
        return tuple(one for one in self.fields if one.supplied_by is not None)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"missing": [one.name for one in self.missing]}


def stated(said: Stated, *names: str) -> tuple[Field, ...]:
    """What persons said in the product file, or that they have yet to."""
    return tuple(_stated(said, name) for name in names)


def _stated(said: Stated, name: str) -> Field:
    value = getattr(said, name).strip()
    source = f"product file, [governance] {name}"
    return Field(name, value or None, source, None if value else SUPPLIED_BY[name])


def recorded(source: str, **values: Cell) -> tuple[Field, ...]:
    """Facts of one source; what it does not hold is None and stands as not recorded."""
    return tuple(Field(name, value, source) for name, value in values.items())


def interval(found: Mapping[str, Any] | None, digits: int = 4) -> str | None:
    """A value with its 95 % interval, as one text."""
    if found is None or found.get("value") is None:
        return None
    low, high = found.get("low"), found.get("high")
    around = "" if low is None or high is None else f" ({low:.{digits}f} to {high:.{digits}f})"
    return f"{found['value']:.{digits}f}{around}"


def table(caption: str, source: str, columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> Table:
    """A table whose rows may come as any iterable."""
    return Table(caption, source, columns, tuple(rows))


def listed(caption: str, source: str, found: Iterable[Mapping[str, Any]] | None) -> Table:
    """A table of records as they are: a column for each key that any of them has a plain value or an interval of.

    JSON sorts keys, people do not: what a row is about stands first, words about it last.
    """
    flat = [{key: _cell(value) for key, value in row.items()} for row in found or ()]
    names = list(dict.fromkeys(name for row in flat for name, value in row.items() if value is not _NESTED))
    plain = [name for name in names if all(row.get(name) is not _NESTED for row in flat)]
    middle = [name for name in plain if name not in (*_FIRST, *_LAST)]
    columns = tuple([name for name in _FIRST if name in plain] + middle + [name for name in _LAST if name in plain])
    return Table(caption, source, columns, tuple(tuple(row.get(name) for name in columns) for row in flat))


_NESTED: Any = object()
_ABOUT = "id part attribute check subject name grade feature segment slice holds month kind group severity state"
_FIRST = (*_ABOUT.split(), "passed", "light", "rows", "customers", "defaults", "value", "auc")
_LAST = ("p", "amber", "red", "wanted", "measured", "bound", "told", "text", "source", "basis")


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping):
        return interval(value) if "value" in value else _NESTED
    if isinstance(value, list | tuple):
        plain = all(isinstance(one, str | int | float) for one in value)
        return ", ".join(map(str, value)) if plain else _NESTED
    return value
