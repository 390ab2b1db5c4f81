"""Long trials of faults, run only where asked for: pytest -m campaign."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the campaign out unless -m names it."""
    if "campaign" in config.getoption("markexpr", ""):
        return
    kept = [item for item in items if item.get_closest_marker("campaign") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session")
def trials() -> Callable[[int], int]:
    """How many trials, of so many: CREDITLOOP_CAMPAIGN is the share, 1 unless set, 0.01 for a look."""
    share = float(os.environ.get("CREDITLOOP_CAMPAIGN", "1"))
    return lambda full: max(1, round(full * share))
