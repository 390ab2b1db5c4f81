"""Promotions killed at random moments, and raced: one valid champion always, one winner each time, no self-approval."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving import approval, authorship, champion
from serving.ledger import Ledger
from tests.campaign.promotions import AT, NAME, is_linear, version
from tests.campaign.trials import Trials

RACERS = 4
pytestmark = pytest.mark.campaign
PROMOTES_FOR_EVER = """
import sys
from serving import champion
from serving.ledger import Ledger
from tests.campaign.promotions import version
ledger = Ledger(sys.argv[1])
print("begun", flush=True)
while True:
    for letter in "ab":
        champion.promote(ledger, version(letter), champion.current(ledger, "{name}"), "a machine", "to and fro", "{at}")
"""


def test_a_promotion_killed_anywhere_leaves_one_valid_champion(tmp_path: Path, trials: Trials) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    script = PROMOTES_FOR_EVER.format(name=NAME, at=AT)
    rng, seen = random.Random(trials.seed), 0
    for _ in trials:
        running = subprocess.Popen(
            [sys.executable, "-c", script, url],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert running.stdout is not None
        assert running.stdout.readline() == b"begun\n"
        time.sleep(rng.uniform(0.0, 0.3))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()
        ledger = Ledger(url)
        count, _ = ledger.verify()
        assert is_linear(ledger)
        now = champion.current(ledger, NAME)
        assert now is None or now.version in (version("a").version, version("b").version)
        ledger.close()
        seen = max(seen, count)
    trials.found(promotions_on_record=seen)
    assert seen > 0


@pytest.mark.campaign(daily=20)
def test_of_racing_promoters_one_wins_each_round_and_no_author_approves(
    tmp_path: Path, trials: Trials, race: Callable[..., list[Any]]
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    letters = "abcdefghij"
    for letter in letters:
        authorship.record(ledger, version(letter), "Dan", AT)
    for number in trials:
        expected = champion.current(ledger, NAME)
        acts = [
            lambda letter=letter, expected=expected: champion.promote(
                ledger, version(letter), expected, f"racer {letter}", "a race", AT
            )
            for letter in random.Random(trials.seed + number).sample(letters, RACERS - 1)
        ]
        acts.append(lambda: approval.record(ledger, version("a"), "policy", "approve", "Dan", "my own", AT))
        assert len(race(acts)) == 1
    assert len(champion.history(ledger, NAME)) == trials.count
    assert is_linear(ledger)
    assert approval.standing(ledger, version("a"), "policy") == []
    ledger.verify()
    ledger.close()
