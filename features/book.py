"""The matrix of a whole book into one parquet file, part by part, on this machine or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from configs.errors import InputError
from configs.settings import Product
from configs.whole import whole
from features import distribute, portfolio
from features.catalogue import compile_program, product_features
from features.contracts import JUDGING
from features.load import categories_of, load
from features.sources import Source, open_source


def write_matrix(
    places: Sequence[str], product: Product, as_of: int, out: Path, quarantine_share: float, scheduler: str | None
) -> tuple[int, list[str]]:
    """Write customer_id and every feature of every customer at `as_of` (days since 1970).

    Returns how many customers, and what `Tally.told` says of the rows that were set aside. The file is renamed into
    place when it is whole. Raises InputError for another ending than .parquet, DataError
    as `load` does.
    """
    if out.suffix != ".parquet":
        raise InputError(f"{out}: expected a name ending in .parquet")
    source = open_source(places, product.reader)
    customers = all_customers(source, product)
    program = compile_program(product_features(product, _categories(source, product, quarantine_share)))
    days = np.full(len(customers), as_of, np.int32)
    tally = portfolio.Tally(source.told(), quarantine_share)
    if scheduler is None:
        built = portfolio.matrices(program, source, product, customers, days, tally)
    else:
        built = distribute.matrices(scheduler, program, places, product, customers, days, tally)
    schema = pa.schema([("customer_id", pa.string()), *((name, pa.float64()) for name in program.names)])
    with (
        whole(out) as unfinished,
        pq.ParquetWriter(unfinished, schema) as writer,
        tqdm(total=len(customers), unit="customer", leave=False, disable=None) as bar,
    ):
        for rows, values in built:
            columns = [pa.array(customers[rows], pa.string()), *(pa.array(column) for column in values.T)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            bar.update(len(rows))
    return len(customers), tally.told()


def all_customers(source: Source, product: Product) -> np.ndarray:
    """Every id that stands in some table of the product, in order; only the id columns are read."""
    tables = [name for name in product.tables if name not in JUDGING and name in source.names()]
    found = [source.customers(name) for name in tables]
    ids = np.unique(np.concatenate(found)).astype(object) if found else np.empty(0, object)
    return ids[ids != ""]


def _categories(source: Source, product: Product, quarantine_share: float) -> dict[str, list[str]]:
    if "facts" not in product.tables:
        return {}
    facts = load(source, product.model_copy(update={"tables": ("facts",)}), quarantine_share, outcomes=False)
    return categories_of(product, facts.tables["facts"])
