"""A real S3-compatible server of a test's own, on loopback, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """HOST:PORT of one that runs, its log in `folder`, for as long as the block; skips the test where there is none."""
    if find_spec("moto") is None:
        pytest.skip("no S3 server here: pip install 'moto[s3]'")
    command, log = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"], folder / "log"
    with log.open("w", encoding="utf-8") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield _place(running, log)
    finally:
        running.terminate()
        running.wait(timeout=30)


def _place(running: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(600):
        told = re.search(r"Running on http://(\S+:\d+)", log.read_text(encoding="utf-8"))
        if told or running.poll() is not None:
            break
        time.sleep(0.1)
    assert told, log.read_text(encoding="utf-8")
    return told[1]
