"""kill -9 at random moments of training and registering: nothing half made is visible, and a rerun finishes.

pytest -m campaign tests/campaign/test_killed.py: 200 kills; CREDITLOOP_CAMPAIGN=0.02 makes four of them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from configs.settings import load_settings
from serving.champion import versions
from training.bundle import load
from training.signature import trusted_keys

NAME = "tiny"
pytestmark = pytest.mark.campaign


def command(folder: Path) -> subprocess.Popen[bytes]:
    """`creditloop train` in a process and a session of its own."""
    words = ["train", "--csv", "tiny.csv", "--label", "bad", "--name", NAME, "--now", "2026-01-01", "--trials", "4"]
    environment = {**os.environ, "CREDITLOOP_HOME": str(folder / "home"), "PYTHONPATH": str(Path(__file__).parents[2])}
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "creditloop", *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def table(folder: Path) -> None:
    rng = np.random.default_rng(1)
    debt = rng.normal(size=1500)
    bad = (rng.random(1500) < expit(-1.2 + 1.3 * debt)).astype(int)
    lines = [f"{one:.3f},{two}" for one, two in zip(debt, bad, strict=True)]
    (folder / "tiny.csv").write_text("\n".join(["debt,bad", *lines]) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def seconds(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long an uninterrupted training takes here, from the start of the process."""
    folder = tmp_path_factory.mktemp("whole")
    table(folder)
    started = time.monotonic()
    assert command(folder).wait(timeout=600) in (0, 1), (folder / "log.txt").read_text(encoding="utf-8")
    return time.monotonic() - started


def all_whole(home: Path) -> list[str]:
    """Every version that the command would show, each loaded and checked in full; MLflow names no other."""
    settings = load_settings(home)
    shown = versions(home, NAME)
    for version in shown:
        load(home / "bundles" / NAME / version, trusted_keys(settings.signing))
    if (home / "mlflow.db").exists():
        import mlflow  # after the imports above have turned its telemetry off

        client = mlflow.MlflowClient(tracking_uri=settings.stores.tracking)
        named = {found.tags.get("bundle") for found in client.search_model_versions(f"name = '{NAME}'")}
        assert named <= set(shown)
    for page in home.glob(f"reports/{NAME}/[!.]*.html"):
        assert "</html>" in page.read_text(encoding="utf-8")[-200:]
    return shown


def test_a_training_killed_anywhere_leaves_nothing_half_made_and_a_rerun_finishes(
    seconds: float, tmp_path: Path, trials: Callable[[int], int]
) -> None:
    for number in range(trials(200)):
        folder = tmp_path / str(number)
        (folder / "home").mkdir(parents=True)
        _kill_and_run_again(number, seconds, folder)


def _kill_and_run_again(number: int, seconds: float, folder: Path) -> None:
    table(folder)
    # Most moments before the study begins are imports: from a third on.
    moment = seconds * np.random.default_rng(number).uniform(0.3, 1.0)
    running = command(folder)
    try:
        running.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    all_whole(folder / "home")
    assert command(folder).wait(timeout=600) in (0, 1), (folder / "log.txt").read_text(encoding="utf-8")
    assert all_whole(folder / "home")
