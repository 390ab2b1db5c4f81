"""What a source's data look like: rows, gaps, ranges, freshness and what was set aside, as JSON and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.settings import Freshness
from configs.templates import templates
from configs.whole import whole
from features.contracts import NEVER, TABLES, Columns, Text, iso
from features.load import Loaded

_TEMPLATES = templates(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """One column of the good rows: the share missing, the lowest and highest value, how many distinct ones."""

    name: str
    missing: float
    low: str
    high: str
    distinct: int


@dataclass(frozen=True, slots=True)
class TableSummary:
    """One table: its good rows, customers, newest event and its age in days, rows set aside, and its columns."""

    name: str
    rows: int
    customers: int
    newest: str
    age_days: int
    set_aside: int
    columns: tuple[ColumnSummary, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """All tables of a source, and the rows set aside by table, column and reason."""

    source: str
    as_of: str
    tables: tuple[TableSummary, ...]
    reasons: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def summarise(loaded: Loaded, source: str, as_of: int) -> Quality:
    """The quality of what was loaded, seen from the day `as_of` (days since 1970)."""
    aside = loaded.quarantine
    counts = aside.groupby("table")["row"].nunique().to_dict() if len(aside) else {}
    grouped = aside.groupby(["table", "column", "reason"]).agg(rows=("row", "size"), first=("row", "min"))
    return Quality(
        source=source,
        as_of=iso(as_of),
        tables=tuple(_table(name, columns, as_of, counts.get(name, 0)) for name, columns in loaded.tables.items()),
        reasons=tuple(grouped.reset_index().to_dict("records")) if len(aside) else (),
    )


def stale(tables: Mapping[str, Columns], freshness: Freshness, as_of: int) -> list[str]:
    """One sentence for each table whose newest event is older at `as_of` than its product allows."""
    told = []
    for name, days in freshness.model_dump(exclude_none=True).items():
        if name not in tables:
            continue
        newest = _newest(name, tables[name], as_of)
        if newest == NEVER or as_of - newest > days:
            told.append(f"{name}: the newest event is of {iso(newest)}; freshness.{name} allows {days} days")
    return told


def _newest(name: str, columns: Columns, as_of: int) -> int:
    event = columns[TABLES[name].event if name in TABLES else "date"]
    past = event[event <= as_of]
    return int(past.max()) if len(past) else int(NEVER)


def _table(name: str, columns: Columns, as_of: int, set_aside: int) -> TableSummary:
    newest = _newest(name, columns, as_of)
    customers = columns["customer_id"]
    assert isinstance(customers, Text)
    return TableSummary(
        name=name,
        rows=len(customers),
        customers=len(customers.distinct()),
        newest=iso(newest),
        age_days=as_of - newest if newest != NEVER else -1,
        set_aside=set_aside,
        columns=tuple(_column(column, values) for column, values in columns.items()),
    )


def _column(name: str, values: np.ndarray | Text) -> ColumnSummary:
    if isinstance(values, Text):
        texts = sorted(values.distinct())
        missing = float((values.codes < 0).mean()) if len(values) else 0.0
        return ColumnSummary(name, missing, texts[0] if texts else "", texts[-1] if texts else "", len(texts))
    absent = values == NEVER if values.dtype == np.int32 else np.isnan(values)
    present = values[~absent]
    told = iso if values.dtype == np.int32 else "{:.6g}".format
    low, high = (told(present.min()), told(present.max())) if len(present) else ("", "")
    return ColumnSummary(name, float(absent.mean()) if len(values) else 0.0, low, high, len(np.unique(present)))


def page(quality: Quality) -> str:
    """The summary as self-contained HTML."""
    return _TEMPLATES.get_template("quality.html").render(quality=quality)


def quarantine_csv(quarantine: pd.DataFrame, path: Path) -> None:
    """Write one line for each breach: table, row (from 1), column, reason; whole or not at all."""
    with whole(path) as unfinished:
        quarantine.to_csv(unfinished, index=False)
