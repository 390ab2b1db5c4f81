"""What the faults share: how often they are tried, and the service of tests/serving with its versions and requests."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.campaign.faults import of_test
from tests.campaign.trials import FIRST_SEED, FOLLOWED, SEED, SHARE, Trials
from tests.serving.conftest import (
    as_of,
    bodies,
    bundle,
    door,
    furnish,
    give_trust,
    portfolio,
    product,
    running,
    scorer,
    start,
    successor,
    tables,
)

__all__ = [
    "as_of", "bodies", "bundle", "door", "furnish", "give_trust", "portfolio", "product", "running", "scorer", "start",
    "successor", "tables",
]  # fmt: skip


@pytest.fixture
def trials(request: pytest.FixtureRequest) -> Iterator[Trials]:
    """The trials of this test: a share of the promised count, 1 unless CREDITLOOP_CAMPAIGN says another; those of
    every day where the campaign was not asked for.
    """
    marker = request.node.get_closest_marker("campaign")
    daily, followed = marker.kwargs.get("daily", 1), os.environ.get(FOLLOWED)
    share = float(os.environ.get(SHARE, "1"))
    asked = "campaign" in request.config.getoption("markexpr", "")
    count = max(1, round(of_test(request.node.originalname).count * share)) if asked else daily
    made = Trials(count, int(os.environ.get(SEED, FIRST_SEED)), Path(followed) if followed else None)
    yield made
    made.ended()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count the trial in which a test failed."""
    report = yield
    counted = getattr(item, "funcargs", {}).get("trials")
    if counted is not None and report.skipped:
        counted.skipped(str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr))
    elif counted is not None and report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        counted.failed(str(crash.message if crash else report.longrepr)[:2000])
    return report
