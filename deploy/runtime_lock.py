"""The part of requirements.lock that runs the product: without the tools of development. Hashes stay as they are.

`python deploy/runtime_lock.py requirements.lock > runtime.lock`; the Containerfile does so.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# In the group dev too: MLflow's S3 client, a cluster, PostgreSQL, the install itself.
RUNS_TOO = frozenset({"boto3", "dask", "pg8000", "setuptools"})
_ITSELF = "creditloop"


def runtime(lock: str) -> str:
    """The blocks of a lock file (as uv writes it) that are reachable without the group dev, in their order."""
    blocks = [block for block in re.split(r"\n(?=[a-z0-9])", lock) if _name(block)]
    asked = {_name(block): _asked_by(block) for block in blocks}
    kept = {name for name, by in asked.items() if _ITSELF in by or name in RUNS_TOO}
    while more := {name for name, by in asked.items() if by & kept} - kept:
        kept |= more
    return "\n".join(block.rstrip("\n") for block in blocks if _name(block) in kept) + "\n"


def _name(block: str) -> str:
    found = re.match(r"([a-z0-9._-]+)(?:\[[^]]*\])?==", block)
    return found[1] if found else ""


def _asked_by(block: str) -> set[str]:
    """Who asks for a package; this project by its own name, its group dev not at all."""
    told = block.partition("# via")[2]
    lines = [line.strip(" #") for line in told.splitlines()]
    return {line.partition(" ")[0] for line in lines if line and not line.endswith(":dev)")}


if __name__ == "__main__":
    sys.stdout.write(runtime(Path(sys.argv[1]).read_text(encoding="utf-8")))
