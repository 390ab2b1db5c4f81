"""PostgreSQL ended and started again under load (R17): what was acknowledged is there, the service is well again."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest

from configs.settings import Settings
from serving.ledger import open_ledger
from tests.campaign.callers import Callers
from tests.campaign.trials import Trials
from tests.postgres import server

ENDS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)  # transactions ended; left to recovery; as a power cut


@pytest.mark.campaign
def test_a_database_that_restarts_under_load_loses_nothing_that_was_acknowledged(
    tmp_path: Path,
    furnish: Callable[[Path], Settings],
    start: Callable[[Settings], AbstractContextManager[Any]],
    bodies: list[dict[str, Any]],
    trials: Trials,
) -> None:
    rng, statuses, back = random.Random(trials.seed), Counter[int](), []
    acknowledged: dict[str, Any] = {}
    asked_again: dict[str, Any] = {}
    with server() as database:
        (tmp_path / "creditloop.toml").write_text(f'[stores]\nledger = "{database.url}"\n', encoding="utf-8")
        settings = furnish(tmp_path)
        with start(settings) as service:
            for number in trials:
                with Callers(service, bodies, count=6, keyed=f"{trials.seed}-{number}") as callers:
                    callers.wait_for(5)
                    time.sleep(rng.uniform(0, 0.3))
                    database.stop(rng.choice(ENDS))
                    time.sleep(rng.uniform(0, 1))
                    database.start()
                    back.append(callers.wait_for(5))
                assert not callers.broken, f"restart {number}: {callers.broken}"
                statuses += callers.statuses
                acknowledged |= callers.acknowledged
                for body in callers.unanswered[:10]:  # recorded or not: with its key it can be asked again
                    answer = service.score.post("/v1/decide", json=body)
                    assert answer.status_code == 200, answer.text
                    asked_again[body["idempotency_key"]] = answer.json()
            assert service.process.poll() is None
        with closing(open_ledger(settings)) as ledger:
            ledger.verify()
            found = list(ledger.records("decision"))
    recorded = {record.entry.id: record.body()["answer"] for record in found}
    assert {key: recorded.get(key) for key in acknowledged} == acknowledged
    by_key = {str(record.entry.idempotency_key).partition(" ")[2]: record.body()["answer"] for record in found}
    assert {key: by_key[key] for key in asked_again} == asked_again
    assert set(statuses) <= {200, 503}
    trials.found(
        acknowledged=len(acknowledged),
        statuses=dict(statuses),
        asked_again_with_their_key=len(asked_again),
        longest_until_well_s=round(max(back), 1),
    )
