"""A program under strace: its system calls counted, made to fail, or the end of it: at exactly which one is chosen."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

WRITES = ("pwrite64", "write", "fdatasync", "fsync", "ftruncate", "unlink", "rename", "link")
"""The system calls by which anything changes on a disk."""
ROOT = Path(__file__).parents[2]
_CALL = re.compile(rf"^\d+ +({'|'.join(WRITES)})\(", re.MULTILINE)


def require() -> None:
    """Skip the test where no program can be traced."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here (Debian: apt-get install strace)")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")


def run(script: str, arguments: Sequence[str], folder: Path, inject: str = "") -> tuple[int, list[str], dict[str, int]]:
    """Run Python text under strace: exit code, lines it printed, how often each of WRITES was called.

    `inject` as strace has it: SYSCALL:error=EIO:when=3, SYSCALL:signal=SIGKILL:when=3.
    """
    trace = folder / "trace"
    extra = ["-e", f"inject={inject}"] if inject else []
    if "signal=" not in inject:
        extra.append("--seccomp-bpf")  # stops at WRITES only, in half the time; strace 6.1 then sends no signal
    command = ["strace", "-f", "-o", trace, "-e", f"trace={','.join(WRITES)}", *extra]
    ended = subprocess.run(
        [*command, sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    calls = _CALL.findall(trace.read_text(errors="replace"))
    return ended.returncode, ended.stdout.splitlines(), {name: calls.count(name) for name in WRITES}
