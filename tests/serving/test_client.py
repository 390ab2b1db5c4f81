"""The client: typed answers of the real service, problems as exceptions, retries only where they decide once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from serving.api import OutcomeRequest, OverrideRequest
from serving.client import Client, ProblemError, Unreachable, question

BUSY = b'{"type":"about:blank","title":"Too busy","status":503,"detail":"come again"}'


@pytest.fixture(scope="module")
def client(running: Any) -> Iterator[Client]:
    """A client with a key that may do everything."""
    key = running.clients["admin"].headers["Authorization"].removeprefix("Bearer ")
    with Client(running.address, key) as made:
        yield made


def asked_of(body: dict[str, Any], **said: Any) -> Any:
    return question(**{**body, **said})


def test_a_decision_its_record_its_replay_and_its_outcome(client: Client, bodies: list[dict[str, Any]]) -> None:
    answer = client.decide(asked_of(bodies[20], language="zh", requested_amount=700.0))
    assert answer.customer_id == bodies[20]["customer_id"]
    assert client.decision(answer.decision_id) == answer
    assert client.replay(answer.decision_id).equal
    told = client.outcome(OutcomeRequest(decision_id=answer.decision_id, defaulted=False, on=answer.as_of))
    assert (told.decision_id, told.new) == (answer.decision_id, True)


def test_a_batch_gives_answers_and_problems_in_order(client: Client, bodies: list[dict[str, Any]]) -> None:
    first, second = client.decide_batch([asked_of(bodies[21]), question("c", {"invoices": []})])
    assert first.answer is not None
    assert second.problem is not None
    assert (first.status, second.status) == (200, 422)


def test_the_models_that_answer_are_typed(client: Client) -> None:
    (line,) = client.models()
    card = client.model(line.product)
    assert (card.model, card == client.model()) == (line.model, True)


def test_a_problem_is_an_exception_that_names_the_field(client: Client) -> None:
    with pytest.raises(ProblemError, match=r"(?s)422 The records break.*#/records/invoices") as caught:
        client.decide(question("c", {"invoices": []}))
    assert caught.value.problem.status == 422


def test_an_override_that_the_policy_does_not_know_is_a_problem(client: Client, bodies: list[dict[str, Any]]) -> None:
    answer = client.decide(asked_of(bodies[22]))
    with pytest.raises(ProblemError, match="no authority"):
        client.override(answer.decision_id, OverrideRequest(decision="decline", authority="x", by="Ada", reason="why"))


def test_a_question_that_the_service_would_refuse_is_not_even_sent() -> None:
    with pytest.raises(msgspec.ValidationError, match="shoe_size"):
        question("c", {}, shoe_size=43)


def test_records_left_out_stay_out_and_an_empty_set_does_not() -> None:
    sent: list[bytes] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(400, content=BUSY)

    made = Client("http://x", "k", transport=httpx.MockTransport(keep))
    for asked in (question("c", as_of=dt.date(2024, 1, 31)), question("c", {})):
        with pytest.raises(ProblemError):
            made.decide(asked)
    assert sent == [b'{"customer_id":"c","as_of":"2024-01-31"}', b'{"customer_id":"c","records":{}}']


def flaky(failures: int, slept: list[float], broken: bool = False) -> tuple[Client, list[httpx.Request]]:
    """A client of a service that is busy, or away, so many times before it has no such decision."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) > failures:
            return httpx.Response(404, content=BUSY.replace(b"503", b"404"))
        if broken:
            raise httpx.ReadError("gone")
        return httpx.Response(503, content=BUSY, headers={"retry-after": "2"})

    return Client("http://x", "k", retries=3, transport=httpx.MockTransport(answer), sleep=slept.append), seen


@pytest.mark.parametrize("broken", [False, True])
def test_with_a_key_a_question_is_asked_again_and_with_the_same_words(broken: bool) -> None:
    slept: list[float] = []
    client, seen = flaky(2, slept, broken)
    with pytest.raises(ProblemError) as caught:
        client.decide(question("c", {}, idempotency_key="k"))
    assert caught.value.problem.status == 404
    assert len({request.content for request in seen}) == 1
    assert len(seen) == 3
    assert all(pause >= (0.1 if broken else 2) for pause in slept)


def test_a_proxy_that_names_a_moment_to_come_again_is_asked_again() -> None:
    slept: list[float] = []
    answers = iter([httpx.Response(503, headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), httpx.Response(404)])
    client = Client("http://x", "k", transport=httpx.MockTransport(lambda _: next(answers)), sleep=slept.append)
    with pytest.raises(ProblemError, match="404"):
        client.decide(question("c", {}, idempotency_key="k"))
    assert 0.1 <= slept[0] <= 0.2


@pytest.mark.parametrize("broken", [False, True])
def test_without_a_key_a_question_is_asked_once(broken: bool) -> None:
    slept: list[float] = []
    client, seen = flaky(2, slept, broken)
    with pytest.raises(Unreachable if broken else ProblemError):
        client.decide(question("c", {}))
    assert (len(seen), slept) == (1, [])


@pytest.mark.parametrize("broken", [False, True])
def test_it_gives_up_after_its_retries(broken: bool) -> None:
    client, seen = flaky(99, [], broken)
    with pytest.raises(Unreachable if broken else ProblemError):
        client.decide(question("c", {}, idempotency_key="k"))
    assert len(seen) == 4


def test_what_is_no_problem_of_ours_is_told_all_the_same() -> None:
    proxy = httpx.MockTransport(lambda _: httpx.Response(502, content=b"<html>bad gateway"))
    with pytest.raises(ProblemError, match="502 Bad Gateway: <html>"):
        Client("http://x", "k", transport=proxy).models()
