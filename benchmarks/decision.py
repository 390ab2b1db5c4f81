"""One decision stage by stage, in CPU time: from the bytes of a request to the bytes of its durable answer.

CPU time, since what a machine's other work takes from the clock is not the decision's; of each stage and question the
quickest of several runs, then the mean over the questions. `record` commits one decision: under load many share it.
Run: python -m benchmarks.decision [--product consumer_platform] [--questions 60] [--runs 15] [--home FOLDER]
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.common import begun, keep
from benchmarks.side_by_side import bodies, furnished
from configs.settings import load_product, load_settings
from features import matrix
from features.contracts import to_day
from serving import champion
from serving.api import DecideRequest
from serving.decide import answered, data_flags, question_of, tables_of
from serving.ledger import Ledger
from serving.live import entry_of, new_id
from serving.score import Scorer
from serving.vault import Vault

STAGES = ("read", "columns", "features", "PD", "contributions", "reasons and policy", "write", "record", "answer")
_read, _write = msgspec.json.Decoder(DecideRequest), msgspec.json.Encoder()


@dataclass
class Clock:
    """The CPU microseconds of each stage of one decision."""

    at: int = 0

    def __post_init__(self) -> None:
        self.stages: dict[str, float] = {}
        self.at = time.process_time_ns()

    def tick(self, stage: str, of: Any) -> Any:
        """`of`, which the stage that ends here made."""
        now = time.process_time_ns()
        self.stages[stage] = (now - self.at) / 1e3
        self.at = time.process_time_ns()
        return of


def one(body: bytes, scorer: Scorer, ledger: Ledger) -> dict[str, float]:
    """Decide once, as serving/asking.py does for a single question, and time each stage."""
    clock = Clock()
    request = _read.decode(body)
    asked = clock.tick("read", question_of(request, dt.date(2026, 1, 1), "en", 4))
    customer, day = np.array([asked.customer_id], object), np.array([to_day(asked.as_of)], np.int32)
    tables = clock.tick("columns", tables_of(scorer, asked, asked.customer_id))
    values = clock.tick("features", matrix.build(scorer.bundle.program, tables, customer, day))
    scores = clock.tick("PD", scorer.scored(values))
    contributions = clock.tick("contributions", scorer.contributions(values)[0])
    doubts = data_flags(scorer, asked, tables, asked.customer_id, scores)
    made = answered(scorer, asked, new_id(), scores, contributions, bool(tables), doubts)
    answer, evidence = clock.tick("reasons and policy", made)
    entry = clock.tick("write", entry_of(scorer, asked, None, answer, evidence))
    clock.tick("record", ledger.append([entry]))
    clock.tick("answer", _write.encode(answer))
    return clock.stages


def measured(asked: list[bytes], run: Callable[[bytes], dict[str, float]], runs: int) -> dict[str, float]:
    """Of each stage the mean over the questions of its quickest run."""
    for body in asked[:10]:
        run(body)
    best = []
    for body in asked:
        all_runs = [run(body) for _ in range(runs)]
        best.append({stage: min(each[stage] for each in all_runs) for stage in STAGES})
    return {stage: float(np.mean([each[stage] for each in best])) for stage in STAGES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--product", default="consumer_platform")
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--customers", type=int, default=6000)
    parser.add_argument("--home", type=Path, help="kept, and used again where it holds a champion of the product")
    arguments = parser.parse_args()
    spread = f"of each stage and question the quickest of {arguments.runs} runs, then the mean over questions"
    run = begun(dt.datetime.now(dt.UTC), (1,), spread)
    with tempfile.TemporaryDirectory() as scratch:
        home = (arguments.home or Path(scratch) / arguments.product).resolve()
        if not (home / "bundles" / arguments.product).exists():
            furnished(home, arguments.customers, 4, arguments.product)
        found = Ledger(load_settings(home).stores.ledger)
        scorer = champion.champion_scorer(found, home, load_product(arguments.product, home))
        asked = [msgspec.json.encode(body) for body in bodies(home, arguments.questions, arguments.product)]
        ledger = Ledger(f"sqlite:///{scratch}/ledger.db", Vault(Path(scratch) / "key"))
        told = measured(asked, lambda body: one(body, scorer, ledger), arguments.runs)
    size = float(np.mean([len(body) for body in asked]))
    for stage, microseconds in told.items():
        print(f"{stage:>20} {microseconds:8.0f} us")
    print(f"{'all':>20} {sum(told.values()):8.0f} us of CPU, {size:,.0f} bytes a request")
    values = {"bytes": size, "features": len(scorer.bundle.program.names), **told}
    print(keep(f"decision_{arguments.product}", values, run))


if __name__ == "__main__":
    main()
