"""The four engines of `benchmarks.features`: the same 80 features, each as its users would write them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

AS_OF = "2024-12-31"
MONTHS = 24
WINDOWS = (3, 6, 12, 24)
SINCE = {3: "2024-09-30", 6: "2024-06-30", 12: "2023-12-31", 24: "2022-12-31"}
SERIES = ("balance", "amount_paid", "days_past_due", "inflow", "utilisation")
STATISTICS = ("mean", "max", "min", "deviation")
NAMES = [f"{s}_{w}_{k}" for s, w, k in itertools.product(SERIES, WINDOWS, STATISTICS)]
ENGINES = ("creditloop", "polars", "duckdb", "pandas")


def write_book(path: Path, rows: int, seed: int) -> None:
    """`rows` statements, 24 a customer, by customer and month, in row groups of a million."""
    rng = np.random.default_rng(seed)
    months = pd.date_range(end=AS_OF, periods=MONTHS, freq="ME").to_numpy("datetime64[D]")
    writer = None
    for first in range(0, rows // MONTHS, 41_667):
        customers = np.arange(first, min(first + 41_667, rows // MONTHS))
        n = len(customers) * MONTHS
        table = pa.table(
            {
                "customer_id": pa.array(np.repeat([f"C{i:08d}" for i in customers], MONTHS)),
                "account_id": pa.array(np.full(n, "main")),
                "month": pa.array(np.tile(months, len(customers)), pa.date32()),
                "known_time": pa.array(np.tile(months, len(customers)), pa.date32()),
                "balance": rng.gamma(2, 300, n),
                "credit_limit": np.repeat(rng.gamma(4, 500, len(customers)), MONTHS),
                "amount_due": rng.gamma(2, 50, n),
                "amount_paid": rng.gamma(2, 50, n),
                "days_past_due": rng.choice([0.0, 0, 0, 0, 30, 60], n),
                "inflow": rng.gamma(5, 300, n),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=1_000_000)
    assert writer is not None
    writer.close()


def program() -> Any:
    """The 80 features as declarations of ours."""
    from features.catalogue import compile_program
    from features.declaration import Feature, Series, Statistic

    series = {name: Series("statements", name) for name in SERIES[:-1]}
    series["utilisation"] = Series("statements", "balance", "credit_limit")
    return compile_program(
        tuple(
            Feature(f"{s}_{w}_{k}", "behavioral", Statistic(series[s], k, w), "", "", "unknown", "", "")
            for s, w, k in itertools.product(SERIES, WINDOWS, STATISTICS)
        )
    )


def product() -> Any:
    """A product that has statements only."""
    from configs.settings import load_product

    return load_product("consumer_platform", Path("nowhere")).model_copy(update={"tables": ("statements",)})


def by_creditloop(path: Path) -> np.ndarray:
    """Ours: read by ranges of customers, checked against the contract, reduced."""
    from features.contracts import to_day
    from features.portfolio import matrices
    from features.sources import Folder

    source = Folder(path.parent)
    customers = source.customers("statements")
    as_of = np.full(len(customers), to_day(pd.Timestamp(AS_OF).date()), np.int32)
    out = np.empty((len(customers), len(NAMES)))
    for rows, values in matrices(program(), source, product(), customers, as_of):
        out[rows] = values
    return out


def by_polars(path: Path) -> np.ndarray:
    """polars, streaming engine, lazily from the file."""
    import polars as pl

    limit = pl.when(pl.col("credit_limit") > 0).then(pl.col("balance") / pl.col("credit_limit"))
    frame = pl.scan_parquet(path).filter(
        (pl.col("month") <= pl.lit(AS_OF).str.to_date()) & (pl.col("known_time") <= pl.lit(AS_OF).str.to_date())
    )
    frame = frame.with_columns(limit.alias("utilisation"))
    return frame.group_by("customer_id").agg(polars_expressions(pl)).collect(engine="streaming").to_numpy()[:, 1:]


def polars_expressions(pl: Any) -> list[Any]:
    """The 80 aggregations."""
    how = {"mean": "mean", "max": "max", "min": "min", "deviation": "std"}
    return [
        getattr(pl.col(s).filter(pl.col("month") > pl.lit(SINCE[w]).str.to_date()), how[k])().alias(f"{s}_{w}_{k}")
        for s, w, k in itertools.product(SERIES, WINDOWS, STATISTICS)
    ]


def duckdb_query(source: str) -> str:
    """The 80 aggregations in SQL."""
    how = {"mean": "avg", "max": "max", "min": "min", "deviation": "stddev_samp"}
    columns = ", ".join(
        f"{how[k]}({s}) FILTER (WHERE month > DATE '{SINCE[w]}') AS {s}_{w}_{k}"
        for s, w, k in itertools.product(SERIES, WINDOWS, STATISTICS)
    )
    inner = f"SELECT *, CASE WHEN credit_limit > 0 THEN balance / credit_limit END AS utilisation FROM {source}"
    return (
        f"SELECT customer_id, {columns} FROM ({inner} WHERE month <= DATE '{AS_OF}' AND known_time <= DATE '{AS_OF}')"
        " GROUP BY customer_id"
    )


def by_duckdb(path: Path) -> np.ndarray:
    """DuckDB from the file."""
    import duckdb

    found = duckdb.connect().execute(duckdb_query(f"'{path}'")).fetchnumpy()
    return np.column_stack([np.ma.filled(found[name].astype(float), np.nan) for name in NAMES])


def by_pandas(path: Path) -> np.ndarray:
    """pandas, a groupby for each window."""
    return pandas_features(pd.read_parquet(path)).to_numpy()


def pandas_features(frame: pd.DataFrame) -> pd.DataFrame:
    """The 80 features of a frame."""
    cut = pd.Timestamp(AS_OF).date()
    frame = frame[(frame["month"] <= cut) & (frame["known_time"] <= cut)]
    frame = frame.assign(utilisation=frame["balance"] / frame["credit_limit"].where(frame["credit_limit"] > 0))
    parts = []
    for window in WINDOWS:
        recent = frame[frame["month"] > pd.Timestamp(SINCE[window]).date()]
        found = recent.groupby("customer_id")[list(SERIES)].agg(["mean", "max", "min", "std"])
        found.columns = [f"{s}_{window}_{'deviation' if k == 'std' else k}" for s, k in found.columns]
        parts.append(found)
    return pd.concat(parts, axis=1)[NAMES]


RUNS = {"creditloop": by_creditloop, "polars": by_polars, "duckdb": by_duckdb, "pandas": by_pandas}
