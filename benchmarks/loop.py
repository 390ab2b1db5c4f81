"""Once round the loop, as `creditloop demo` goes: simulate, train, serve, plant a fault, watch, retrain, gate, promote.

Seconds on the wall, and of the processor in all its processes.
Run: python -m benchmarks.loop [--customers 6000] [--products consumer_platform,trade_credit] [--seed 2026]
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import ROOT, begun, keep


def main() -> None:
    """Go round once, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=6000, help="of each portfolio")
    parser.add_argument("--products", default="consumer_platform,trade_credit")
    parser.add_argument("--seed", type=int, default=2026)
    arguments = parser.parse_args()
    run = begun(dt.datetime.now(dt.UTC), (arguments.seed,), "one run")
    with tempfile.TemporaryDirectory(prefix="creditloop-loop-") as folder:
        wall, processor = demo(Path(folder), arguments.customers, arguments.products, arguments.seed)
    print(f"{wall:.0f} s, {processor:.0f} s of the processor")
    values = {"wall_seconds": wall, "cpu_seconds": processor, "customers": arguments.customers}
    print(keep("loop", values | {"products": arguments.products.split(",")}, run))


def demo(home: Path, customers: int, products: str, seed: int) -> tuple[float, float]:
    """Run the demo in `home`; seconds on the wall and of the processor."""
    words = ["--customers", str(customers), "--products", products, "--seed", str(seed)]
    environment = {**os.environ, "CREDITLOOP_HOME": str(home), "PYTHONPATH": str(ROOT)}
    before, started = _processor(), time.monotonic()
    subprocess.run([sys.executable, "-m", "creditloop", "demo", *words], cwd=ROOT, env=environment, check=True)
    return time.monotonic() - started, _processor() - before


def _processor() -> float:
    """Seconds of all child processes that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
