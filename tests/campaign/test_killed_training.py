"""kill -9 at random moments of training and registering: nothing half made is visible, and a rerun finishes.

Kills come in chains of up to five: the rerun after a kill is killed too, and the last one must finish. Chains run one
to a core.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from configs.settings import load_settings
from serving.champion import versions
from tests.campaign.trials import Trials
from training.bundle import load
from training.signature import trusted_keys

NAME = "tiny"
CHAIN = 5
FRESH = 5  # of so many chains one begins in a home without stores, where they are made and may be killed in the making
QUIET = "[training]\nthreads = 1\n[seed_stability]\nseeds = 1\n"
pytestmark = pytest.mark.campaign


@dataclass(frozen=True)
class Whole:
    """An uninterrupted training: seconds to its first stage and to its end; and an empty store of MLflow."""

    until_first_stage: float
    until_end: float
    store: Path


def command(folder: Path) -> subprocess.Popen[bytes]:
    """`creditloop train` in a process and a session of its own."""
    words = ["train", "--csv", "tiny.csv", "--label", "bad", "--name", NAME, "--now", "2026-01-01", "--trials", "4"]
    environment = {**os.environ, "CREDITLOOP_HOME": str(folder / "home"), "PYTHONPATH": str(Path(__file__).parents[2])}
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "creditloop", *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def made(folder: Path, store: Path | None) -> Path:
    """A folder with the table, and a home of settings and, where it is given, MLflow's store."""
    (folder / "home").mkdir(parents=True)
    if store is not None:
        shutil.copy(store, folder / "home")
    (folder / "home" / "creditloop.toml").write_text(QUIET, encoding="utf-8")
    rng = np.random.default_rng(1)
    debt = rng.normal(size=1500)
    bad = (rng.random(1500) < expit(-1.2 + 1.3 * debt)).astype(int)
    lines = [f"{one:.3f},{two}" for one, two in zip(debt, bad, strict=True)]
    (folder / "tiny.csv").write_text("\n".join(["debt,bad", *lines]) + "\n", encoding="utf-8")
    return folder


def told(folder: Path) -> str:
    return (folder / "log.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """How long an uninterrupted training takes here in a home that has a store of MLflow, and such a store."""
    from training.registry import MlflowClient

    store = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{store}").search_experiments()  # makes the schema, which takes seconds
    folder = made(tmp_path_factory.mktemp("whole") / "one", store)
    started = time.monotonic()
    running = command(folder)
    while "build features" not in told(folder) and running.poll() is None:
        time.sleep(0.02)
    first = time.monotonic() - started
    assert running.wait(timeout=600) in (0, 1), told(folder)
    return Whole(first, time.monotonic() - started, store)


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
    whole: Whole, tmp_path: Path, trials: Trials
) -> None:
    kills = trials.count
    chains = [range(first, min(first + CHAIN, kills)) for first in range(0, kills, CHAIN)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        folders = [tmp_path / str(chain.start) for chain in chains]
        hit = list(pool.map(lambda chain, at: _killed_and_run_again(chain, whole, at, trials), chains, folders))
    trials.found(killed_before_the_end=sum(hit))
    assert sum(hit) >= 0.6 * kills  # a moment may fall after the end where a run was quicker than the first


def _killed_and_run_again(chain: range, whole: Whole, folder: Path, trials: Trials) -> int:
    """How many runs of a chain were killed before they ended; after each what is there is whole, and the last ends."""
    made(folder, None if chain.start // CHAIN % FRESH == 0 else whole.store)
    hit = 0
    for number in chain:
        # Before the first stage there are only imports.
        moment = np.random.default_rng([trials.seed, number]).uniform(whole.until_first_stage, whole.until_end)
        running = command(folder)
        try:
            running.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            hit += 1
        all_whole(folder / "home")
        trials.done()
    assert command(folder).wait(timeout=600) in (0, 1), told(folder)
    assert all_whole(folder / "home")
    shutil.rmtree(folder)
    return hit
