"""The first day, lived through: every command of the tutorial and of the restore in a real shell, in their order."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PRELOADED = Path(__file__).with_name("preloaded.py")
PAGES = (
    "tutorial/README.md",
    "tutorial/application-developer.md",
    "tutorial/risk-team.md",
    "tutorial/ml-engineer.md",
    "tutorial/auditor.md",
    "operations.md",
)
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = "3210"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Step:
    """A block of commands, and what the page says that it prints (None: it does not say)."""

    commands: str
    printed: str | None


def steps(page: str) -> list[Step]:
    """The steps of a page, in order."""
    found: list[Step] = []
    for kind, text in BLOCK.findall(page):
        if kind == "sh":
            found.append(Step(text, None))
        else:
            found[-1] = Step(found[-1].commands, text)
    return found


def pattern(printed: str) -> re.Pattern[str]:
    """What a page prints: `...` within a line is anything in it, a line of `...` alone any lines."""
    lines = [r"(?:.*\n)*?" if line == "..." else _line(line) + r"\n" for line in printed.splitlines()]
    return re.compile("".join(lines))


def _line(line: str) -> str:
    return r"[^\n]*?".join(re.escape(part) for part in line.split("..."))


@pytest.mark.parametrize(
    ("printed", "real", "fits"),
    [
        ("a ... c\n", "a b c\n", True),
        ("a ... c\n", "a b\nc\n", False),
        ("a\n...\nc\n", "a\nb\nb\nc\n", True),
        ("a\n...\nc\n", "a\nc\n", True),
        ("a\n", "a\nb\n", False),
        ("1+1 (x)\n", "1+1 (x)\n", True),
        ("...\n", "", True),
    ],
)
def test_what_is_printed_is_compared_line_by_line(printed: str, real: str, fits: bool) -> None:
    assert bool(pattern(printed).fullmatch(real)) is fits


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[tuple[Step, str]]]]:
    """What each step of each page really printed; a page ends at its first failing command."""
    folder = tmp_path_factory.mktemp("day")
    port = _free_port()
    environment = _environment(folder)
    command = [sys.executable, str(PRELOADED), "serve", str(folder / "socket")]
    server = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    lived: dict[str, list[tuple[Step, str]]] = {}
    try:
        for name in PAGES:
            page = (DOCS / name).read_text(encoding="utf-8").replace(PORT, str(port))
            lived[name] = _live(steps(page), folder, environment)
        yield lived
    finally:
        _end_service(folder)
        server.kill()
        server.wait(timeout=30)
        server.stdout.close()


def _environment(folder: Path) -> dict[str, str]:
    """A shell's: `creditloop` is this source, whatever is installed; but for the service, without its imports."""
    command = folder / "bin" / "creditloop"
    command.parent.mkdir()
    plain, quick = f'"{sys.executable}" -m creditloop', f'"{sys.executable}" -S "{PRELOADED}" run "{folder}/socket"'
    command.write_text(f'#!/bin/sh\n[ "$1" = serve ] && exec {plain} "$@"\nexec {quick} "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CREDITLOOP_")}
    home = {"CREDITLOOP_HOME": str(folder / "home")}
    return {**kept, **home, "PATH": path, "PYTHONPATH": str(DOCS.parent), "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}


def _live(page: list[Step], folder: Path, environment: dict[str, str]) -> list[tuple[Step, str]]:
    outputs = [folder / f"printed-{place}" for place in range(len(page))]
    for output in outputs:
        output.unlink(missing_ok=True)
    blocks = [f"{{\n{step.commands}}} > {output} 2>&1\n" for step, output in zip(page, outputs, strict=True)]
    script = "set -euo pipefail\n" + "".join(blocks)
    ran = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, timeout=600, check=False)
    printed = [output.read_text(encoding="utf-8") if output.exists() else "(not reached)" for output in outputs]
    if ran.returncode:
        printed[-1] += f"\n(the page ended with {ran.returncode})"
    return list(zip(page, printed, strict=True))


def _end_service(folder: Path) -> None:
    noted = folder / "service.pid"
    if noted.exists():
        try:
            os.kill(int(noted.read_text()), signal.SIGTERM)
        except ProcessLookupError:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_prints_what_the_page_says(day: dict[str, list[tuple[Step, str]]], name: str) -> None:
    assert len(day[name]) >= 3
    for step, printed in day[name]:
        assert pattern(step.printed or "").fullmatch(printed.rstrip("\n") + "\n" if printed.strip() else ""), (
            f"{step.commands}\nprinted:\n{printed}"
        )
