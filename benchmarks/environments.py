"""The environments of peers: each a venv of its own, made where it is missing, under var/benchmarks/.

An environment beside the stack sees the stack's packages and adds a dependency group of pyproject.toml to them, at
versions that change none of the stack's. One apart holds nothing but what it names: its peers pin other versions.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path

from benchmarks.common import ROOT

FOLDER = ROOT / "var" / "benchmarks"


@dataclass(frozen=True, slots=True)
class Environment:
    """What is installed: a group of pyproject beside the stack, or these packages, apart from it."""

    name: str
    group: str | None = None
    packages: tuple[str, ...] = ()
    of_ours: tuple[str, ...] = ()  # packages at the very versions of the stack


ENVIRONMENTS = {
    one.name: one
    for one in (
        Environment("bench", group="bench"),
        Environment("rivals", group="rivals"),
        Environment("http_rivals", group="http_rivals"),
        Environment("mlflow", of_ours=("mlflow", "lightgbm", "numpy", "pandas", "scikit-learn")),
        Environment("nannyml", packages=("nannyml",)),
    )
}


def python_of(name: str, say: Callable[[str], None]) -> Path:
    """The Python of an environment, made first where it is missing or was asked for otherwise."""
    environment, folder = ENVIRONMENTS[name], FOLDER / name
    python, wanted, note = folder / "bin" / "python", requirements(environment), folder / "holds.json"
    if note.exists() and json.loads(note.read_text()) == wanted:
        return python
    say(f"making the environment {folder} with {', '.join(wanted)}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    if environment.group:
        _see_the_stack(folder)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *_held(environment, folder), *wanted], check=True)
    note.write_text(json.dumps(wanted))
    return python


def requirements(environment: Environment) -> list[str]:
    """What pip is asked for."""
    if environment.group:
        return tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][environment.group]
    return [*environment.packages, *(f"{name}=={version(name)}" for name in environment.of_ours)]


def _see_the_stack(folder: Path) -> None:
    """A path file: what is installed for this Python is seen by the venv too, behind its own packages."""
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "stack.pth").write_text(sysconfig.get_path("purelib") + "\n")


def _held(environment: Environment, folder: Path) -> list[str]:
    """Arguments that keep pip from changing a version of the stack; nothing for an environment apart."""
    if not environment.group:
        return []
    held = folder / "stack.txt"
    ours = sorted({f"{one.name}=={one.version}" for one in distributions() if one.name != "creditloop"})
    held.write_text("\n".join(ours) + "\n")
    return ["--constraint", str(held)]
