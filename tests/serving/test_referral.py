"""The kill switch: on record, followed by a running service, and every decision is a person's until it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from configs.errors import InputError, Refusal
from configs.settings import Settings
from serving import access, live, referral
from serving.api import DecideRequest, DecisionAnswer
from serving.decide import Question, advise, decide, question_of
from serving.ledger import Ledger
from serving.live import Live, answer_of
from serving.replay import replay
from serving.score import Scorer
from serving.standing import Standing
from serving.together import decide_together

NAME = "consumer_platform"
AT = "2026-01-31T00:00:00+00:00"
Switch = Callable[..., referral.Referral]


@pytest.fixture
def switch(ledger: Ledger) -> Switch:
    return lambda on, by="Ada", reason="the model has gone mad": referral.switch(ledger, NAME, on, by, reason, AT)


def asked(body: dict[str, Any], **changed: Any) -> DecideRequest:
    return msgspec.json.decode(json.dumps({**body, **changed}), type=DecideRequest)


def question(body: dict[str, Any], stands: referral.Referral | None, scorer: Scorer, **changed: Any) -> Question:
    request = asked(body, **changed)
    assert request.as_of is not None
    plain = question_of(request, request.as_of, "en", 4)
    return Standing(referral=stands).answering(scorer, plain)[1]


def test_before_anybody_said_so_nothing_is_referred(ledger: Ledger) -> None:
    assert referral.current(ledger, NAME) is None


def test_it_stands_from_its_beginning_to_its_end_with_who_and_why(ledger: Ledger, switch: Switch) -> None:
    made = switch(True)
    assert referral.current(ledger, NAME) == made
    assert (made.by, made.reason, made.at) == ("Ada", "the model has gone mad", AT)
    switch(False, reason="it was the feed")
    assert referral.current(ledger, NAME) is None
    assert [record.body()["on"] for record in ledger.records(referral.KIND, NAME)] == [True, False]


def test_it_stands_for_one_product_alone(ledger: Ledger, switch: Switch) -> None:
    switch(True)
    assert referral.current(ledger, "trade_credit") is None


def test_it_can_be_switched_again_and_again(ledger: Ledger, switch: Switch) -> None:
    for on in (True, False) * 3:
        switch(on)
    assert ledger.verify()[0] == 6


@pytest.mark.parametrize(("before", "on"), [([], False), ([True], True), ([True, False], False)])
def test_what_is_so_already_is_refused(switch: Switch, before: list[bool], on: bool) -> None:
    for one in before:
        switch(one)
    with pytest.raises(Refusal, match="already"):
        switch(on)


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("who", " ")])
def test_without_a_name_or_a_reason_nothing_is_switched(ledger: Ledger, switch: Switch, by: str, reason: str) -> None:
    with pytest.raises(InputError, match="neither may be empty"):
        switch(True, by=by, reason=reason)
    assert referral.current(ledger, NAME) is None


def test_every_decision_is_referred_with_its_score_its_reasons_and_the_code(
    scorer: Scorer, bodies: list[dict[str, Any]], switch: Switch
) -> None:
    stands, told = switch(True), set()
    for body in bodies[:20]:
        without = decide(scorer, question(body, None, scorer), "d")[0]
        answer = decide(scorer, question(body, stands, scorer), "d")[0]
        told.add(without.decision)
        assert (answer.decision, answer.limit, answer.binding_constraint) == ("refer", 0.0, "refer_all")
        assert answer.flags == (*without.flags, "refer_all")
        assert (answer.price, answer.collateral) == (None, None)
        for name in ("default_probability", "points", "grade", "reasons", "model", "pd_interval"):
            assert getattr(answer, name) == getattr(without, name)
    assert {"approve", "decline"} & told  # else there was nothing to refer


def test_together_they_are_referred_as_alone(scorer: Scorer, bodies: list[dict[str, Any]], switch: Switch) -> None:
    stands = switch(True)
    questions = [(question(body, stands, scorer), f"d-{place}") for place, body in enumerate(bodies[:5])]
    assert decide_together(scorer, questions) == [decide(scorer, *one) for one in questions]


def test_nobody_is_advised_how_to_be_approved_while_no_model_approves(
    scorer: Scorer, bodies: list[dict[str, Any]], switch: Switch
) -> None:
    stands = switch(True)
    assert all(not advise(scorer, question(body, stands, scorer)).advice for body in bodies[:10])
    answer = decide(scorer, question(bodies[0], stands, scorer, advice=True), "d")[0]
    assert answer.advice is not None
    assert answer.advice.advice == ()


def test_the_circumstances_are_no_part_of_what_was_asked(scorer: Scorer, body: dict[str, Any], switch: Switch) -> None:
    assert question(body, switch(True), scorer).digest() == question(body, None, scorer).digest()


def test_a_running_service_follows_and_its_decisions_replay_equal(
    tmp_path: Path,
    furnish: Callable[[Path], Settings],
    bodies: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[[Callable[[], bool]], bool],
) -> None:
    monkeypatch.setattr(live, "_POLL_SECONDS", 0.02)
    settings = furnish(tmp_path)
    access.create_key(settings.home, "tests", "score")
    house = Live(settings, (NAME,))

    def ask(body: dict[str, Any]) -> DecisionAnswer:
        request = asked(body, idempotency_key=body["customer_id"])
        record = house.ask(*house.answering(house.scorers[NAME], house.question(request)), request.idempotency_key)[1]
        answer = answer_of(record.result(timeout=30), request)
        assert answer is not None
        return answer

    before = ask(bodies[0])
    referral.switch(house.ledger, NAME, True, "Ada", "why", AT)
    assert eventually(lambda: house.standing[NAME].referral is not None)
    assert ask(bodies[1]).flags[-1] == "refer_all"
    assert ask(bodies[0]) == before  # the same key, the same question: the answer that was given
    referral.switch(house.ledger, NAME, False, "Ada", "why", AT)
    assert eventually(lambda: house.standing[NAME].referral is None)
    assert "refer_all" not in ask(bodies[2]).flags
    found = list(replay(house.ledger, settings.home))
    house.close()
    assert [one.equal for one in found] == [True] * 3
