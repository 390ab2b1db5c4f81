"""Verify the ledger in a process of its own, so that no decision waits for it; how far it is, and what came of it.

    python -m console.verifying --by NAME --at TIME

reads CREDITLOOP_HOME. How far it is stands in a file of the home, so every worker can tell, and the next service too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec

from configs.errors import CreditloopError
from configs.settings import Settings, home_folder, load_settings
from configs.whole import whole
from serving import checkpoint
from serving.ledger import open_ledger
from serving.verify_ledger import Breach, read_anchors

FILE = "console-verification.json"


class Progress(msgspec.Struct, frozen=True):
    """How far a verification is; `process` is the one that does it."""

    state: Literal["never", "running", "held", "broken"] = "never"
    done: int = 0
    of: int = 0
    checkpoints: int = 0
    head: str = ""
    told: str = ""
    at: str = ""
    by: str = ""
    seconds: float = 0.0
    process: int = 0


def start(settings: Settings, by: str, at: str) -> None:
    """Start one, unless one is running."""
    if progress(settings).state == "running":
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "console.verifying", "--by", by, "--at", at],
        cwd=Path(__file__).parents[1], env={**os.environ, "CREDITLOOP_HOME": str(settings.home)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _write(settings.home, Progress("running", at=at, by=by, process=process.pid))
    threading.Thread(target=process.wait, name="verification", daemon=True).start()  # else it would stay, as a zombie


def progress(settings: Settings) -> Progress:
    """How far the last one is."""
    try:
        found = msgspec.json.decode((settings.home / FILE).read_bytes(), type=Progress)
    except FileNotFoundError:
        return Progress()
    if found.state == "running" and not _lives(found.process):
        return msgspec.structs.replace(found, state="broken", told="it was ended before it had a result")
    return found


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _write(home: Path, made: Progress) -> None:
    with whole(home / FILE) as unfinished:
        unfinished.write_bytes(msgspec.json.encode(made))


def main(argv: Sequence[str] | None = None) -> int:
    """Verify the ledger of CREDITLOOP_HOME."""
    parser = argparse.ArgumentParser(prog="console.verifying", description="Verify the ledger for the console.")
    parser.add_argument("--by", required=True, help="who asked for it")
    parser.add_argument("--at", required=True, help="when")
    arguments = parser.parse_args(argv)
    os.nice(10)
    settings = load_settings(home_folder())
    begun = Progress("running", at=arguments.at, by=arguments.by, process=os.getpid())
    started = time.monotonic()
    try:
        made = _verified(settings, begun)
    except (CreditloopError, Breach) as error:
        made = msgspec.structs.replace(begun, state="broken", told=str(error))
    _write(settings.home, msgspec.structs.replace(made, seconds=time.monotonic() - started))
    return 0 if made.state == "held" else 1


def _verified(settings: Settings, begun: Progress) -> Progress:
    anchor = settings.serving.anchor
    anchors = read_anchors(Path(anchor), checkpoint.witnesses(settings.signing)) if anchor else []
    with closing(open_ledger(settings)) as ledger:
        of = ledger.head()[0]

        def tell(done: int) -> None:
            _write(settings.home, msgspec.structs.replace(begun, done=done, of=of))

        count, head = ledger.verify(anchors, tell)
    return msgspec.structs.replace(begun, state="held", done=count, of=count, head=head, checkpoints=len(anchors))


if __name__ == "__main__":
    sys.exit(main())
