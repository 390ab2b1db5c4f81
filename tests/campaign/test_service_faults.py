"""The service under faults, at the counts that are promised: malformed requests, kill -9, duplicates, overload."""

from __future__ import annotations

import json
import math
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest

from benchmarks.http_load import load, prepared
from configs.settings import Settings
from serving.ledger import open_ledger
from tests.campaign.callers import Callers
from tests.campaign.trials import Trials

pytestmark = pytest.mark.campaign

TOKENS = [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"9" * 400, b"null", b"true", b"[]", b"{}", b'""']
TOKENS += [b"[" * 2000, b'{"a":' * 2000, b"\x00", b"\xff\xfe", b'"\\ud800"', b",", b":", b"-", b"0.", b'"2024-02-30"']
OVERLOAD_SECONDS = 60.0
KINDS = ["application/json"] * 12 + ["", "text/plain", "multipart/form-data; boundary=x", "application/x-ndjson"]
PATHS = ["/v1/decide"] * 8 + ["/v1/decide/batch", "/v1/outcomes", "/v1/decisions/d/override", "/v1/decisions/d/replay"]


def mutated(rng: random.Random, content: bytes) -> bytes:
    """A few random edits: bytes flipped, pieces cut, doubled or moved, numbers replaced by what is none."""
    for _ in range(rng.randint(1, 4)):
        low, high = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        edit = rng.randrange(6)
        if edit == 0 and content:
            at = rng.randrange(len(content))
            content = content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
        elif edit == 1:
            content = content[:low] + content[min(high, low + 40) :]
        elif edit == 2:
            content = content[:high] + content[low:high][:2000] + content[high:]
        elif edit == 3:
            content = content[:low] + rng.choice(TOKENS) + content[low:]
        elif edit == 4:
            numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?", content))
            if numbers:
                hit = rng.choice(numbers)
                content = content[: hit.start()] + rng.choice(TOKENS) + content[hit.end() :]
        else:
            content = content[:high]
    return content


def numbers(node: Any) -> list[float]:
    """Every number in a JSON value."""
    if isinstance(node, dict):
        return [number for value in node.values() for number in numbers(value)]
    if isinstance(node, list):
        return [number for value in node for number in numbers(value)]
    return [node] if isinstance(node, int | float) else []


def test_no_malformed_request_is_a_5xx_or_an_answer_that_is_no_number(
    running: Any, bodies: list[dict[str, Any]], trials: Trials
) -> None:
    rng = random.Random(trials.seed)
    statuses: Counter[int] = Counter()
    refused_ms = []
    for _ in trials:
        content = mutated(rng, json.dumps(rng.choice(bodies)).encode())
        path, kind = rng.choice(PATHS), rng.choice(KINDS)
        answer = running.clients["admin"].post(path, content=content, headers={"content-type": kind})
        statuses[answer.status_code] += 1
        if answer.status_code != 200:
            refused_ms.append(answer.elapsed.total_seconds() * 1e3)
        assert answer.status_code < 500, (answer.status_code, answer.text[:300], content[:300])
        if answer.status_code == 200 and path == "/v1/decide":
            assert all(math.isfinite(number) for number in numbers(answer.json()))
            assert 0 <= answer.json()["default_probability"] <= 1
    p99 = round(sorted(refused_ms)[int(0.99 * len(refused_ms))], 1)
    trials.found(statuses=dict(sorted(statuses.items())), p99_ms_of_refusals=p99)
    assert running.process.poll() is None


def test_no_bytes_on_the_wire_end_the_service_or_make_it_fail(
    running: Any, bodies: list[dict[str, Any]], trials: Trials
) -> None:
    rng = random.Random(trials.seed)
    serving = running.settings.serving
    key = running.score.headers["Authorization"].removeprefix("Bearer ")
    requests = prepared(bodies[:10], serving.port, key)
    for _ in trials:
        with socket.create_connection((serving.host, serving.port), timeout=20) as connection:
            connection.sendall(mutated(rng, rng.choice(requests)))
            connection.shutdown(socket.SHUT_WR)
            told = b""
            with suppress(ConnectionResetError):
                told = connection.recv(65536)
        assert re.match(rb"HTTP/1\.1 5", told) is None, told[:300]
    assert running.score.post("/v1/decide", json=bodies[0]).status_code == 200


def test_kill_9_loses_no_acknowledged_decision(
    tmp_path: Path,
    furnish: Callable[[Path], Settings],
    start: Callable[[Settings], AbstractContextManager[Any]],
    bodies: list[dict[str, Any]],
    trials: Trials,
) -> None:
    rng = random.Random(trials.seed)
    settings = furnish(tmp_path)
    acknowledged: dict[str, Any] = {}
    for _ in trials:
        with start(settings) as service, Callers(service, bodies, once=True) as callers:
            callers.wait_for(1)
            time.sleep(rng.uniform(0.0, 0.5))
            service.kill()
        acknowledged |= callers.acknowledged
    ledger = open_ledger(settings)
    recorded = {record.entry.id: record.body()["answer"] for record in ledger.records("decision")}
    ledger.verify()
    ledger.close()
    trials.found(acknowledged=len(acknowledged), recorded=len(recorded))
    assert acknowledged
    assert {key: recorded.get(key) for key in acknowledged} == acknowledged


def test_one_key_is_one_decision_however_often_and_at_once_it_is_asked(
    running: Any, bodies: list[dict[str, Any]], trials: Trials
) -> None:
    for number in trials:
        asked = {**bodies[number % len(bodies)], "idempotency_key": f"campaign-{trials.seed}-{number}"}
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, body=asked: running.score.post("/v1/decide", json=body), range(10)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1


def test_twenty_times_the_load_keeps_nine_tenths_of_the_peak(
    running: Any, bodies: list[dict[str, Any]], trials: Trials
) -> None:
    serving = running.settings.serving
    key = running.score.headers["Authorization"].removeprefix("Bearer ")
    requests = prepared(bodies, serving.port, key)
    load(serving.port, requests, 16, 2.0)
    ratios = []
    for _ in trials:
        peak = load(serving.port, requests, 16, OVERLOAD_SECONDS).told()
        over = load(serving.port, requests, 320, OVERLOAD_SECONDS).told()
        assert set(over["statuses"]) <= {"200", "503"}
        assert over["p99_ms"] <= serving.deadline_seconds * 1e3
        ratios.append(round(over["per_second"] / peak["per_second"], 2))
    trials.found(of_the_peak=ratios)
    assert sorted(ratios)[1] >= 0.9, ratios
    started = time.monotonic()
    assert running.score.post("/v1/decide", json=bodies[0]).status_code == 200
    assert time.monotonic() - started < 5
