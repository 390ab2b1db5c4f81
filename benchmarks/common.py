"""What every benchmark shares: a run in words (when, which code, on what), and the one door for results."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from configs.whole import whole

ROOT = Path(__file__).parents[1]
ELSEWHERE = "CREDITLOOP_BENCHMARKS"  # names another folder for results: a look replaces nothing measured in full
BUSY = 0.2  # share of the cores that others take, from which a figure of time is worth little
_STACK = ("lightgbm", "optuna", "numpy", "numba", "scikit-learn", "pandas", "bentoml", "mlflow", "evidently")
PEERS = ("polars", "duckdb", "dask", "xgboost", "catboost", "flaml", "fastapi", "uvicorn", "orjson", "shap", "nannyml")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a benchmark: when and how it was begun, by which code, and what its spread means.

    `changed` says that the code differed from `commit`; `busy` is the share of the machine's cores that other work
    took in the half second before (None where that can not be told); `peers` are versions that another Python holds.
    """

    at: str
    commit: str
    changed: bool
    command: str
    seeds: tuple[int, ...]
    spread: str
    busy: float | None
    peers: Mapping[str, str]
    began: float

    def told(self) -> dict[str, Any]:
        """As it is kept, with the seconds since it was begun."""
        names = ("at", "commit", "changed", "command", "seeds", "spread", "busy")
        return {name: getattr(self, name) for name in names} | {"seconds": round(time.monotonic() - self.began, 1)}


def begun(now: dt.datetime, seeds: Iterable[int], spread: str, peers: str | None = None) -> Run:
    """What a main begins with, at `now`, before it measures. `peers`: the Python of rivals that have their own."""
    return Run(
        at=now.isoformat(timespec="seconds"),
        commit=git("rev-parse", "--short=10", "HEAD"),
        changed=bool(git("status", "--porcelain", "--", "*.py", "*.toml", "requirements.lock")),
        command=shlex.join(["python", *sys.orig_argv[1:]]),
        seeds=tuple(seeds),
        spread=spread,
        busy=busy(),
        peers=_versions_in(peers) if peers else {},
        began=time.monotonic(),
    )


def keep(name: str, values: Mapping[str, Any], run: Run | None = None) -> Path:
    """Write a result with its machine and its run; returns where.

    Without a run: that of this moment, which knows neither seeds nor what the spread means.
    """
    run = run or begun(dt.datetime.now(dt.UTC), (), "")
    folder = results()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    kept = {"machine": machine(run.peers), "run": run.told(), **values}
    with whole(path) as unfinished:
        unfinished.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return path


def kept_as(name: str) -> dict[str, Any]:
    """A result as it was kept last; nothing where it never was."""
    path = results() / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def results() -> Path:
    """The folder of results."""
    return Path(os.environ.get(ELSEWHERE) or ROOT / "benchmarks" / "results")


def machine(peers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The processor, cores, Python and libraries a number was measured on; `peers` are versions in another Python."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor(),
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": versions((*_STACK, *PEERS)) | dict(peers or {}),
    }


def busy(seconds: float = 0.5) -> float | None:
    """The share of all cores that anybody takes during so many seconds, in which we do nothing."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None or after[1] == before[1]:
        return None
    return round(1 - (after[0] - before[0]) / (after[1] - before[1]), 2)


def _ticks() -> tuple[int, int] | None:
    """Ticks that the cores have idled or waited for a disk since the machine began, and all (Linux)."""
    first = next(iter(_lines(Path("/proc/stat"))), "")
    ticks = [int(number) for number in first.split()[1:9]]
    return (ticks[3] + ticks[4], sum(ticks)) if len(ticks) == 8 else None


def versions(names: Sequence[str]) -> dict[str, str]:
    """Of those that are installed here."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _versions_in(python: str) -> dict[str, str]:
    program = "import json; from benchmarks.common import PEERS, versions; print(json.dumps(versions(PEERS)))"
    told = subprocess.run([python, "-c", program], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(told.stdout)


def git(*words: str) -> str:
    """What git says of this tree; nothing where it is no repository."""
    try:
        ran = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return ran.stdout.strip()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
