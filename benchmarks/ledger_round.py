"""What a round of the monitor reads of a ledger with many decisions: each reader's time and peak memory.

A ledger is made of one body with other numbers in it, a seventh of it with an outcome; then the decisions are read once
(`decisions.read`), outcomes are held against them, and a challenger looks for what is new to it. Every reader runs in a
fresh process. Run: python -m benchmarks.ledger_round [--decisions 200000] [--months 12]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.common import begun, keep
from configs.settings import load_product
from features.catalogue import compile_program, product_features
from monitoring.drift import decisions
from monitoring.outcomes import claims
from serving.ledger import Entry, Ledger, canonical

PRODUCT, MODEL, BATCH = "consumer_platform", "the champion", 1000


def model(home: Path) -> Any:
    """As much of a bundle as a reader looks at."""
    program = compile_program(product_features(load_product(PRODUCT, home), {}))
    return SimpleNamespace(program=program, product=PRODUCT, version=MODEL)


def fill(ledger: Ledger, bundle: Any, count: int, months: int) -> int:
    """So many decisions, spread over the months before 2025, and outcomes; the bytes of one body."""
    rng = np.random.default_rng(1)
    months_of = [{"month": f"2024-{m % 12 + 1:02d}-28", "balance": 812.55, "inflow": 1910.4} for m in range(months)]
    statement = [{**row, "amount_due": 160.0, "amount_paid": 171.5, "days_past_due": 0} for row in months_of]
    body = b""
    for first in range(0, count, BATCH):
        features = rng.lognormal(size=(BATCH, len(bundle.program.names))).tolist()
        entries = []
        for place, values in enumerate(features, first):
            day = f"2024-{1 + 12 * place // count:02d}-15"
            body = canonical(
                {
                    "question": {"requested_amount": 500.0, "records": {"statements": statement}},
                    "evidence": {"features": values, "contributions": values, "raw_score": -3.2},
                    "answer": {
                        "as_of": day,
                        "model": MODEL,
                        "customer_id": f"c{place}",
                        "default_probability": 0.03,
                        "decision": "approve",
                        "limit": 500.0,
                    },
                }
            )
            entries.append(Entry(f"d-{place}", "decision", PRODUCT, f"c{place}", f"{day}T10:00:00+00:00", body))
            if place % 7 == 0:
                told = {"decision_id": f"d-{place}", "defaulted": place % 5 == 0, "on": "2025-01-01"}
                at = "2025-01-02T00:00:00+00:00"
                entries.append(Entry(f"o-{place}", "outcome", PRODUCT, f"d-{place}", at, canonical(told)))
        ledger.append(entries)
    return len(body)


def one(reader: str, home: Path) -> dict[str, float]:
    """Seconds of CPU and peak memory of one reader, here."""
    ledger, bundle = Ledger(f"sqlite:///{home}/ledger.db"), model(home)
    about = decisions.read(ledger, bundle).about if reader == "outcomes" else {}
    started = time.process_time()
    if reader == "decisions":
        rows = len(decisions.read(ledger, bundle).as_of)
    elif reader == "outcomes":
        rows = len(claims.recorded(ledger, PRODUCT, about, 30_000).claims)
    else:
        last = ledger.head()[0] - 1000
        rows = sum(1 for _ in ledger.records("decision", PRODUCT, last))
    seconds = time.process_time() - started
    return {"rows": rows, "cpu_seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Fill, measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=200_000)
    parser.add_argument("--months", type=int, default=12, help="of statements with each question")
    parser.add_argument("--one", nargs=2, metavar=("READER", "HOME"), help="measure once, here, and print JSON")
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(arguments.one[0], Path(arguments.one[1]))))
        return
    run = begun(dt.datetime.now(dt.UTC), (1,), "one run")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        size = fill(Ledger(f"sqlite:///{home}/ledger.db"), model(home), arguments.decisions, arguments.months)
        found: dict[str, Any] = {"recorded": arguments.decisions, "body_bytes": size}
        for reader in ("decisions", "outcomes", "new decisions"):
            command = [sys.executable, "-m", "benchmarks.ledger_round", "--one", reader, folder]
            told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout
            found[reader] = json.loads(told.splitlines()[-1])
            print(reader, found[reader], flush=True)
    if not arguments.dry:
        keep("ledger_round", found, run)


if __name__ == "__main__":
    main()
