"""The same 80 features by our evaluator, polars, DuckDB and pandas: one customer, and books of any size from parquet.

Features: 5 monthly series x 4 windows x mean, largest, smallest, standard deviation, of facts known at as_of. Each
engine runs alone in a fresh process (wall seconds with reading, peak memory), interleaved over rounds.
Run: python -m benchmarks.features [--rows 1000000 10000000] [--rounds 3] [--dask 10000000] (needs polars and duckdb)
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import begun, keep
from benchmarks.features_engines import (
    AS_OF,
    ENGINES,
    MONTHS,
    RUNS,
    duckdb_query,
    pandas_features,
    polars_expressions,
    product,
    program,
    write_book,
)


def one_customer(rounds: int) -> dict[str, dict[str, Any]]:
    """Microseconds for one customer of 24 rows, each engine from its own native table, interleaved."""
    import duckdb
    import polars as pl

    from features.check import check_frame
    from features.contracts import TABLES, to_day
    from features.matrix import build

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statements.parquet"
        write_book(path, MONTHS, 5)
        frame = pd.read_parquet(path)
    columns = {"statements": check_frame(TABLES["statements"], frame, "benchmark")}
    ours, customer = program(), np.array([frame["customer_id"].iloc[0]], object)
    day = np.array([to_day(pd.Timestamp(AS_OF).date())], np.int32)
    lazy, expressions = pl.from_pandas(frame), polars_expressions(pl)
    limit = pl.when(pl.col("credit_limit") > 0).then(pl.col("balance") / pl.col("credit_limit")).alias("utilisation")
    known = (pl.col("month") <= pl.lit(AS_OF).str.to_date()) & (pl.col("known_time") <= pl.lit(AS_OF).str.to_date())
    database = duckdb.connect()
    database.execute("CREATE TABLE statements AS SELECT * FROM frame")
    query = duckdb_query("statements")
    runs: dict[str, Callable[[], Any]] = {
        "creditloop": lambda: build(ours, columns, customer, day),
        "polars": lambda: lazy.filter(known).with_columns(limit).group_by("customer_id").agg(expressions),
        "duckdb": lambda: database.execute(query).fetchnumpy(),
        "pandas": lambda: pandas_features(frame),
    }
    return interleaved(runs, {"creditloop": 300, "polars": 30, "duckdb": 10, "pandas": 5}, rounds)


def by_dask(path: Path, workers: int) -> float:
    """Seconds for the book on a cluster of `workers` processes of one thread, warmed up on its first customers.

    The features are those of the catalogue that read statements: workers know declared ones alone.
    """
    from dask.distributed import LocalCluster

    from features import distribute
    from features.catalogue import compile_program, product_features
    from features.contracts import to_day
    from features.sources import Folder

    customers = Folder(path.parent).customers("statements")
    as_of = np.full(len(customers), to_day(pd.Timestamp(AS_OF).date()), np.int32)
    with LocalCluster(workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster:
        places = [str(path.parent)]
        declared = compile_program(product_features(product(), {}))
        ask = functools.partial(distribute.matrices, cluster.scheduler_address, declared, places, product())
        list(ask(customers[::25_000], as_of[::25_000], book=customers))
        started = time.perf_counter()
        out = np.empty((len(customers), len(declared.features)))
        for rows, values in ask(customers, as_of):
            out[rows] = values
        return time.perf_counter() - started


def interleaved(runs: dict[str, Callable[[], Any]], calls: dict[str, int], rounds: int) -> dict[str, dict[str, Any]]:
    """Median, lowest and highest of the rounds' medians, microseconds."""
    medians: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            times = []
            for _ in range(calls[name]):
                started = time.perf_counter()
                run()
                times.append(time.perf_counter() - started)
            medians[name].append(float(np.median(times)) * 1e6)
    return {
        name: {
            "median": float(np.median(m)),
            "low": min(m),
            "high": max(m),
            "times_ours": ratios(m, medians["creditloop"]),
        }
        for name, m in medians.items()
    }


