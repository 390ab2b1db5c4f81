"""A running service's state: it follows the pointer, keeps the last good, and knows a repeated question."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from configs.errors import InputError, Refusal
from configs.settings import Settings, load_settings
from serving import access, champion, live, loading
from serving.api import DecideRequest, DecisionAnswer
from serving.checkpoint import witnesses
from serving.ledger import Ledger, Record
from serving.live import Live, answer_of
from serving.verify_ledger import read_anchors
from training.bundle import Bundle

NAME = "consumer_platform"
AT = "2026-01-31T00:00:00+00:00"


@pytest.fixture
def settings(tmp_path: Path, furnish: Callable[[Path], Settings]) -> Settings:
    """A home with a champion and a key."""
    made = furnish(tmp_path)
    access.create_key(made.home, "tests", "score")
    return made


@pytest.fixture
def house(settings: Settings, passed: type, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """A service's state in this process, looking at the pointer often. What it loads is on trial in test_loading.py."""
    monkeypatch.setattr(live, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(loading, "trial", lambda *_: passed())
    made = Live(settings, (NAME,))
    yield made
    made.close()


def request(body: dict[str, Any], **changed: Any) -> DecideRequest:
    return msgspec.json.decode(json.dumps({**body, **changed}), type=DecideRequest)


def ask(house: Live, asked: DecideRequest) -> Record:
    scorer = house.scorer_for(asked.product)
    assert scorer is not None
    return house.ask(scorer, house.question(asked), asked.idempotency_key)[1].result(timeout=30)


def given(record: Record, asked: DecideRequest) -> DecisionAnswer:
    answer = answer_of(record, asked)
    assert answer is not None
    return answer


def promote(house: Live, bundle: Bundle) -> None:
    champion.promote(house.ledger, bundle, champion.current(house.ledger, NAME), "tests", "why", AT)


def eventually(fact: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.02)
    return fact()


def test_without_a_key_nothing_starts(tmp_path: Path, furnish: Callable[[Path], Settings]) -> None:
    with pytest.raises(InputError, match="creditloop keys create"):
        Live(furnish(tmp_path), (NAME,))


def test_without_a_champion_nothing_starts(tmp_path: Path) -> None:
    access.create_key(tmp_path, "tests", "score")
    with pytest.raises(Refusal, match="no champion yet"):
        Live(load_settings(tmp_path), (NAME,))


def test_the_policy_in_force_is_in_the_ledger_once(house: Live, settings: Settings) -> None:
    Live(settings, (NAME,)).close()
    assert [record.entry.subject for record in house.ledger.records("policy")] == [house.scorers[NAME].policy_digest]


def test_a_decision_is_in_the_ledger_when_its_future_is_done(house: Live, body: dict[str, Any]) -> None:
    record = ask(house, request(body))
    assert house.ledger.by_id(record.entry.id) is not None


def test_the_answer_is_the_recorded_one(house: Live, body: dict[str, Any]) -> None:
    asked = request(body)
    record = ask(house, asked)
    assert json.loads(msgspec.json.encode(given(record, asked))) == record.body()["answer"]


def test_one_product_needs_no_name(house: Live) -> None:
    assert house.scorer_for(None) is house.scorers[NAME]


def test_an_unknown_product_has_no_scorer(house: Live) -> None:
    assert house.scorer_for("another") is None


def test_a_repeated_key_gives_the_first_answer(house: Live, body: dict[str, Any]) -> None:
    asked = request(body, idempotency_key="k")
    assert given(ask(house, asked), asked) == given(ask(house, asked), asked)


def test_a_key_of_another_question_gives_no_answer(house: Live, body: dict[str, Any]) -> None:
    ask(house, request(body, idempotency_key="k"))
    other = request(body, idempotency_key="k", requested_amount=5.0)
    assert answer_of(ask(house, other), other) is None


def test_a_retry_after_midnight_gives_the_first_answer(
    house: Live, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(body, idempotency_key="k", as_of=None)
    first = given(ask(house, asked), asked)
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)

    class Tomorrow(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return tomorrow

    monkeypatch.setattr(live.dt, "datetime", Tomorrow)
    assert given(ask(house, asked), asked) == first


def test_a_callers_key_cannot_meet_a_key_of_our_own(house: Live, body: dict[str, Any]) -> None:
    asked = request(body, idempotency_key=f"policy-{house.scorers[NAME].policy_digest}")
    assert ask(house, asked).entry.kind == "decision"


def test_a_promotion_is_followed(house: Live, successor: Bundle) -> None:
    promote(house, successor)
    assert eventually(lambda: house.scorers[NAME].bundle.version == successor.version)


def test_a_damaged_successor_leaves_the_last_good_one_answering(
    house: Live, successor: Bundle, bundle: Bundle, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    (champion.bundle_folder(house.settings.home, NAME, successor.version) / "model.txt").write_text("tree\n")
    promote(house, successor)
    assert eventually(lambda: "keeping the last good" in caplog.text)
    asked = request(body)
    assert given(ask(house, asked), asked).model == bundle.version


def test_a_ledger_that_cannot_be_read_for_a_while_does_not_end_the_watch(
    house: Live, successor: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    promote(house, successor)
    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "latest", lambda *_: 1 / 0)
        assert eventually(lambda: "ZeroDivisionError" in caplog.text)
    assert eventually(lambda: house.scorers[NAME].bundle.version == successor.version)


def test_a_replaced_key_is_known_and_the_former_forgotten(house: Live) -> None:
    former = dict(house.keys)
    access.create_key(house.settings.home, "tests", "score")
    assert eventually(lambda: not set(former) & set(house.keys) and len(house.keys) == 1)


def test_close_stops_every_thread(settings: Settings) -> None:
    made = Live(settings, (NAME,))
    made.close()
    assert not made._watcher.is_alive()
    assert not made.writer._thread.is_alive()


def test_a_failing_successor_is_not_tried_each_time_the_watch_looks(
    house: Live, successor: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    monkeypatch.setattr(house, "_scorer", lambda name: tried.append(name) or 1 / 0)
    promote(house, successor)
    assert eventually(lambda: bool(tried))
    time.sleep(0.5)  # twenty looks
    assert len(tried) == 1


def test_a_service_leaves_a_checkpoint_of_its_last_record(settings: Settings, body: dict[str, Any]) -> None:
    made = Live(settings, (NAME,))
    record = ask(made, request(body))
    made.close()
    found = read_anchors(Path(settings.serving.anchor), witnesses(settings.signing))
    assert (found[-1].seq, found[-1].hash) == (record.seq, record.hash)


def test_without_an_anchor_no_checkpoint_is_written(settings: Settings) -> None:
    own = load_settings(settings.home, {"serving": {"anchor": ""}})
    Live(own, (NAME,)).close()
    assert not (settings.home / "anchors").exists()
