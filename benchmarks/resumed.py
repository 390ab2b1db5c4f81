"""Studies of many seeds: each seed in a process of its own, its result kept at once, a rerun does what is missing."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import t as student

from benchmarks import common

_OF_THE_RUN = ("seeds", "first", "jobs", "one", "into")  # arguments that change no result
_SPREAD = "95 % intervals of the mean over seeds (Student's t)"
Found = list[dict[str, Any]]


def add_seeds(parser: argparse.ArgumentParser, seeds: int, first: int) -> None:
    """The arguments that every such study takes."""
    parser.add_argument("--seeds", type=int, default=seeds, help="how many (%(default)s)")
    parser.add_argument("--first", type=int, default=first, help="the first seed; take fresh ones for a final run")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time (%(default)s)")
    parser.add_argument("--one", type=int, metavar="SEED", help="this seed, here, as one line of JSON")
    parser.add_argument("--into", default=None, metavar="NAME", help="keep results under this name")


def runs(module: str, name: str, arguments: argparse.Namespace, table: Callable[[Found], Any]) -> Iterator[Found]:
    """All results so far, after each seed: those kept already, then each that was missing.

    `benchmarks/results/NAME.json` keeps them, with the `table` of all; results of other arguments are not taken up.
    """
    asked = {key: value for key, value in vars(arguments).items() if key not in _OF_THE_RUN}
    found = _kept(name, asked)
    wanted = range(arguments.first, arguments.first + arguments.seeds)
    missing = [seed for seed in wanted if seed not in {run["seed"] for run in found}]
    begun = common.begun(dt.datetime.now(dt.UTC), (), _SPREAD)
    yield found
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for made in as_completed([pool.submit(_one, module, seed, asked) for seed in missing]):
            found.append(made.result() | {"commit": begun.commit})
            found.sort(key=lambda one: one["seed"])
            run = replace(begun, seeds=tuple(one["seed"] for one in found))
            common.keep(name, {"arguments": asked, "table": table(found), "runs": found}, run)
            yield found


def interval(values: Sequence[float] | np.ndarray) -> dict[str, float | None]:
    """The mean over seeds and the bounds of its 95 % interval (Student's t); None where there is too little."""
    if len(values) < 2:
        return {"mean": float(values[0]) if len(values) else None, "low": None, "high": None}
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
    half = float(student.ppf(0.975, len(values) - 1)) * error
    return {"mean": mean, "low": mean - half, "high": mean + half}


def said(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table for a terminal: intervals in words."""
    return {key: words(value) if isinstance(value, dict) and "mean" in value else value for key, value in row.items()}


def words(one: Mapping[str, float | None]) -> str:
    """`mean (low to high)`, or the mean alone of one seed."""
    mean, low, high = (one[key] for key in ("mean", "low", "high"))
    if mean is None:
        return "-"
    form = ",.0f" if abs(mean) >= 1000 else ".4g"
    return format(mean, form) + ("" if low is None or high is None else f" ({low:{form}} to {high:{form}})")


def _kept(name: str, asked: Mapping[str, Any]) -> Found:
    kept = common.kept_as(name)
    return kept["runs"] if kept.get("arguments") == dict(asked) else []


def _one(module: str, seed: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    words = [f"--{key.replace('_', '-')}={value}" for key, value in asked.items() if not isinstance(value, bool)]
    words += [f"--{key.replace('_', '-')}" for key, value in asked.items() if value is True]
    started = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-m", module, f"--one={seed}", *words], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return {"seed": seed, "seconds": round(time.monotonic() - started, 1), **json.loads(told.splitlines()[-1])}
