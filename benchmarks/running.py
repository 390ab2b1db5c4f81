"""Benchmarks one after the other, each in a process of its own, one at a time on a machine."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import environments
from benchmarks.catalogue import Benchmark, Words, filled
from benchmarks.common import BUSY, ELSEWHERE, ROOT, busy
from configs.errors import Refusal

LOCK = Path(tempfile.gettempdir()) / "creditloop-benchmarks.lock"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a benchmark ended: nothing where all was well, else what went wrong."""

    name: str
    seconds: float
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run: in full or small, the folder of data sets, arguments that come last, and where results go.

    `anew`: what lies there is forgotten first; studies go on where they stopped otherwise.
    """

    small: bool
    data: Path
    more: Words
    into: Path
    anew: bool = False

    def commands(self, benchmark: Benchmark, peers: str) -> list[list[str]]:
        """The arguments of each run of a benchmark."""
        places = {"data": self.data, "peers": peers}
        return [
            [*filled(words, places), *self.more] for words in ((benchmark.small,) if self.small else benchmark.full)
        ]


def run_all(chosen: Sequence[Benchmark], plan: Plan, say: Say) -> Iterator[Ended]:
    """Each benchmark in turn; one that fails does not stop the others. Refusal: another run holds the machine."""
    with alone(LOCK):
        for place, benchmark in enumerate(chosen, 1):
            about = "a look" if plan.small else f"about {benchmark.minutes:g} min"
            say(f"[{place} of {len(chosen)}] {benchmark.name}: {benchmark.title}, {about}")
            if (share := busy()) is not None and share > BUSY:
                say(f"    others take {share:.0%} of the machine: believe no seconds measured now")
            ended = run_one(benchmark, plan, say)
            say(f"    {ended.wrong or 'done'}, after {ended.seconds:,.0f} s")
            yield ended


def run_one(benchmark: Benchmark, plan: Plan, say: Say) -> Ended:
    """Every run of one benchmark, in the environment of its peers where it has some."""
    started = time.monotonic()
    try:
        peers = str(environments.python_of(benchmark.peers, say)) if benchmark.peers else ""
        python = sys.executable if not peers or benchmark.is_told_of_peers else peers
        for name in benchmark.kept if plan.anew else ():
            (plan.into / f"{name}.json").unlink(missing_ok=True)
        for words in plan.commands(benchmark, peers):
            say(f"    python -m {benchmark.module} {' '.join(words)}")
            command = [python, "-m", benchmark.module, *words]
            subprocess.run(command, cwd=ROOT, env=_environment(plan), check=True)
    except subprocess.CalledProcessError as error:
        return Ended(benchmark.name, time.monotonic() - started, f"failed with code {error.returncode}")
    return Ended(benchmark.name, time.monotonic() - started)


def _environment(plan: Plan) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), ELSEWHERE: str(plan.into)}


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Held while benchmarks run on this machine, whatever checkout they are of. Refusal: somebody holds it."""
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal("benchmarks run on this machine already: two at a time would time each other") from None
        yield
