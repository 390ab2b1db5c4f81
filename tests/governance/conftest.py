"""What the tests of governance share: a ledger, and a model version as the rules about versions see one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.settings import Settings, load_settings
from serving.ledger import Ledger
from training.bundle import Bundle

PASSED = {"passed": True, "checks": [{"name": "auc", "passed": True}]}
FAILED = {"passed": False, "checks": [{"name": "auc", "passed": False}, {"name": "monotone", "passed": True}]}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield made
    made.close()


@pytest.fixture
def version() -> Callable[..., Bundle]:
    """Makes a version of consumer_platform: its name, its digest and what the gate said; nothing of it scores."""

    def made(passed: bool = True, digest: str = "a" * 64) -> Bundle:
        nothing: dict[str, Any] = dict.fromkeys(("folder", "program", "booster", "calibration", "scale", "validation"))
        name = f"consumer_platform-20260101-{digest[:10]}"
        gate = PASSED if passed else FAILED
        return Bundle(version=name, product="consumer_platform", training={"gate": gate}, digest=digest, **nothing)

    return made


@pytest.fixture
def rules(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with these in [governance]."""
    return lambda **changed: load_settings(tmp_path, {"governance": changed})
