"""Studies of many seeds: each seed in a process of its own, its result kept at once, a rerun does what is missing."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from benchmarks.common import RESULTS, keep

_OF_THE_RUN = ("seeds", "first", "jobs", "one", "into")  # arguments that change no result


def add_seeds(parser: argparse.ArgumentParser, seeds: int, first: int) -> None:
    """The arguments that every such study takes."""
    parser.add_argument("--seeds", type=int, default=seeds, help="how many")
    parser.add_argument("--first", type=int, default=first, help="the first seed; take fresh ones for a final run")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--one", type=int, metavar="SEED", help="this seed, here, as one line of JSON")
    parser.add_argument("--into", default=None, metavar="NAME", help="keep results under this name")


def runs(module: str, name: str, arguments: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    """All results so far, after each seed: those kept already, then each that was missing.

    `benchmarks/results/NAME.json` keeps them; results of other arguments than these are not taken up.
    """
    asked = {key: value for key, value in vars(arguments).items() if key not in _OF_THE_RUN}
    found = _kept(name, asked)
    wanted = range(arguments.first, arguments.first + arguments.seeds)
    missing = [seed for seed in wanted if seed not in {run["seed"] for run in found}]
    yield found
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for made in as_completed([pool.submit(_one, module, seed, asked) for seed in missing]):
            found.append(made.result())
            found.sort(key=lambda run: run["seed"])
            keep(name, {"arguments": asked, "runs": found})
            yield found


def _kept(name: str, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    kept = json.loads(path.read_text(encoding="utf-8"))
    return kept["runs"] if kept.get("arguments") == dict(asked) else []


def _one(module: str, seed: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    words = [f"--{key.replace('_', '-')}={value}" for key, value in asked.items() if not isinstance(value, bool)]
    words += [f"--{key.replace('_', '-')}" for key, value in asked.items() if value is True]
    started = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-m", module, f"--one={seed}", *words], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return {"seed": seed, "seconds": round(time.monotonic() - started, 1), **json.loads(told.splitlines()[-1])}
