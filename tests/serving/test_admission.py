"""Who is let in: turns in order, a bounded queue, a deadline, a rate for each key; and what is counted."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pandas as pd
import pytest

from configs.policy import Authority
from configs.settings import Product, Settings, load_settings, product_toml
from features.simulate import Portfolio
from serving import access
from serving.admission import Bucket, Turnstile
from serving.http import Routes
from serving.ledger import Ledger
from serving.live import Live

NAME = "consumer_platform"
OFFICER = Authority(name="officer", largest_limit=500.0, sets_aside=("refer", "decline"), lifts_knock_outs=True)
Made = Callable[..., "House"]


class House:
    """A service without its processes: the routes over a Live, asked in this event loop."""

    def __init__(self, settings: Settings) -> None:
        self.key = access.create_key(settings.home, "tests", "admin")
        self.live = Live(settings, (NAME,))
        self.routes = Routes(_nothing, lambda: self.live)

    def run(self, ask: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        """What `ask` gives with a client that holds the key."""

        async def asked() -> Any:
            headers = {"Authorization": f"Bearer {self.key}"}
            transport = httpx.ASGITransport(self.routes)
            async with httpx.AsyncClient(transport=transport, base_url="http://house", headers=headers) as client:
                return await ask(client)

        return asyncio.run(asked())

    def post(self, path: str, body: Any) -> httpx.Response:
        """One request."""
        return self.run(lambda client: client.post(path, json=body))


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nothing here is BentoML's")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, furnish: Any, product: Product, portfolio: Portfolio) -> Settings:
    """A home with a champion, a policy with an authority, and a folder of raw tables beside it."""
    made: Settings = furnish(tmp_path_factory.mktemp("admitted"))
    policy = product.policy.model_copy(update={"authorities": (OFFICER,)})
    (made.home / "products").mkdir()
    own = product_toml(product.model_copy(update={"policy": policy}))
    (made.home / "products" / f"{NAME}.toml").write_text(own)
    (made.home / "raw").mkdir()
    for name in product.tables:
        portfolio.tables[name].to_parquet(made.home / "raw" / f"{name}.parquet")
    return made


@pytest.fixture
def house(home: Settings) -> Iterator[Made]:
    """Makes a house with some settings of serving; closed after the test."""
    made: list[House] = []

    def make(**serving: Any) -> House:
        made.append(House(load_settings(home.home, {"serving": serving})))
        return made[-1]

    yield make
    for each in made:
        each.live.close()


def test_turns_are_taken_in_the_order_of_arrival_one_each_time_the_loop_goes_round() -> None:
    told: list[str] = []

    async def take(turnstile: Turnstile, name: int) -> None:
        await turnstile.turn()
        told.append(f"turn {name}")

    async def go_round() -> None:
        for number in range(12):
            told.append(f"round {number}")
            await asyncio.sleep(0)

    async def all_at_once() -> None:
        turnstile = Turnstile()
        await asyncio.gather(go_round(), *(take(turnstile, name) for name in range(6)))
        assert len(turnstile) == 0

    asyncio.run(all_at_once())
    assert [line for line in told if "turn" in line] == [f"turn {name}" for name in range(6)]
    assert not re.search(r"turn \d turn", " ".join(told))


def test_who_leaves_the_queue_does_not_stop_it() -> None:
    async def some_leave() -> list[bool]:
        turnstile = Turnstile()
        tasks = [asyncio.create_task(turnstile.turn()) for _ in range(6)]
        await asyncio.sleep(0)
        for task in tasks[1:4]:
            task.cancel()
        await asyncio.wait(tasks, timeout=5)
        await asyncio.wait_for(turnstile.turn(), 5)
        return [task.cancelled() for task in tasks]

    assert asyncio.run(some_leave()) == [False, True, True, True, False, False]


def test_a_bucket_lets_in_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(per_second=2.0, burst=3.0, tokens=3.0, at=0.0)
    for _ in range(3):
        assert bucket.wait(0.0) == 0
        bucket.take(1)
    assert bucket.wait(0.0) == 0.5
    assert bucket.wait(0.5) == 0


def test_a_batch_is_let_in_whole_and_paid_for_afterwards() -> None:
    bucket = Bucket(per_second=2.0, burst=3.0, tokens=3.0, at=0.0)
    bucket.take(11)
    assert bucket.wait(0.0) == 4.5  # 8 in debt, and one to ask with
    assert bucket.wait(100.0) == 0
    assert bucket.tokens == 3.0


def test_beyond_the_queue_it_is_503_with_the_time_to_come_again(house: Made, bodies: list[dict[str, Any]]) -> None:
    made = house(queue=4)

    async def storm(client: httpx.AsyncClient) -> list[httpx.Response]:
        return await asyncio.gather(*(client.post("/v1/decide", json=bodies[i % 60]) for i in range(80)))

    answers = made.run(storm)
    assert {answer.status_code for answer in answers} == {200, 503}
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {(answer.headers["retry-after"], answer.json()["title"]) for answer in refused} == {("1", "Too busy")}
    assert made.post("/v1/decide", bodies[0]).status_code == 200


def test_beyond_its_rate_a_key_is_told_429_and_when_to_come_again(house: Made, body: dict[str, Any]) -> None:
    made = house(requests_per_second=0.5, burst=3)
    statuses = [made.post("/v1/decide", body).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = made.post("/v1/decide", body)
    assert 1 <= int(answer.headers["retry-after"]) <= 2


def test_a_batch_counts_each_of_its_questions(house: Made, body: dict[str, Any]) -> None:
    made = house(requests_per_second=1.0, burst=5)
    assert made.post("/v1/decide/batch", [body] * 20).status_code == 200
    assert int(made.post("/v1/decide", body).headers["retry-after"]) > 10


def test_what_is_not_durable_in_time_is_503_and_the_same_key_finds_it_later(
    house: Made, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = house(deadline_seconds=0.15)
    append = Ledger.append
    asked = {**body, "idempotency_key": "slow disk"}
    with monkeypatch.context() as slow:
        slow.setattr(Ledger, "append", lambda *given: (time.sleep(0.3), append(*given))[1])
        late = made.post("/v1/decide", asked)
    assert (late.status_code, late.json()["title"], late.headers["retry-after"]) == (503, "Not answered in time", "1")
    for _ in range(100):
        if first := made.live.ledger.by_key(f"{NAME} slow disk"):
            break
        time.sleep(0.02)
    assert first is not None
    assert made.post("/v1/decide", asked).json() == first.body()["answer"]


def test_a_body_that_does_not_come_is_a_408(house: Made) -> None:
    made = house(deadline_seconds=0.1)
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.sleep(60)

    async def keep(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {made.key}".encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/decide", "headers": headers, "query_string": b""}
    asyncio.run(made.routes(scope, never, keep))
    assert sent[0]["status"] == 408


def test_nobody_stays_inside_whatever_became_of_them(house: Made, body: dict[str, Any]) -> None:
    made = house(queue=1)
    for asked in (body, {}, {"customer_id": "c"}, {**body, "product": "mortgages"}, {**body, "records": 5}):
        made.post("/v1/decide", asked)
    assert made.post("/v1/decide", body).status_code == 200


def counted(text: str, name: str) -> dict[str, float]:
    """The samples of a metric, by their labels."""
    found = re.findall(rf"^{name}(?:{{(.*?)}})? ([0-9.e+-]+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def exposed(made: House) -> str:
    return made.run(lambda client: client.get("/metrics")).text


def test_every_decision_is_counted_by_grade_reason_and_time(house: Made, bodies: list[dict[str, Any]]) -> None:
    made = house()
    before = exposed(made)
    answers = [made.post("/v1/decide", body).json() for body in bodies[:10]]
    made.post("/v1/decide/batch", bodies[10:20])
    after = exposed(made)

    def more(name: str) -> float:
        return sum(counted(after, name).values()) - sum(counted(before, name).values())

    assert more("creditloop_decisions_total") == 20
    assert more("creditloop_ledger_records_total") == 20
    assert more("creditloop_reasons_total") >= sum(len(answer["reasons"]) for answer in answers)
    assert more("creditloop_flags_total") >= sum(len(answer["flags"]) for answer in answers)
    assert more("creditloop_request_seconds_count") == 12  # and the first look at the metrics themselves
    grades = {re.search('grade="(.*?)"', labels)[1] for labels in counted(after, "creditloop_decisions_total")}
    assert grades >= {answer["grade"] for answer in answers}


def test_metrics_hold_no_path_and_no_customer_that_was_asked_for(house: Made, bodies: list[dict[str, Any]]) -> None:
    made = house()
    made.post("/v1/decide", bodies[0])
    made.run(lambda client: client.get("/v1/decisions/d-somebody"))
    made.run(lambda client: client.get("/somewhere/else"))
    told = exposed(made)
    assert not any(word in told for word in ("somebody", "somewhere", bodies[0]["customer_id"]))
    assert 'route="/v1/decisions/{decision_id}"' in told


def test_a_refusal_is_counted_by_its_cause(house: Made) -> None:
    made = house()
    before = counted(exposed(made), "creditloop_refused_total")
    made.post("/v1/decide", {})
    assert counted(exposed(made), "creditloop_refused_total")['cause="Not a request"'] == (
        before.get('cause="Not a request"', 0) + 1
    )


def test_the_model_that_answers_has_an_age(house: Made) -> None:
    made = house()
    for _ in range(60):
        if ages := counted(exposed(made), "creditloop_model_age_seconds"):
            break
        time.sleep(0.05)
    assert ages[f'product="{NAME}"'] > 0


def test_what_nobody_foresaw_is_a_500_that_neither_answer_nor_log_describes_with_its_data(
    house: Made, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = house()
    monkeypatch.setattr(made.live, "question", lambda *_: {}[f"secret of {body['customer_id']}"])
    caplog.set_level(logging.DEBUG)
    answer = made.post("/v1/decide", body)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "KeyError at " in caplog.text
    assert "secret" not in answer.text + caplog.text


def test_an_authority_overrides_a_decision_over_http(house: Made, bodies: list[dict[str, Any]]) -> None:
    made = house()
    decided = made.post("/v1/decide", bodies[0]).json()
    said = {"decision": "approve", "limit": 400, "authority": "officer", "by": "Ada", "reason": "Papers seen"}
    path = f"/v1/decisions/{decided['decision_id']}/override"
    first, again = made.post(path, said), made.post(path, said)
    assert (first.status_code, first.json()["new"], again.json()["new"]) == (200, True, False)
    record = made.live.ledger.latest_about("override", decided["customer_id"])
    assert record is not None
    assert record.entry.id == first.json()["override_id"]
    assert record.body()["by"].startswith("Ada, by the word of ")  # the name is what the key's holder says
    beyond = made.post(path, {**said, "limit": 100_000})
    assert (beyond.status_code, beyond.json()["title"]) == (409, "Refused")


def test_a_customer_with_stored_records_is_decided_as_if_they_had_been_sent(
    house: Made, home: Settings, bodies: list[dict[str, Any]]
) -> None:
    made = house(sources={NAME: [str(home.home / "raw")]})
    for body in bodies[:5]:
        bare = {key: value for key, value in body.items() if key != "records"}
        stored, sent = made.post("/v1/decide", bare), made.post("/v1/decide", body)
        assert stored.status_code == 200, stored.text
        assert {**stored.json(), "decision_id": ""} == {**sent.json(), "decision_id": ""}
    replayed = made.run(lambda client: client.post(f"/v1/decisions/{stored.json()['decision_id']}/replay"))
    assert replayed.json()["equal"] is True


def test_a_repeated_question_about_stored_records_is_the_same_though_they_changed(
    house: Made, home: Settings, bodies: list[dict[str, Any]], portfolio: Portfolio
) -> None:
    made = house(sources={NAME: [str(home.home / "raw")]})
    asked = {key: value for key, value in bodies[6].items() if key != "records"} | {"idempotency_key": "stored"}
    first = made.post("/v1/decide", asked)
    frame = portfolio.tables["statements"]
    frame.assign(balance=frame["balance"] * 2).to_parquet(home.home / "raw" / "statements.parquet")
    again = made.post("/v1/decide", asked)
    frame.to_parquet(home.home / "raw" / "statements.parquet")
    assert again.content == first.content


def test_a_batch_may_ask_about_customers_with_stored_records(
    house: Made, home: Settings, bodies: list[dict[str, Any]]
) -> None:
    made = house(sources={NAME: [str(home.home / "raw")]})
    asked = [{"customer_id": body["customer_id"], "as_of": body["as_of"]} for body in bodies[:3]]
    answers = made.post("/v1/decide/batch", [*asked, {"customer_id": "nobody"}]).json()
    assert [item["status"] for item in answers] == [200, 200, 200, 422]
    assert answers[3]["problem"]["title"] == "No records"


def test_a_source_that_cannot_be_read_is_a_503(house: Made, home: Settings, product: Product) -> None:
    folder = home.home / "broken"
    folder.mkdir()
    for name in product.tables:
        pd.DataFrame({"customer_id": ["c"]}).to_csv(folder / f"{name}.csv", index=False)
    answer = house(sources={NAME: [str(folder)]}).post("/v1/decide", {"customer_id": "c"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
