"""Replay: every decision comes out equal from the ledger alone, whatever changed since; a tampered one does not."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from configs.settings import Settings, load_product, product_toml
from serving import access, champion
from serving.api import DecideRequest
from serving.decide import decide as decide_alone
from serving.decide import question_of
from serving.ledger import Entry, Ledger, canonical, open_ledger
from serving.live import Live, entry_of
from serving.replay import Replayed, Scorers, replay
from serving.score import Scorer
from training.bundle import Bundle

NAME = "consumer_platform"
AT = "2026-02-28T00:00:00+00:00"


def decide(live: Live, bodies: list[dict[str, Any]]) -> None:
    for body in bodies:
        asked = msgspec.json.decode(json.dumps(body), type=DecideRequest)
        live.ask(live.scorers[NAME], live.question(asked), None)[1].result(timeout=30)


def change_policy(home: Path) -> None:
    """A lender who is now willing to lose half as much."""
    product = load_product(NAME, home)
    policy = product.policy.model_copy(update={"loss_budget": product.policy.loss_budget / 2})
    (home / "products").mkdir()
    (home / "products" / f"{NAME}.toml").write_text(product_toml(product.model_copy(update={"policy": policy})))


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory,
    furnish: Callable[[Path], Settings],
    successor: Bundle,
    bodies: list[dict[str, Any]],
) -> Settings:
    """A home in which ten customers were decided by one model and policy, then ten by another of both."""
    made = furnish(tmp_path_factory.mktemp("replayed"))
    access.create_key(made.home, "tests", "score")
    first = Live(made, (NAME,))
    decide(
        first, [{**bodies[0], "language": "zh", "requested_amount": 77.7}, *bodies[1:9], {**bodies[9], "records": {}}]
    )
    champion.promote(first.ledger, successor, champion.current(first.ledger, NAME), "tests", "why", AT)
    first.close()
    change_policy(made.home)
    second = Live(made, (NAME,))
    decide(second, bodies[:10])
    second.close()
    return made


def replayed(settings: Settings, home: Path | None = None) -> list[Replayed]:
    ledger = open_ledger(settings)
    try:
        return list(replay(ledger, home or settings.home))
    finally:
        ledger.close()


def test_every_decision_comes_out_equal(settings: Settings) -> None:
    assert [item.equal for item in replayed(settings)] == [True] * 20


def test_two_models_and_two_policies_were_replayed(settings: Settings) -> None:
    ledger = open_ledger(settings)
    answers = [record.body()["answer"] for record in ledger.records("decision")]
    ledger.close()
    assert len({(answer["model"], answer["policy"]) for answer in answers}) == 2


def test_the_two_models_do_not_agree_on_anybody(settings: Settings) -> None:
    ledger = open_ledger(settings)
    answers = [record.body()["answer"] for record in ledger.records("decision")]
    ledger.close()
    assert all(answers[n]["default_probability"] < answers[10 + n]["default_probability"] for n in range(9))


def another(value: Any) -> Any:
    return value + 1 if isinstance(value, int | float) else "another"


def tampered(settings: Settings, folder: Path, change: Callable[[dict[str, Any]], None]) -> Replayed:
    """The verdict on the third decision after `change` had its body, in a ledger written anew."""
    with closing(open_ledger(settings)) as source:
        entries = [record.entry for record in source.records()]
    third = [place for place, entry in enumerate(entries) if entry.kind == "decision"][2]
    body = json.loads(entries[third].body)
    change(body)
    entries[third] = replace(entries[third], body=canonical(body))
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    ledger.append(entries)
    try:
        found = list(replay(ledger, settings.home))
    finally:
        ledger.close()
    assert [item.equal for item in found[:2] + found[3:]] == [True] * 19
    return found[2]


def test_a_tampered_feature_is_reported(settings: Settings, tmp_path: Path) -> None:
    def change(body: dict[str, Any]) -> None:
        body["evidence"]["features"][0] = 123.0

    assert tampered(settings, tmp_path, change).detail == "differs in its evidence"


@pytest.mark.parametrize("field", ["limit", "grade", "decision", "default_probability", "points"])
def test_a_tampered_answer_is_reported_by_its_field(settings: Settings, tmp_path: Path, field: str) -> None:
    def change(body: dict[str, Any]) -> None:
        body["answer"][field] = another(body["answer"][field])

    assert tampered(settings, tmp_path, change).detail == f"differs in {field}"


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["question"]["records"]["statements"][-1].update(balance=1e7),
        lambda body: body["question"]["records"]["statements"][-1].update(balance="much"),
        lambda body: body["question"].pop("as_of"),
        lambda body: body.pop("question"),
        lambda body: body["answer"].update(model="never-made"),
        lambda body: body["answer"].update(policy="0" * 64),
    ],
)
def test_a_tampered_question_or_version_is_reported_and_the_rest_replayed(
    settings: Settings, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    assert not tampered(settings, tmp_path, change).equal


def test_a_model_that_is_gone_is_reported(settings: Settings, tmp_path: Path) -> None:
    found = replayed(settings, home=tmp_path)
    assert {item.equal for item in found} == {False}
    assert "not a model version" in found[0].detail


def test_those_since_a_moment_alone_are_replayed(settings: Settings) -> None:
    with closing(open_ledger(settings)) as ledger:
        made = [dt.datetime.fromisoformat(record.entry.at) for record in ledger.records("decision")]
        assert len(list(replay(ledger, settings.home, since=made[15]))) == 5
        assert not list(replay(ledger, settings.home, since=made[-1] + dt.timedelta(microseconds=1)))


def test_what_lightgbm_explained_had_no_adviser_and_is_advised_as_then(
    settings: Settings, tmp_path: Path, bodies: list[dict[str, Any]], scorer: Scorer
) -> None:
    """Where a model is none whose trees can be told, on this machine or in that release, nobody could be advised."""
    request = msgspec.json.decode(json.dumps({**bodies[0], "advice": True}), type=DecideRequest)
    question = question_of(request, dt.date(2026, 1, 31), "en", 4)
    by_lightgbm = replace(scorer, explainer=None, adviser=None)
    made = decide_alone(by_lightgbm, question, "d-1")
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        policy = canonical(scorer.product.model_dump(mode="json"))
        ledger.append([Entry("policy", "policy", NAME, scorer.policy_digest, AT, policy)])
        ledger.append([entry_of(by_lightgbm, question, None, *made)])
        assert [item.detail for item in replay(ledger, settings.home)] == [""]


class Interrupted(dict[tuple[str, str], Any]):
    """Between a look into it and what is done next, others come, once."""

    def __init__(self, values: dict[tuple[str, str], Any], others: Callable[[], object]) -> None:
        super().__init__(values)
        self._others = [others]

    def __contains__(self, key: object) -> bool:
        return self._after(super().__contains__(key))

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        return self._after(super().get(key, default))

    def _after(self, found: Any) -> Any:
        if self._others:
            self._others.pop()()
        return found


def test_a_version_that_others_displace_meanwhile_is_given_all_the_same(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scorers, "_load", lambda _, version, policy: version)
    with closing(open_ledger(settings)) as ledger:
        scorer_of = Scorers(ledger, tmp_path)
        assert scorer_of("mine", "p") == "mine"
        made = Interrupted(scorer_of._made, lambda: [scorer_of(f"v{n}", "p") for n in range(20)])
        monkeypatch.setattr(scorer_of, "_made", made)
        assert scorer_of("mine", "p") == "mine"
