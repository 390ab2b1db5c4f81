"""A source's tables, checked: what passes its contract goes on, what does not is set aside with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from configs.errors import DataError, listed
from configs.settings import Product
from features.check import Checked, check, told
from features.contracts import JUDGING, TABLES, Columns, Kind, Table, Text, facts_table
from features.ranges import ALL, Range
from features.sources import Frames, Source


@dataclass(frozen=True, slots=True)
class Loaded:
    """Checked tables, and one line for each breach of each row that was set aside."""

    tables: dict[str, Columns]
    quarantine: pd.DataFrame

    def bad_rows(self) -> dict[str, tuple[int, int]]:
        """(rows set aside, all rows) of each table."""
        bad = self.quarantine.groupby("table")["row"].nunique().to_dict()
        return {name: (bad.get(name, 0), bad.get(name, 0) + len(t["customer_id"])) for name, t in self.tables.items()}


def table_contract(name: str, product: Product) -> Table:
    """The contract of the table `name` in `product`: `facts` is declared by the product, the others are fixed."""
    if name == "facts":
        kinds: dict[str, Kind] = {c.name: "text" if c.kind == "category" else "number" for c in product.columns}
        return facts_table(kinds)
    return TABLES[name]


def load(
    source: Source,
    product: Product,
    quarantine_share: float = 0.0,
    customers: Range = ALL,
    outcomes: bool = True,
) -> Loaded:
    """All tables of `product`, and those that only judge (`outcomes` and what it lists) where there and wanted.

    Rows that break their contract are set aside as long as they are no more than `quarantine_share` of their table.
    Raises DataError that lists what is wrong with all tables: absent ones, columns, and too many bad rows.
    """
    there = source.names()
    needed = [name for name in product.tables if name not in JUDGING]
    absent = [name for name in needed if name not in there]
    if absent:
        holds = ", ".join(there) or "nothing"
        raise DataError(
            f"{source.told()}: product {product.name!r} needs {', '.join(absent)}; it holds {holds} "
            f"(of a folder: {absent[0]}.parquet or {absent[0]}.csv)"
        )
    found: list[Checked] = []
    problems: list[str] = []
    for name in dict.fromkeys((*product.tables, "outcomes") if outcomes else needed):
        if name not in there:
            continue
        frame = source.read(name, customers)
        if customers != ALL and not len(frame):
            continue  # these customers have none; the table as a whole was not asked
        try:
            checked = check(table_contract(name, product), frame, source.told())
            _allow(checked, quarantine_share, source.told())
            found.append(checked)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    aside = pd.concat([checked.quarantine() for checked in found or [Checked("", {}, 0, ())]], ignore_index=True)
    return Loaded({checked.table: checked.columns for checked in found}, aside)


def _allow(checked: Checked, share: float, source: str) -> None:
    bad = checked.bad_rows
    if not bad or bad <= share * checked.rows:
        return
    problems = told(checked.breaches)
    if share:
        problems.append(too_many(bad, checked.rows, share))
    raise DataError(listed(f"{source} ({checked.table})", problems))


def too_many(bad: int, rows: int, share: float) -> str:
    """What to say where more rows are bad than `share` of them."""
    return f"{bad:,} of {rows:,} rows are bad; data.quarantine_share allows {share:g} of them"


def check_tables(frames: Mapping[str, pd.DataFrame], product: Product, source: str) -> dict[str, Columns]:
    """Frames held against their contracts, no bad row allowed; DataError lists the breaches of all of them at once."""
    given = product.model_copy(update={"tables": tuple(name for name in product.tables if name in frames)})
    return load(Frames(frames, source), given).tables


def categories_of(product: Product, facts: Columns | None) -> dict[str, list[str]]:
    """The values each category column takes, in order: the code of a value is its position."""
    if facts is None:
        return {}
    named = [column.name for column in product.columns if column.kind == "category"]
    columns = {name: facts[name] for name in named}
    return {name: sorted(column.distinct()) for name, column in columns.items() if isinstance(column, Text)}
