"""The service as a process: what it is started with, that it follows, ends cleanly, and loses nothing when killed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from configs.settings import Settings, load_settings
from serving import access, champion
from serving.ledger import Ledger, open_ledger
from training.bundle import Bundle

NAME = "consumer_platform"


def test_a_serving_process_listens_on_loopback_unless_told_otherwise(door: ModuleType, tmp_path: Path) -> None:
    command = door.command(load_settings(tmp_path))
    assert command[command.index("--host") + 1] == "127.0.0.1"


def test_a_serving_process_sends_no_usage_data(door: ModuleType, tmp_path: Path) -> None:
    environment = door.environment(load_settings(tmp_path), (NAME,))
    assert (environment["BENTOML_DO_NOT_TRACK"], environment["DO_NOT_TRACK"]) == ("true", "true")


def test_a_serving_process_knows_home_products_and_workers(door: ModuleType, tmp_path: Path) -> None:
    environment = door.environment(load_settings(tmp_path, {"serving": {"workers": 3}}), ("a", "b"))
    assert environment["CREDITLOOP_HOME"] == str(tmp_path)
    assert environment["CREDITLOOP_PRODUCTS"] == "a,b"
    assert environment["BENTOML_CONFIG_OPTIONS"] == "services.creditloop.workers=3"


ORPHAN = """
import os, time
from serving import service
if os.fork():
    time.sleep(60)
else:
    supervisor = os.getppid()
    print("up", flush=True)
    service.end_with(supervisor)
    time.sleep(60)
