"""Early-warning indicators as a product declares them: what each reads of a customer at a day, and whether it warns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.customers import Indicator
from configs.errors import ConfigError, InputError
from configs.settings import Product
from features.catalogue import Program
from features.contracts import TABLES, Columns, Text
from features.history import replaced_in
from features.load import table_contract
from features.matrix import window_starts
from monitoring.customers.rules import COMPARES, program_of, values_of
from serving.score import Scorer

PD = "default_probability"


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads a product's indicators: the scorer for PDs, the program for other features, the tables needed."""

    scorer: Scorer
    indicators: tuple[Indicator, ...]
    program: Program
    tables: tuple[str, ...]


def make_reader(scorer: Scorer) -> Reader:
    """Raises InputError where the product declares no indicator, ConfigError for one on what it has not."""
    product = scorer.product
    indicators = product.customers.warnings
    if not indicators:
        raise InputError(f"{product.name} declares no early-warning indicator: add [[customers.warnings]] to its file")
    named = dict.fromkeys(one.feature for one in indicators if one.feature not in (None, PD))
    program = program_of(scorer, [name for name in named if name is not None], "customers.warnings")
    facts = [_fact_table(one, product) for one in indicators if one.fact is not None]
    scored = scorer.bundle.program.tables if any(one.feature == PD for one in indicators) else ()
    return Reader(scorer, indicators, program, tuple(dict.fromkeys((*program.tables, *facts, *scored))))


def _fact_table(indicator: Indicator, product: Product) -> str:
    table, _, column = (indicator.fact or "").partition(".")
    if table not in product.tables:
        raise ConfigError(f"customers.warnings.{indicator.name}.fact: {product.name} has no table {table!r}")
    kind = table_contract(table, product).all_columns().get(column)
    if kind is None or kind.kind != "text":
        raise ConfigError(f"customers.warnings.{indicator.name}.fact: {table!r} has no text column {column!r}")
    return table


def readings(reader: Reader, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """What each indicator reads of each (customer_id, as_of), (rows, indicators); missing where nothing is known."""
    now = _Values(reader, tables, customer_id, as_of)
    out = np.full((len(as_of), len(reader.indicators)), np.nan)
    earlier: dict[int, _Values] = {}
    for place, indicator in enumerate(reader.indicators):
        months = indicator.window_months or 0
        if indicator.fact is not None:
            out[:, place] = _counted(indicator, tables, customer_id, as_of)
            continue
        values = now.of(indicator.feature or "")
        if indicator.compare != "value":
            if months not in earlier:
                earlier[months] = _Values(reader, tables, customer_id, window_starts(as_of, (months,))[0])
            values = _compared(indicator, values, earlier[months].of(indicator.feature or ""))
        out[:, place] = values
    return out


def hits(indicators: Sequence[Indicator], values: np.ndarray) -> np.ndarray:
    """Which indicators warn, (rows, indicators) bool; what is missing never does."""
    columns = [COMPARES[one.operator](values[:, place], one.bound) for place, one in enumerate(indicators)]
    return np.column_stack(columns)


class _Values:
    """The features and the PD of rows, each worked out when it is first asked for."""

    def __init__(
        self, reader: Reader, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: np.ndarray
    ) -> None:
        self._asked = (tables, customer_id, np.asarray(as_of, np.int32))
        self._reader = reader
        self._features: dict[str, np.ndarray] | None = None
        self._pd: np.ndarray | None = None

    def of(self, name: str) -> np.ndarray:
        """(rows,) values of a feature, or of the PD."""
        if name == PD:
            if self._pd is None:
                self._pd = self._reader.scorer.score(*self._asked).default_probability
            return self._pd
        if self._features is None:
            self._features = values_of(self._reader.program, *self._asked)
        return self._features[name]


def _compared(indicator: Indicator, now: np.ndarray, then: np.ndarray) -> np.ndarray:
    if indicator.compare == "rise":
        return now - then
    return np.divide(now, then, out=np.full(len(now), np.nan), where=then > 0)


def _counted(
    indicator: Indicator, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: np.ndarray
) -> np.ndarray:
    """Rows in force at as_of that say the word and happened in the window; 0 of a customer without any."""
    name, _, column = (indicator.fact or "").partition(".")
    table = tables.get(name)
    if table is None:
        return np.zeros(len(as_of))
    assert isinstance(table[column], Text)
    says = table[column].says(indicator.says or "")
    since = window_starts(as_of, (indicator.window_months or 0,))[0]
    event, known, replaced = table[_event(name)][says], table["known_time"][says], replaced_in(name, table)[says]
    places = pd.Index(pd.unique(customer_id))
    codes = places.get_indexer(table["customer_id"].take(says).to_objects())
    order = np.lexsort((event, codes))
    codes, event, known, replaced = codes[order], event[order], known[order], replaced[order]
    asked = places.get_indexer(customer_id)
    low, high = np.searchsorted(codes, asked), np.searchsorted(codes, asked, side="right")
    counts = np.zeros(len(as_of))
    for row in np.flatnonzero(high > low).tolist():
        own = slice(low[row], high[row])
        inside = (event[own] > since[row]) & (event[own] <= as_of[row])
        in_force = (known[own] <= as_of[row]) & (replaced[own] > as_of[row])
        counts[row] = np.count_nonzero(inside & in_force)
    return counts


def _event(name: str) -> str:
    return TABLES[name].event if name in TABLES else "date"
