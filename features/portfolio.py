"""The matrix of a book of any size: one range of customers in memory at a time; the rows of `matrix.build`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.errors import DataError, listed
from configs.settings import Product
from features import matrix
from features.catalogue import Program
from features.load import Loaded, load, too_many
from features.ranges import Range
from features.sources import Source

CUSTOMERS_EACH = 50_000


@dataclass(frozen=True, slots=True)
class Part:
    """The questions about one range of customers: `rows` are their positions among all questions."""

    customers: Range
    rows: np.ndarray


def parts(customer_id: np.ndarray, customers_each: int = CUSTOMERS_EACH, book: np.ndarray | None = None) -> list[Part]:
    """All questions, cut into ranges of at most `customers_each` customers, in the order of their ids.

    Of `book` (every id, in order) some may be asked about: the ranges are then cut as if all were,
    and those without a question are left out, so that no range holds more than its share of the source.
    """
    if (customer_id[:-1] < customer_id[1:]).all():  # a list of customers in order, as a source gives it
        place, ids = np.arange(len(customer_id)), customer_id
    else:
        place, ids = pd.factorize(customer_id, sort=True)
    order = np.argsort(place, kind="stable")
    every = ids if book is None else book
    lows = [None, *(str(every[start]) for start in range(customers_each, len(every), customers_each))]
    firsts = np.searchsorted(ids, np.array(lows[1:], object))
    bounds = np.searchsorted(place[order], [0, *firsts, len(ids)])
    return [
        Part(Range(low, high), order[first:last])
        for low, high, first, last in zip(lows, [*lows[1:], None], bounds[:-1], bounds[1:], strict=True)
        if first < last
    ]


def read(tables: Sequence[str], source: Source, product: Product, customers: Range, quarantine_share: float) -> Loaded:
    """The checked `tables` of a part.

    Where bad rows may be set aside, those of a part are, however many: the share is of the book, and `Tally` judges it.
    """
    needed = product.model_copy(update={"tables": tuple(tables)})
    return load(source, needed, 1.0 if quarantine_share else 0.0, customers, outcomes=False)


class Tally:
    """The bad rows of a book, counted part by part."""

    def __init__(self, source: str, quarantine_share: float) -> None:
        self._source, self.share = source, quarantine_share
        self._bad: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()

    def add(self, bad_rows: Mapping[str, tuple[int, int]]) -> None:
        """Count a part in, by what `Loaded.bad_rows` says of it."""
        for table, (bad, rows) in bad_rows.items():
            self._bad[table] += bad
            self._rows[table] += rows

    def counts(self) -> dict[str, tuple[int, int]]:
        """What was counted so far, as `add` takes it."""
        return {table: (self._bad[table], rows) for table, rows in self._rows.items()}

    def told(self) -> list[str]:
        """How many rows of which table were set aside, where any were."""
        return [f"{table}: {bad:,} of {self._rows[table]:,} rows" for table, bad in sorted(self._bad.items()) if bad]

    def judge(self) -> None:
        """DataError where more rows of a table are bad than its share of the whole book."""
        problems = [
            f"{table}: {too_many(bad, self._rows[table], self.share)}"
            for table, bad in sorted(self._bad.items())
            if bad > self.share * self._rows[table]
        ]
        if problems:
            raise DataError(listed(self._source, problems))


def walk(
    tables: Sequence[str],
    source: Source,
    product: Product,
    customer_id: np.ndarray,
    tally: Tally | None = None,
    customers_each: int = CUSTOMERS_EACH,
    book: np.ndarray | None = None,
) -> Iterator[tuple[Part, Loaded]]:
    """Every part with the `tables` of its customers; while one is worked on the next is read.

    Memory holds two parts, whatever the size of the source. Raises DataError as `load` does; that too many rows of a
    table are bad is known, and said, after the last part. `tally` counts them; without one no bad row is allowed.
    `book` as `parts` takes it.
    """
    tally = tally or Tally(source.told(), 0.0)
    ahead = parts(customer_id, customers_each, book)
    with ThreadPoolExecutor(1) as reader:

        def reading(part: Part) -> Future[Loaded]:
            return reader.submit(read, tables, source, product, part.customers, tally.share)

        coming = reading(ahead[0]) if ahead else None
        for number, part in enumerate(ahead):
            assert coming is not None
            loaded = coming.result()
            tally.add(loaded.bad_rows())
            if number + 1 < len(ahead):
                coming = reading(ahead[number + 1])
            yield part, loaded
    tally.judge()


def matrices(
    program: Program,
    source: Source,
    product: Product,
    customer_id: np.ndarray,
    as_of: np.ndarray,
    tally: Tally | None = None,
    customers_each: int = CUSTOMERS_EACH,
    book: np.ndarray | None = None,
    build: matrix.Build = matrix.build,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(positions, what `build` makes of those rows) part by part, as `walk` goes through them."""
    for part, loaded in walk(program.tables, source, product, customer_id, tally, customers_each, book):
        yield part.rows, build(program, loaded.tables, customer_id[part.rows], as_of[part.rows])
