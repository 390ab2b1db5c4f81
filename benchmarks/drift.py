"""The drift verdict of 60 columns at several sizes, beside Evidently's on the same rows (to 100,000), as ratios.

Ours: chunks of 100,000 rows drawn, counted and let go, then PSI, KS and FDR of all columns. Evidently: its preset. Each
measurement in a fresh process; drawing the rows is not timed. Peak memory is of the whole process, rows included.
Run: python -m benchmarks.drift [--rows 20000 100000 1000000 10000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import begun, keep

COLUMNS, REFERENCE, CHUNK, MOVED = 60, 20_000, 100_000, 3
EVIDENTLY_ROWS = 100_000


def drawn(rows: int, seed: int, shift: float) -> np.ndarray:
    """(rows, columns): heavy tails, gaps and counts; the first MOVED columns shifted."""
    rng = np.random.default_rng(seed)
    values = rng.lognormal(sigma=0.8, size=(rows, COLUMNS))
    values[:, :MOVED] += shift
    values[:, -10:] = np.round(values[:, -10:])
    values[rng.random(rows) < 0.05, 20:25] = np.nan
    return values


def chunks(rows: int) -> Iterator[np.ndarray]:
    """The window, so many rows at a time."""
    for first in range(0, rows, CHUNK):
        yield drawn(min(CHUNK, rows - first), 1 + first, 0.3)


def ours(rows: int) -> tuple[float, int]:
    """Seconds, and columns found to have moved."""
    from configs.settings import load_settings
    from features.declaration import Constant, Feature
    from monitoring.drift.reference import make_reference
    from monitoring.drift.stability import stabilities

    bounds = load_settings(Path(os.devnull)).monitoring
    features = [Feature(f"f{i}", "column", Constant(0.0), "", "", "unknown", "", "") for i in range(COLUMNS)]
    then = drawn(REFERENCE, 0, 0.0)
    reference = make_reference(features, then, np.full(REFERENCE, 0.03), np.zeros(REFERENCE), 1.0, bounds)
    reference.count(then[:10], np.zeros(10))  # compiled, or read from the cache
    total, seconds = None, 0.0
    for chunk in chunks(rows):
        started = time.perf_counter()
        counted = reference.count(chunk, np.full(len(chunk), 0.03))
        total = counted if total is None else total + counted
        seconds += time.perf_counter() - started
    assert total is not None
    started = time.perf_counter()
    found = stabilities(total, reference.counted, reference.grid, reference.sizes(rows), bounds)
    return seconds + time.perf_counter() - started, sum(item.moved for item in found)


def evidently(rows: int) -> tuple[float, int]:
    """Seconds, and columns of which Evidently says that they drifted."""
    import pandas as pd

    os.environ["DO_NOT_TRACK"] = "true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        names = [f"f{i}" for i in range(COLUMNS)]
        now, then = (
            pd.DataFrame(side, columns=names) for side in (np.concatenate(list(chunks(rows))), drawn(REFERENCE, 0, 0.0))
        )
        started = time.perf_counter()
        definition = DataDefinition(numerical_columns=names)
        sides = [Dataset.from_pandas(frame, definition) for frame in (now, then)]
        told = Report([DataDriftPreset()]).run(*sides).dict()
        seconds = time.perf_counter() - started
    counted = next(metric["value"] for metric in told["metrics"] if "DriftedColumnsCount" in str(metric))
    return seconds, int(counted["count"])


ENGINES = {"creditloop": ours, "evidently": evidently}


def measured(engine: str, rows: int) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.drift", "--one", engine, str(rows)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "ROWS"), help="measure once, here, and print JSON")
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    arguments = parser.parse_args()
    if arguments.one:
        seconds, moved = ENGINES[arguments.one[0]](int(arguments.one[1]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "moved": moved, "peak_mb": peak}))
        return
    run = begun(dt.datetime.now(dt.UTC), (0, 1), "lowest and highest of the rounds; ratios in one round")
    table = []
    for rows in arguments.rows:
        engines = list(ENGINES) if rows <= EVIDENTLY_ROWS else ["creditloop"]
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in engines}
        for _ in range(arguments.rounds):
            for name in engines:
                runs[name].append(measured(name, rows))
        row: dict[str, Any] = {"rows": rows, "engines": {name: _median(found) for name, found in runs.items()}}
        if len(engines) == 2:
            pairs = zip(runs["evidently"], runs["creditloop"], strict=True)
            row["ratios"] = [theirs["seconds"] / ours["seconds"] for theirs, ours in pairs]
        table.append(row)
        print(json.dumps(row))
    if not arguments.dry:
        keep("drift", {"columns": COLUMNS, "reference_rows": REFERENCE, "really_moved": MOVED, "table": table}, run)


def _median(found: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(run[key] for run in found) for key in found[0]}


if __name__ == "__main__":
    main()
