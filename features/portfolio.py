"""The matrix of a book of any size: one range of customers in memory at a time; the rows of `matrix.build`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.settings import Product
from features import matrix
from features.catalogue import Program
from features.contracts import Columns
from features.load import load
from features.sources import Range, Source

CUSTOMERS_EACH = 50_000


@dataclass(frozen=True, slots=True)
class Part:
    """The questions about one range of customers: `rows` are their positions among all questions."""

    customers: Range
    rows: np.ndarray


def parts(customer_id: np.ndarray, customers_each: int = CUSTOMERS_EACH) -> list[Part]:
    """All questions, cut into ranges of at most `customers_each` customers, in the order of their ids."""
    place, ids = pd.factorize(customer_id, sort=True)
    order = np.argsort(place, kind="stable")
    starts = range(0, len(ids), customers_each)
    bounds = np.searchsorted(place[order], [*starts, len(ids)])
    lows = [None if start == 0 else str(ids[start]) for start in starts]
    highs = [*lows[1:], None][: len(lows)]
    return [
        Part(Range(low, high), order[first:last])
        for low, high, first, last in zip(lows, highs, bounds[:-1], bounds[1:], strict=True)
    ]


def read(program: Program, source: Source, product: Product, part: Part, quarantine_share: float) -> dict[str, Columns]:
    """The checked tables of a part that the program reads."""
    needed = product.model_copy(update={"tables": program.tables})
    return load(source, needed, quarantine_share, part.customers, outcomes=False).tables


def matrices(
    program: Program,
    source: Source,
    product: Product,
    customer_id: np.ndarray,
    as_of: np.ndarray,
    quarantine_share: float = 0.0,
    customers_each: int = CUSTOMERS_EACH,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(positions, matrix of those rows) part by part; while one is computed the next is read.

    Memory holds two parts, whatever the size of the source. Raises DataError as `load` does.
    """
    ahead = parts(customer_id, customers_each)
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read, program, source, product, ahead[0], quarantine_share) if ahead else None
        for number, part in enumerate(ahead):
            assert coming is not None
            tables = coming.result()
            if number + 1 < len(ahead):
                coming = reader.submit(read, program, source, product, ahead[number + 1], quarantine_share)
            yield part.rows, matrix.build(program, tables, customer_id[part.rows], as_of[part.rows])