def ratios(theirs: list[float], ours: list[float]) -> list[float]:
    """How many times as long as ours in the same round."""
    return [one / mine for one, mine in zip(theirs, ours, strict=True)]


def book(path: Path, engines: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """Seconds and peak memory of each engine on a book, each run in a fresh process."""
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    for _ in range(rounds):
        for engine in engines:
            command = [sys.executable, "-m", "benchmarks.features", "--worker", engine, "--file", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[engine].append(json.loads(done.stdout.splitlines()[-1]))
    sums = {runs[0]["checksum"] for runs in found.values()}
    assert max(sums) - min(sums) <= 1e-9 * abs(max(sums)), "the engines do not agree"
    seconds = {engine: [run["seconds"] for run in runs] for engine, runs in found.items()}
    return {
        engine: {
            "seconds": float(np.median(seconds[engine])),
            "low": min(seconds[engine]),
            "high": max(seconds[engine]),
            "times_ours": ratios(seconds[engine], seconds["creditloop"]),
            "peak_gb": float(np.median([run["peak_gb"] for run in runs])),
        }
        for engine, runs in found.items()
    }


def of_rows(rows: int, rounds: int) -> dict[str, Any]:
    """A book of so many rows: by all engines to a million, without pandas to ten, by ours alone beyond, once."""
    engines = ENGINES if rows <= 1_000_000 else ENGINES[:3] if rows <= 10_000_000 else ENGINES[:1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statements.parquet"
        write_book(path, rows, 11)
        found = book(path, engines, rounds if rows <= 10_000_000 else 1)
    for name, value in found.items():
        times = value["seconds"] / found["creditloop"]["seconds"]
        print(f"{rows:>12,} rows  {name:<11} {value['seconds']:>7.2f} s ({value['low']:.2f} to {value['high']:.2f})"
              f"  peak {value['peak_gb']:.2f} GB  {times:.2f}x", flush=True)  # fmt: skip
    return found


def by_turns(rows: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round of Dask on a book of so many rows, by the number of workers."""
    found: dict[str, list[float]] = {"1": [], "2": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statements.parquet"
        write_book(path, rows, 11)
        for _, workers in itertools.product(range(rounds), found):
            found[workers].append(by_dask(path, int(workers)))
    return found


def work(engine: str, path: Path) -> None:
    """One run in this process, after a warm-up on a single customer."""
    run = RUNS[engine]
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "statements.parquet"
        write_book(small, MONTHS * 10, 1)
        run(small)
    started = time.perf_counter()
    values = run(path)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": seconds, "peak_gb": peak, "checksum": float(np.nansum(values.mean(axis=0)))}))


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dask", type=int, default=0, metavar="ROWS", help="a book of so many rows on 1 and 2 workers")
    parser.add_argument("--worker", choices=ENGINES)
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker, arguments.file)
        return
    run = begun(dt.datetime.now(dt.UTC), (11,), "lowest and highest of the rounds; ratios of engines in one round")
    single = one_customer(max(5, arguments.rounds))
    for name, value in single.items():
        times = value["median"] / single["creditloop"]["median"]
        print(
            f"one customer  {name:<11} {value['median']:>7.0f} us ({value['low']:.0f}-{value['high']:.0f}) {times:.1f}x"
        )
    books = {str(rows): of_rows(rows, arguments.rounds) for rows in arguments.rows}
    dask = by_turns(arguments.dask, arguments.rounds) if arguments.dask else {"1": [], "2": []}
    print({workers: f"{np.median(seconds):.2f} s" for workers, seconds in dask.items() if seconds})
    found = {"one_customer_us": single, "books": books, "dask_seconds": dask, "rounds": arguments.rounds}
    print(keep("features", found, run))


if __name__ == "__main__":
    main()
