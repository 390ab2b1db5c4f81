"""One fault tried in a process of its own, followed while it runs; its result kept beside those before it."""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.common import git, machine
from configs.whole import whole
from tests.campaign.faults import Fault
from tests.campaign.trials import FOLLOWED, SEED, SHARE

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
RESULTS = FOLDER / "results"
_WITHOUT = ("-p", "no:cacheprovider", "-o", "faulthandler_timeout=0")  # all trials of a fault are one test: hours
Run = dict[str, Any]
"""A run as it is kept: at, tried, failed, wanted, promised, share, seed, version, commit, machine, seconds,
cpu_seconds, command, facts; failure where one failed."""


def tried(fault: Fault, share: float, seed: int, command: str, follow: Callable[[int, int], None]) -> Run:
    """Try a fault. `follow` is told how many of how many were tried. Raises RuntimeError where the test did not run
    to an end that it could tell of.
    """
    with tempfile.TemporaryDirectory(prefix="creditloop-chaos-") as made:
        followed, log = Path(made) / "followed.json", Path(made) / "log"
        started, before = time.monotonic(), _processor()
        with log.open("wb") as output:
            running = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-m", "campaign", "-s", "-q", *_WITHOUT, _node(fault)],
                cwd=ROOT,
                env={**os.environ, SHARE: str(share), SEED: str(seed), FOLLOWED: str(followed)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            while running.poll() is None:
                time.sleep(0.3)
                follow(*_so_far(followed))
        except BaseException:
            running.terminate()
            running.wait()
            raise
        follow(*_so_far(followed))
        told = _read(followed)
        if not told or (running.returncode != 0 and not told["failed"]):
            raise RuntimeError(f"{fault.name} did not run:\n{log.read_text(errors='replace')[-3000:]}")
        spent = {"seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(_processor() - before, 1)}
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    asked = {"promised": fault.count, "share": share, "seed": seed, "command": command}
    made_by = {"version": version("creditloop"), "commit": commit(), "machine": machine()}
    return {"at": now, **told, **asked, **made_by, **spent}


def commit() -> str:
    """The commit of this checkout, with a plus where files were changed, but for what these runs write themselves."""
    found = git("rev-parse", "--short", "HEAD") or "unknown"
    written = (f":!{RESULTS.relative_to(ROOT)}", ":!docs/reliability.md")
    return f"{found}+" if git("status", "--porcelain", "--", ".", *written) else found


def keep(fault: Fault, run: Run, into: Path) -> Path:
    """Add a run to those of its fault; returns where they are."""
    path = into / f"{fault.name}.json"
    with whole(path) as unfinished:
        kept = {"fault": fault.name, "runs": [*runs_of(fault, into), run]}
        unfinished.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def runs_of(fault: Fault, into: Path = RESULTS) -> list[Run]:
    """The runs of a fault that were kept, the oldest first."""
    path = into / f"{fault.name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []


def shown(runs: Iterable[Run]) -> list[Run]:
    """Of all runs the largest, the newest of those alike, and whichever failed after it."""
    kept = list(runs)
    if not kept:
        return []
    largest = max(range(len(kept)), key=lambda place: (kept[place]["tried"], place))
    return [kept[largest], *(run for run in kept[largest + 1 :] if run["failed"])]


def _node(fault: Fault) -> str:
    return str(FOLDER.relative_to(ROOT) / fault.test)


def _read(followed: Path) -> Run:
    return json.loads(followed.read_text(encoding="utf-8")) if followed.exists() else {}


def _so_far(followed: Path) -> tuple[int, int]:
    told = _read(followed)
    return told.get("tried", 0), told.get("wanted", 0)


def _processor() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
