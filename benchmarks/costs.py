"""What a decision, a record, a scored, a monitored and a trained row cost in processor time: unit prices of scaling.

Processor seconds, all threads, so that a busy machine changes them little; wall time where the disk is what one waits
for. On a simulated portfolio in a home of its own.
Run: python -m benchmarks.costs [--customers 4000] [--trials 4] [--quick]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.common import begun, keep
from configs.settings import Settings, load_product, load_settings
from demo.asking import requests_of
from features import load
from features.contracts import to_day
from features.simulate import Portfolio, Scenario, simulate
from monitoring import watch
from monitoring.drift import windows
from serving.api import DecideRequest
from serving.decide import decide, question_of
from serving.ledger import Entry, Ledger
from serving.live import entry_of, new_id
from serving.score import Scorer, make_scorer
from serving.vault import Vault
from training import pipeline

QUICK = {"trials": 1, "folds": 2, "max_rounds": 60, "early_stopping_rounds": 10}
NAME, MONTH, TAUGHT, SEED = "consumer_platform", 20, range(0, 9, 2), 2027


def processor(run: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of `run`, and what it gave."""
    started = time.process_time()
    made = run()
    return time.process_time() - started, made


def decisions(scorer: Scorer, portfolio: Portfolio, tables: dict[str, Any], count: int) -> tuple[float, list[Entry]]:
    """Processor seconds a decision (read, decided, written as an entry; no HTTP), and the entries."""
    customers = portfolio.customer_id[portfolio.standing(MONTH)[:count]]
    asked = [msgspec.json.encode(one) for one in requests_of(scorer.product, tables, customers, _day(portfolio))]
    decoder = msgspec.json.Decoder(DecideRequest)

    def one(body: bytes) -> Entry:
        request = decoder.decode(body)
        assert request.as_of is not None
        question = question_of(request, request.as_of, "en", 4)
        return entry_of(scorer, question, None, *decide(scorer, question, new_id()))

    one(asked[0])
    seconds, entries = processor(lambda: [one(body) for body in asked])
    return seconds / len(asked), entries


def records(entries: list[Entry], group: int) -> dict[str, float]:
    """Microseconds a record, in transactions of `group`, sealed, on SQLite: processor and wall; bytes on the disk."""
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "ledger.db"
        with closing(Ledger(f"sqlite:///{path}", Vault(Path(made) / "key"))) as ledger:
            started, before = time.perf_counter(), path.stat().st_size
            groups = [entries[at : at + group] for at in range(0, len(entries), group)]
            seconds, _ = processor(lambda: [ledger.append(some) for some in groups])
            wall = time.perf_counter() - started
        size = path.stat().st_size - before
    return {
        "processor_us": 1e6 * seconds / len(entries),
        "wall_us": 1e6 * wall / len(entries),
        "bytes": size / len(entries),
    }


def _day(portfolio: Portfolio) -> Any:
    return portfolio.month_ends[MONTH]


def measure(settings: Settings, customers: int, count: int) -> dict[str, Any]:
    """All unit prices on a portfolio of so many customers."""
    product = load_product(NAME, settings.home)
    portfolio = simulate(Scenario(customers, SEED, months=24))
    raw = {**portfolio.tables, "outcomes": portfolio.outcomes(TAUGHT).drop(columns="true_pd")}
    tables = load.check_tables(raw, product, "simulation")
    now, as_of = to_day(portfolio.month_ends[-1].date()), to_day(_day(portfolio).date())
    trained, made = processor(
        lambda: pipeline.train(product, tables, settings, now, None, lambda *_: None, lambda _: None)
    )
    rows = made.bundle.training["parts"]["train"]["rows"]
    scorer = make_scorer(made.bundle, product)
    per_decision, entries = decisions(scorer, portfolio, dict(portfolio.tables), count)
    days = np.full(len(portfolio.customer_id), as_of, np.int32)
    scored, _ = processor(lambda: scorer.score(tables, portfolio.customer_id, days))
    window = windows.from_tables(scorer, tables, as_of)
    monitored, _ = processor(
        lambda: watch.run(window, made.bundle, None, settings, as_of, False, lambda _: None, product=product)
    )
    return {
        "trained_row_us": 1e6 * trained / rows,
        "trained_rows": rows,
        "trees": made.bundle.booster.num_trees(),
        "decision_us": 1e6 * per_decision,
        "request_bytes": float(np.mean([len(entry.body) for entry in entries])),
        "record": {group: records(entries, group) for group in (1, 16, 64)},
        "scored_customer_us": 1e6 * scored / len(days),
        "monitored_row_us": 1e6 * monitored / len(window.customer_id),
        "monitored_rows": len(window.customer_id),
    }


def main() -> None:
    """Measure, keep, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--decisions", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="a model of 60 trees, hardly tuned: a look, nothing kept")
    arguments = parser.parse_args()
    run = begun(dt.datetime.now(dt.UTC), (SEED,), "one run")
    home = Path(tempfile.mkdtemp(prefix="creditloop-costs-"))
    try:
        training = {"trials": arguments.trials, "threads": 1} | (QUICK if arguments.quick else {})
        settings = load_settings(
            home, {"training": training} | ({"explanation": {"refits": 0}} if arguments.quick else {})
        )
        measured = measure(settings, arguments.customers, arguments.decisions)
    finally:
        shutil.rmtree(home)
    print(json.dumps(measured, indent=1) if arguments.quick else keep("costs", measured, run).read_text())


if __name__ == "__main__":
    main()
