"""PDs of many rows at once: raw score, calibrated PD, points and grade by our scorer, beside `Booster.predict` alone.

The same model and the same matrix; the Booster as a user calls it, on all cores, and on one thread. The sides take
turns, so that each round gives one ratio. Raw scores are held equal bit for bit first.
Run: python -m benchmarks.batch [--rows 100000] [--rounds 9]
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.common import begun, keep
from benchmarks.customers_book import product_of, train
from serving.score import make_scorer
from training import bundle as bundles
from training.signature import trusted_in

SEED = 5


def main() -> None:
    """Train a model, score in turns, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    run = begun(dt.datetime.now(dt.UTC), (11, SEED), "lowest and highest ratio of the rounds")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        scorer = make_scorer(bundles.load(train(home), trusted_in(home)), product_of(home))
        booster = scorer.bundle.booster
        taught = scorer.bundle.reference()[list(scorer.bundle.program.names)].to_numpy(float)
    values = taught[np.random.default_rng(SEED).integers(0, len(taught), arguments.rows)]
    assert (scorer.scored(values).raw_score == booster.predict(values, raw_score=True)).all()
    sides: dict[str, Callable[[], Any]] = {
        "ours": lambda: scorer.scored(values),
        "booster": lambda: booster.predict(values),
        "booster_one_thread": lambda: booster.predict(values, num_threads=1),
    }
    rounds = [{name: _seconds(side) for name, side in sides.items()} for _ in range(arguments.rounds)]
    found = {
        "rows": arguments.rows,
        "trees": booster.num_trees(),
        "seconds": {name: median(one[name] for one in rounds) for name in sides},
        "ratios": {name: [one["ours"] / one[name] for one in rounds] for name in list(sides)[1:]},
    }
    for name, ratios in found["ratios"].items():
        print(f"ours over {name}: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(keep("batch", found, run))


def _seconds(side: Callable[[], Any]) -> float:
    started = time.perf_counter()
    side()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
