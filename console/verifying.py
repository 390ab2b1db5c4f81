"""Verify the ledger in a process of its own, so that no decision waits for it; how far it is, and what came of it.

    python -m console.verifying

reads CREDITLOOP_HOME and writes one line of JSON for each thousand records, and one for the result.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.errors import CreditloopError
from configs.settings import Settings, home_folder, load_settings
from serving import checkpoint
from serving.ledger import open_ledger
from serving.verify_ledger import Breach, read_anchors


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a verification is: `state` is never, running, held or broken."""

    state: str = "never"
    done: int = 0
    of: int = 0
    checkpoints: int = 0
    head: str = ""
    told: str = ""
    at: str = ""
    by: str = ""
    seconds: float = 0.0


class Verification:
    """The last verification this process started. Safe for several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._progress = Progress()
        self._process: subprocess.Popen[str] | None = None

    def start(self, records: int, by: str, at: str) -> None:
        """Start one over `records`, unless one is running."""
        with self._turn:
            if self._progress.state == "running":
                return
            self._progress = Progress("running", of=records, by=by, at=at)
            environment = {**os.environ, "CREDITLOOP_HOME": str(self._settings.home)}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "console.verifying"],
                cwd=Path(__file__).parents[1], env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            threading.Thread(target=self._follow, args=(self._process,), name="verification", daemon=True).start()

    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def close(self) -> None:
        """End one that is running."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def _follow(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        begun, last = time.monotonic(), self._progress
        with process, process.stdout:
            for line in process.stdout:
                last = Progress(**{**asdict(last), **json.loads(line), "seconds": time.monotonic() - begun})
                self._progress = last
        if last.state == "running":
            told = f"the verification ended without a result, exit code {process.returncode}"
            self._progress = Progress(**{**asdict(last), "state": "broken", "told": told})


def main() -> int:
    """Verify the ledger of CREDITLOOP_HOME."""
    os.nice(10)
    settings = load_settings(home_folder())
    try:
        anchor = settings.serving.anchor
        anchors = read_anchors(Path(anchor), checkpoint.witnesses(settings.signing)) if anchor else []
        count, head = open_ledger(settings).verify(anchors, lambda done: _tell(done=done))
    except (CreditloopError, Breach) as error:
        _tell(state="broken", told=str(error))
        return 1
    _tell(state="held", done=count, of=count, head=head, checkpoints=len(anchors))
    return 0


def _tell(**values: object) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    sys.exit(main())
