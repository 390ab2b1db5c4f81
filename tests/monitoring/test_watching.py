"""`creditloop monitor watch` as a process: it starts, goes a round at once, and ends in order when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from configs.settings import load_settings
from serving import champion
from serving.ledger import open_ledger

NAME = "consumer_platform"


def test_the_watch_starts_goes_a_round_and_ends_on_sigterm(world, tmp_path: Path, repository: Path) -> None:
    for name in ("bundles", "signing"):
        (tmp_path / name).symlink_to(world.home / name)
    ledger = open_ledger(load_settings(tmp_path))
    champion.promote(ledger, world.bundle, None, "a test", "the first model", "2025-01-01T00:00:00+00:00")
    environment = {**os.environ, "CREDITLOOP_HOME": str(tmp_path), "PYTHONPATH": str(repository)}
    words = ["monitor", "watch", "--product", NAME, "--ledger", "--no-evidently"]
    running = subprocess.Popen(
        [sys.executable, "-m", "creditloop", *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        assert "Wait" in running.stdout.readline()  # the first round: there are no decisions yet
        running.send_signal(signal.SIGTERM)
        told, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert (running.returncode, told.strip()) == (0, "stopped after 1 runs"), errors
    assert ledger.latest("verdict", NAME) is not None
    assert (tmp_path / "metrics" / f"{NAME}.prom").exists()
    assert "Traceback" not in errors