"""


def test_a_worker_whose_supervisor_was_killed_ends_too(repository: Path) -> None:
    command = [sys.executable, "-c", ORPHAN]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        supervisor.kill()
        asked = time.monotonic()
        assert supervisor.stdout.read() == ""  # the pipe closes when the last process that holds it is gone
        assert time.monotonic() - asked < 20


@dataclass
class Load:
    """Callers that ask until told to stop: the answers that reached them, other statuses, broken connections."""

    service: Any
    bodies: list[dict[str, Any]]

    def __post_init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.refused: list[tuple[int, str]] = []
        self.broken: list[str] = []
        self._stop = threading.Event()
        self._callers = [threading.Thread(target=self._call, args=(place,)) for place in range(4)]

    def __enter__(self) -> Load:
        for caller in self._callers:
            caller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for caller in self._callers:
            caller.join(timeout=60)

    def wait_for(self, answers: int) -> None:
        """Until so many answers came."""
        deadline = time.monotonic() + 60
        while len(self.answers) < answers and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.answers) >= answers

    def _call(self, place: int) -> None:
        headers = dict(self.service.score.headers)
        with httpx.Client(base_url=self.service.address, headers=headers, timeout=30) as client:
            while not self._stop.is_set():
                place = (place + 1) % len(self.bodies)
                try:
                    answer = client.post("/v1/decide", json=self.bodies[place])
                except httpx.TransportError as error:
                    self.broken.append(type(error).__name__)
                    time.sleep(0.02)
                    continue
                if answer.status_code == 200:
                    self.answers.append(answer.json())
                else:
                    self.refused.append((answer.status_code, answer.text[:200]))


@dataclass
class Swapped:
    """What came of a promotion, and of the way back, while requests ran."""

    load: Load
    models: list[str]


@pytest.fixture(scope="module")
def swapped(running: Any, bodies: list[dict[str, Any]], bundle: Bundle, successor: Bundle) -> Swapped:
    """The successor promoted and the first version brought back under load."""
    ledger = open_ledger(running.settings)
    models = []
    with Load(running, bodies) as load:
        load.wait_for(10)
        for made in (successor, bundle):
            champion.promote(ledger, made, champion.current(ledger, NAME), "tests", "why", "2026-03-01")
            deadline = time.monotonic() + 120  # a version is tried in a process of its own first
            while time.monotonic() < deadline:
                models.append(running.score.get("/v1/models").json()[0]["model"])
                if models[-1] == made.version:
                    break
                time.sleep(0.05)
            load.wait_for(len(load.answers) + 20)
    ledger.close()
    return Swapped(load, models)


def test_a_promotion_is_picked_up_while_requests_run(swapped: Swapped, successor: Bundle) -> None:
    assert successor.version in {answer["model"] for answer in swapped.load.answers}


def test_the_way_back_is_picked_up_too(swapped: Swapped, bundle: Bundle) -> None:
    assert (swapped.models[-1], swapped.load.answers[-1]["model"]) == (bundle.version, bundle.version)


def test_no_request_fails_while_models_change(swapped: Swapped) -> None:
    assert (swapped.load.refused, swapped.load.broken) == ([], [])


def test_no_answer_mixes_two_versions(swapped: Swapped, bundle: Bundle, successor: Bundle) -> None:
    """The successor's PD of a customer is higher, so an answer's PD tells which model made it."""
    of_first = {
        a["customer_id"]: a["default_probability"] for a in swapped.load.answers if a["model"] == bundle.version
    }
    assert all(
        (answer["default_probability"] == of_first[answer["customer_id"]]) == (answer["model"] == bundle.version)
        for answer in swapped.load.answers
        if answer["customer_id"] in of_first
    )


def test_a_replaced_key_ends_while_serving(running: Any) -> None:
    former = access.create_key(running.settings.home, "leaving", "read")
    new = access.create_key(running.settings.home, "leaving", "read")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _status(running, new) != 200:
        time.sleep(0.1)
    assert (_status(running, new), _status(running, former)) == (200, 401)


def _status(running: Any, key: str) -> int:
    return httpx.get(f"{running.address}/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code


@dataclass
class Ended:
    """A service that was killed under load, started again on what it left, and then told to end under load."""

    killed: Load
    terminated: Load
    exit_code: int
    seconds: float
    log: str
    left_to_commit: bool
    ledger: Ledger


@pytest.fixture(scope="module")
def ended(
    tmp_path_factory: pytest.TempPathFactory,
    furnish: Callable[[Path], Settings],
    start: Callable[[Settings], AbstractContextManager[Any]],
    bodies: list[dict[str, Any]],
) -> Iterator[Ended]:
    """One home, two services after one another: kill -9 for the first, SIGTERM for the second."""
    settings = furnish(tmp_path_factory.mktemp("ended"))
    with start(settings) as service, Load(service, bodies) as killed:
        killed.wait_for(80)
        service.kill()
    with start(settings) as service, Load(service, bodies) as terminated:
        terminated.wait_for(80)
        asked = time.monotonic()
        service.process.terminate()
        exit_code = service.process.wait(timeout=60)
        seconds = time.monotonic() - asked
        left_to_commit = (settings.home / "ledger.db-wal").exists()
    ledger = open_ledger(settings)
    yield Ended(killed, terminated, exit_code, seconds, service.log(), left_to_commit, ledger)
    ledger.close()


def decisions(ledger: Ledger) -> dict[str, dict[str, Any]]:
    return {record.entry.id: record.body()["answer"] for record in ledger.records("decision")}


def test_a_killed_service_has_lost_no_decision_it_answered(ended: Ended) -> None:
    recorded = decisions(ended.ledger)
    assert all(recorded.get(answer["decision_id"]) == answer for answer in ended.killed.answers)


def test_a_killed_service_leaves_a_whole_chain(ended: Ended) -> None:
    assert ended.ledger.verify()[0] > len(ended.killed.answers)


def test_a_service_that_was_told_to_end_ends_with_success(ended: Ended) -> None:
    assert ended.exit_code == 0, ended.log[-2000:]


def test_a_service_that_was_told_to_end_closes_its_ledger(ended: Ended) -> None:
    assert not ended.left_to_commit


def test_a_service_that_was_told_to_end_ends_soon(ended: Ended) -> None:
    assert ended.seconds < 20


def test_a_service_that_was_told_to_end_refuses_nobody_it_had_let_in(ended: Ended) -> None:
    assert ended.terminated.refused == []


def test_a_service_that_ended_has_every_decision_it_answered_in_the_ledger(ended: Ended) -> None:
    recorded = decisions(ended.ledger)
    assert all(recorded.get(answer["decision_id"]) == answer for answer in ended.terminated.answers)


def test_a_service_writes_no_customer_into_its_log(ended: Ended, bodies: list[dict[str, Any]]) -> None:
    assert not any(body["customer_id"] in ended.log for body in bodies)


def test_the_same_key_at_the_same_time_gives_one_decision(running: Any, body: dict[str, Any]) -> None:
    asked = {**body, "idempotency_key": "at once"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: running.score.post("/v1/decide", json=asked), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
