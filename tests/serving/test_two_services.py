"""Two services on one PostgreSQL ledger, as two machines would be: one load, one chain, one answer for one key."""

from __future__ import annotations

import itertools
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from configs.settings import Settings, load_settings
from serving import replay
from serving.ledger import Ledger, Record, open_ledger

CALLERS, QUESTIONS = 4, 40


@dataclass
class Answered:
    """What one load gave: (service, key, answer) of each question, the ledger after one of the two was killed."""

    answers: list[tuple[int, str, dict[str, Any]]]
    after_kill: list[int]
    ledger: Ledger
    home: Path

    def decisions(self) -> list[Record]:
        """All on record."""
        return list(self.ledger.records("decision"))


@pytest.fixture(scope="module")
def homes(
    tmp_path_factory: pytest.TempPathFactory,
    furnish: Callable[[Path], Settings],
    postgres_database: Callable[[], AbstractContextManager[str]],
) -> Iterator[list[Settings]]:
    """Two homes with the same secrets and versions, as two machines have them, and a database between them."""
    first, second = (tmp_path_factory.mktemp("machines") / name for name in ("first", "second"))
    first.mkdir()
    with postgres_database() as url:
        (first / "creditloop.toml").write_text(f'[stores]\nledger = "{url}"\n')
        settings = furnish(first)
        shutil.copytree(first, second)
        yield [settings, load_settings(second, {"serving": {"port": _free_port()}})]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def answered(
    homes: list[Settings],
    start: Callable[[Settings], AbstractContextManager[Any]],
    bodies: list[dict[str, Any]],
) -> Iterator[Answered]:
    """Callers ask both services in turn, each key twice, once of each; then one service is killed under load."""
    with ExitStack() as ends:
        with ThreadPoolExecutor(2) as starting:
            pair = list(starting.map(lambda settings: ends.enter_context(start(settings)), homes))
        answers: list[tuple[int, str, dict[str, Any]]] = []

        def ask(number: int) -> None:
            body, key = bodies[number % len(bodies)], f"key-{number}"
            for which in (number % 2, 1 - number % 2):
                reply = pair[which].score.post("/v1/decide", json={**body, "idempotency_key": key})
                assert reply.status_code == 200, reply.text
                answers.append((which, key, reply.json()))

        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(ask, range(QUESTIONS)))
        after_kill = _kill_one(pair, bodies)
        ledger = open_ledger(homes[0])
        yield Answered(answers, after_kill, ledger, homes[0].home)
        ledger.close()


def _kill_one(pair: list[Any], bodies: list[dict[str, Any]]) -> list[int]:
    """The statuses the second gives while the first, asked all the while, is killed."""
    stop = threading.Event()

    def keep_asking() -> None:
        for body in itertools.cycle(bodies):
            try:
                pair[0].score.post("/v1/decide", json=body)
            except httpx.TransportError:
                return
            if stop.is_set():
                return

    asking = threading.Thread(target=keep_asking)
    asking.start()
    statuses = []
    for place, body in enumerate(bodies[:12]):
        if place == 4:
            pair[0].kill()
        statuses.append(pair[1].score.post("/v1/decide", json=body).status_code)
    stop.set()
    asking.join(timeout=30)
    return statuses


def test_both_decide(answered: Answered) -> None:
    first = {key: which for which, key, _ in reversed(answered.answers)}
    assert Counter(first.values()).keys() == {0, 1}


def test_one_key_has_one_answer_whoever_is_asked(answered: Answered) -> None:
    told: dict[str, list[dict[str, Any]]] = {}
    for _, key, answer in answered.answers:
        told.setdefault(key, []).append(answer)
    assert len(told) == QUESTIONS
    assert all(len(given) == 2 and given[0] == given[1] for given in told.values())


def test_no_key_is_in_the_ledger_twice(answered: Answered) -> None:
    keys = Counter(record.entry.idempotency_key for record in answered.decisions())
    assert keys.pop(None) >= 12
    assert len(keys) == QUESTIONS
    assert set(keys.values()) == {1}


def test_the_chain_of_both_holds(answered: Answered) -> None:
    records, _ = answered.ledger.verify()
    assert records > QUESTIONS


def test_the_policy_in_force_is_on_record_once_for_both(answered: Answered) -> None:
    assert len(list(answered.ledger.records("policy"))) == 1


def test_one_that_is_killed_does_not_hold_the_other_up(answered: Answered) -> None:
    assert answered.after_kill == [200] * 12


def test_what_one_decided_replays_in_the_home_of_the_other(answered: Answered, homes: list[Settings]) -> None:
    again = [one.equal for one in itertools.islice(replay.replay(answered.ledger, homes[1].home), 20)]
    assert again == [True] * 20
