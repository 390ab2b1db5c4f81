"""The routes beside the one decision, as the real service answers: batches, replays, outcomes, overrides, models."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import httpx
import pytest

from serving.ledger import open_ledger
from serving.routes import ROUTES, Table
from serving.score import Scorer

NAME = "consumer_platform"
NDJSON = {"content-type": "application/x-ndjson"}


def batch(running: Any, asked: list[Any]) -> list[dict[str, Any]]:
    answer = running.score.post("/v1/decide/batch", json=asked)
    assert answer.status_code == 200, answer.text[:300]
    return answer.json()


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two answers agree in all but the id."""
    return {**one, "decision_id": ""} == {**other, "decision_id": ""}


@pytest.fixture(scope="module")
def decided(running: Any, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """A recorded decision."""
    return running.score.post("/v1/decide", json=bodies[3]).json()


def test_a_batch_has_the_answers_of_its_questions_asked_alone(running: Any, bodies: list[dict[str, Any]]) -> None:
    alone = [running.score.post("/v1/decide", json=body).json() for body in bodies]
    together = batch(running, bodies)
    assert [item["status"] for item in together] == [200] * len(bodies)
    assert all(same(item["answer"], one) for item, one in zip(together, alone, strict=True))


def test_the_evidence_of_a_batch_has_the_bits_it_has_alone(running: Any, bodies: list[dict[str, Any]]) -> None:
    alone = [running.score.post("/v1/decide", json=body).json()["decision_id"] for body in bodies[:40]]
    together = [item["answer"]["decision_id"] for item in batch(running, bodies[:40])]
    ledger = open_ledger(running.settings)
    evidence = [[ledger.by_id(decision).body()["evidence"] for decision in ids] for ids in (alone, together)]
    ledger.close()
    assert evidence[0] == evidence[1]


def test_a_bad_question_of_a_batch_is_its_own_problem(running: Any, body: dict[str, Any]) -> None:
    broken = {**body, "records": {"statements": [{"balance": "3"}]}}
    asked = [body, {"customer_id": 7}, broken, {**body, "product": "mortgages"}, body, 5, {"customer_id": "c"}]
    together = batch(running, asked)
    assert [item["status"] for item in together] == [200, 400, 422, 404, 200, 400, 422]
    assert [bool(item.get("answer")) for item in together] == [item["status"] == 200 for item in together]
    assert together[1]["problem"]["errors"][0]["pointer"] == "#/customer_id"


def test_one_customer_may_stand_twice_in_a_batch_with_other_records(running: Any, bodies: list[dict[str, Any]]) -> None:
    other = {**bodies[1], "customer_id": bodies[0]["customer_id"]}
    first, second = batch(running, [bodies[0], other])
    assert same(first["answer"], running.score.post("/v1/decide", json=bodies[0]).json())
    assert same(second["answer"], running.score.post("/v1/decide", json=other).json())


def test_the_entries_of_a_batch_stand_together_in_the_ledger(running: Any, bodies: list[dict[str, Any]]) -> None:
    ids = [item["answer"]["decision_id"] for item in batch(running, bodies[:50])]
    ledger = open_ledger(running.settings)
    places = [ledger.by_id(decision).seq for decision in ids]
    ledger.close()
    assert places == list(range(places[0], places[0] + 50))


def test_a_key_said_twice_in_a_batch_is_one_decision(running: Any, body: dict[str, Any]) -> None:
    asked = {**body, "idempotency_key": "twice in a batch"}
    first, second, other = batch(running, [asked, asked, {**asked, "requested_amount": 7}])
    assert first == second
    assert other["status"] == 409


def test_lines_of_json_are_answered_by_lines_of_json(running: Any, bodies: list[dict[str, Any]]) -> None:
    content = "\n".join([json.dumps(bodies[0]), "", "{", json.dumps(bodies[1])]) + "\n"
    answer = running.score.post("/v1/decide/batch", content=content, headers=NDJSON)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["status"] for line in answer.text.splitlines()] == [200, 400, 200]


