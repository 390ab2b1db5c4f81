"""A book of customers reviewed twice, and looked over for early signs: time a customer and peak memory, by size.

Each size runs in a fresh process on a simulated portfolio written to disk before. The second review follows the first,
so it moves grades and gives reasons. Run: python -m benchmarks.customers_book [--sizes 10000 100000 1000000]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import begun, keep
from configs.customers import CustomerRules, Indicator, ReviewRules
from configs.settings import Product, load_product, load_settings
from features import load
from features.contracts import to_day
from features.portfolio import Tally
from features.simulate import Scenario, simulate, write
from features.sources import open_source
from monitoring.customers import review_report
from monitoring.customers.indicators import hits, make_reader
from monitoring.customers.review import Previous, make_question, review
from monitoring.customers.warning import look_over
from serving.score import make_scorer
from training import bundle as bundles
from training import pipeline
from training.signature import trusted_in

NAME = "consumer_platform"
FIRST, SECOND, MONTHS = 9, 12, 13
SIGN: dict[str, Any] = {"operator": ">=", "level": "high", "action": "Call", "owner": "clerk", "due_days": 5}
RULES = CustomerRules(
    review=ReviewRules(exposure_feature="balance_last"),
    warnings=(
        Indicator(name="late", feature="days_past_due_last", bound=30.0, **SIGN),
        Indicator(name="doubled", feature="default_probability", compare="ratio", window_months=3, bound=2.0, **SIGN),
    ),
)


def product_of(home: Path) -> Product:
    """The product with rules for its customers."""
    return load_product(NAME, home).model_copy(update={"customers": RULES})


def train(home: Path) -> Path:
    """A small model of the product; returns the folder of its bundle."""
    settings = load_settings(home, {"training": {"trials": 1, "max_rounds": 300, "threads": 1}})
    portfolio = simulate(Scenario(8000, 11, months=24))
    product = product_of(home)
    outcomes = portfolio.outcomes(range(0, 9, 2)).drop(columns="true_pd")
    tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")
    now = to_day(portfolio.month_ends[20].date())
    return pipeline.train(product, tables, settings, now, None, lambda *_: None, lambda _: None).bundle.folder


def measure(home: Path, bundle: Path, data: Path) -> dict[str, Any]:
    """Seconds of each step and peak memory, of this process."""
    product = product_of(home)
    scorer = make_scorer(bundles.load(bundle, trusted_in(home)), product)
    source = open_source([str(data)])
    days = [to_day(day.date()) for day in simulate(Scenario(1, 1, months=MONTHS)).month_ends[[FIRST, SECOND]]]
    seconds: dict[str, float] = {}
    previous = None
    for step, day in zip(("first review", "second review"), days, strict=True):
        started = time.process_time()
        parts = review(make_question(scorer, day, previous), source, Tally("the book", 0.0), lambda *_: None)
        kept, _, told = review_report.keep(parts, scorer.product, "m", day, None, data / "reviews", "2026-01-31")
        previous = Previous(day, kept.parquet)
        seconds[step] = time.process_time() - started
    started = time.process_time()
    reader = make_reader(scorer)
    looks = look_over(reader, source, days[-1], Tally("the book", 0.0), lambda *_: None)
    warned = sum(int(hits(reader.indicators, look.values).any(1).sum()) for look in looks)
    customers = told["customers"]
    seconds["early signs"] = time.process_time() - started
    return {
        "customers": customers,
        "moved": told["moves"],
        "warned": warned,
        "seconds": seconds,
        "microseconds_a_customer": {step: 1e6 * value / customers for step, value in seconds.items()},
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "mean_pd": told["mean_pd"],
    }


def main() -> None:
    """Every size in a process of its own, one JSON file for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--one", nargs=3, metavar=("HOME", "BUNDLE", "DATA"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*map(Path, arguments.one))))
        return
    run = begun(dt.datetime.now(dt.UTC), (3, 11), "one run of each size")
    results = []
    with tempfile.TemporaryDirectory(prefix="creditloop-customers-") as folder:
        home = Path(folder)
        bundle = train(home)
        for size in arguments.sizes:
            data = home / f"book-{size}"
            write(Scenario(size, 3, months=MONTHS), data, lambda *_: None)
            command = [sys.executable, "-m", "benchmarks.customers_book", "--one", str(home), str(bundle), str(data)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results.append(json.loads(done.stdout))
            print(results[-1], flush=True)
    print(keep("customers_book", {"results": results}, run))


if __name__ == "__main__":
    main()
