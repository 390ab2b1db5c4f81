"""Customers whose records the service reads itself: from the source a product has in the settings."""

from __future__ import annotations

from typing import Any

from configs.settings import Product, Settings
from features import sources
from features.load import load
from features.ranges import Range
from features.records import rows_of
from features.sources import Source
from serving.score import Scorer


def open_source(product: Product, settings: Settings) -> Source | None:
    """The source of a product's records (`serving.sources`), None where none is named. Raises DataError."""
    places = settings.serving.sources.get(product.name)
    return sources.open_source(places, product.reader) if places else None


def stored_records(source: Source, scorer: Scorer, customer_id: str) -> dict[str, Any]:
    """All rows about a customer in the tables the scorer reads, as a request would hold them. Raises DataError.

    Rows that a decision's as_of must not see are among them: the evaluator passes them over.
    """
    only = Range(customer_id, customer_id + "\x01")  # no id holds a NUL, so none lies between
    tables = load(source, scorer.product, customers=only, outcomes=False).tables
    return {name: rows_of(table, tables[name]) for name, table in scorer.tables.items() if name in tables}