@pytest.mark.parametrize("content", [b"[]", b"{}", b"[", b"null", b"", b"[" + b"1," * 256 + b"1]"])
def test_what_is_no_batch_or_too_large_a_one_is_a_400(running: Any, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = running.score.post("/v1/decide/batch", content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_a_replay_says_that_every_bit_is_equal(running: Any, decided: dict[str, Any]) -> None:
    answer = running.clients["read"].post(f"/v1/decisions/{decided['decision_id']}/replay")
    assert answer.json() == {"decision_id": decided["decision_id"], "equal": True, "differs": [], "detail": ""}


def test_a_decision_of_a_batch_can_be_replayed(running: Any, bodies: list[dict[str, Any]]) -> None:
    for item in batch(running, bodies[5:8]):
        answer = running.clients["read"].post(f"/v1/decisions/{item['answer']['decision_id']}/replay")
        assert answer.json()["equal"] is True


def test_what_was_never_decided_cannot_be_replayed(running: Any) -> None:
    assert running.clients["read"].post("/v1/decisions/d-unknown/replay").status_code == 404


def outcome(running: Any, decided: dict[str, Any], defaulted: bool, **said: Any) -> httpx.Response:
    on = (dt.date.fromisoformat(decided["as_of"]) + dt.timedelta(30)).isoformat()
    body = {"decision_id": decided["decision_id"], "defaulted": defaulted, "on": on, **said}
    return running.clients["outcome"].post("/v1/outcomes", json=body)


def test_an_outcome_is_recorded_once_and_corrected_only_with_a_reason(running: Any, decided: dict[str, Any]) -> None:
    first, again = outcome(running, decided, True), outcome(running, decided, True)
    assert (first.json()["new"], again.json()["new"]) == (True, False)
    assert first.json()["outcome_id"] == again.json()["outcome_id"]
    assert outcome(running, decided, False).status_code == 409
    corrected = outcome(running, decided, False, correction="booked on the wrong account")
    assert corrected.json()["corrects"] == first.json()["outcome_id"]


@pytest.mark.parametrize("said", [{"decision_id": "d-unknown"}, {"on": "1999-01-01"}, {"on": "2999-01-01"}])
def test_an_outcome_that_cannot_be_is_a_422(running: Any, decided: dict[str, Any], said: dict[str, Any]) -> None:
    assert outcome(running, decided, True, **said).status_code == 422


def test_who_asks_for_decisions_may_not_say_what_became_of_them(running: Any, decided: dict[str, Any]) -> None:
    assert running.score.post("/v1/outcomes", json={}).status_code == 403
    assert running.clients["outcome"].post("/v1/decide", json={}).status_code == 403


def override(running: Any, decided: dict[str, Any], **said: Any) -> httpx.Response:
    body = {"decision": "decline", "authority": "nobody", "by": "A. Officer", "reason": "seen the books", **said}
    return running.clients["override"].post(f"/v1/decisions/{decided['decision_id']}/override", json=body)


def test_an_override_under_an_authority_that_the_policy_lacks_is_a_422(running: Any, decided: dict[str, Any]) -> None:
    assert "no authority" in override(running, decided).json()["detail"]


def test_an_override_of_nothing_is_a_404(running: Any) -> None:
    assert override(running, {"decision_id": "d-unknown"}).status_code == 404


@pytest.mark.parametrize("said", [{"limit": -1}, {"decision": "maybe"}, {"by": ""}, {"reason": None}])
def test_an_override_that_says_what_it_may_not_is_a_400(running: Any, decided: dict[str, Any], said: Any) -> None:
    answer = override(running, decided, **said)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"#/{next(iter(said))}")


def test_the_model_that_answers_is_told_with_its_masterscale(running: Any, scorer: Scorer) -> None:
    card = running.clients["read"].get("/v1/model").json()
    assert (card["product"], card["promoted_by"]) == (NAME, "tests")
    assert [grade["name"] for grade in card["grades"]] == [grade.name for grade in scorer.grades]
    assert card["features"] == list(scorer.bundle.program.names)
    assert (card["degraded"], card["referral"], card["canary"], card["unloadable"]) == (False, None, None, [])
    assert card == running.clients["read"].get("/v1/model", params={"product": NAME}).json()


def test_a_model_of_no_product_served_is_a_404(running: Any) -> None:
    assert running.clients["read"].get("/v1/model?product=mortgages").status_code == 404


def test_every_route_is_found_by_its_own_path_and_method() -> None:
    table = Table(ROUTES)
    for route in ROUTES:
        found = table.find(route.path.replace("{decision_id}", "d-1"), route.method)
        assert (found.route, found.name) == (route, "d-1" if "{" in route.path else "")


def test_advice_is_what_a_decision_that_asks_for_it_says_and_leaves_no_record(
    running: Any, body: dict[str, Any]
) -> None:
    ledger = open_ledger(running.settings)
    before = ledger.head()
    advised = running.score.post("/v1/advice", json=body)
    assert (advised.status_code, ledger.head()) == (200, before)
    ledger.close()
    decided = running.score.post("/v1/decide", json={**body, "advice": True})
    assert decided.json()["advice"] == advised.json()
