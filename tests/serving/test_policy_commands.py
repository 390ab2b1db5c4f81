"""A policy with everything in it, served, recorded, replayed, held against another, and set aside by a person."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

import creditloop
from configs.policy import Authority, KnockOut, Pricing
from configs.settings import Product, Settings, load_product, product_toml
from features.contracts import Columns, to_day
from serving import access
from serving.api import DecideRequest
from serving.batch import score_tables
from serving.decide import decide, question_of
from serving.ledger import open_ledger
from serving.live import Live
from serving.replay import replay
from serving.score import Scorer, make_scorer

NAME = "consumer_platform"
LATE = KnockOut(
    name="late_now",
    feature="days_past_due_last",
    operator=">",
    bound=0.0,
    decision="decline",
    missing="refer",
    reason="A payment is overdue",
    reason_zh="有逾期款项",
)
OFFICER = Authority(name="officer", largest_limit=500.0, sets_aside=("refer", "decline"), lifts_knock_outs=True)


@pytest.fixture(scope="module")
def rich(product: Product) -> Product:
    """The served product with a knock-out, a price, collateral and an authority."""
    pricing = Pricing(funding_rate=0.03, operating_cost_rate=0.05, margin_rate=0.02)
    policy = product.policy.model_copy(update={"knock_outs": (LATE,), "pricing": pricing, "authorities": (OFFICER,)})
    grades = tuple(
        grade.model_copy(update={"collateral_share": 0.1 * place}) for place, grade in enumerate(product.grades)
    )
    return product.model_copy(update={"policy": policy, "grades": grades})


@pytest.fixture(scope="module")
def rich_scorer(scorer: Scorer, rich: Product) -> Scorer:
    """The same model under the rich policy."""
    return make_scorer(scorer.bundle, rich)


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory,
    furnish: Callable[[Path], Settings],
    rich: Product,
    bodies: list[dict[str, Any]],
) -> Settings:
    """A home in which 40 customers were decided under the rich policy; two other policies lie beside it."""
    made = furnish(tmp_path_factory.mktemp("priced"))
    (made.home / "products").mkdir()
    generous = rich.policy.model_copy(update={"loss_budget": rich.policy.loss_budget * 2})
    foreign = rich.policy.model_copy(update={"capacity_feature": "shoe_size"})
    for name, policy in ((NAME, rich.policy), ("generous", generous), ("foreign", foreign)):
        text = product_toml(rich.model_copy(update={"policy": policy}))
        (made.home / "products" / f"{name}.toml").write_text(text)
    access.create_key(made.home, "tests", "score")
    live = Live(made, (NAME,))
    for place, body in enumerate(bodies[:40]):
        said = {"group_exposure": 300.0} if place % 2 else {"requested_amount": 400.0}
        request = msgspec.json.decode(json.dumps({**body, **said}), type=DecideRequest)
        live.ask(live.scorers[NAME], live.question(request), None)[1].result(timeout=30)
    live.close()
    return made


def run(settings: Settings, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patched.setenv("CREDITLOOP_HOME", str(settings.home))
        patched.setenv("CREDITLOOP_KEY", access.create_key(settings.home, "Ada", "risk"))
        code = creditloop.main(words)
    return code, out.getvalue(), err.getvalue()


def answers(settings: Settings) -> list[dict[str, Any]]:
    ledger = open_ledger(settings)
    try:
        return [record.body()["answer"] for record in ledger.records("decision")]
    finally:
        ledger.close()


def test_every_decision_under_the_rich_policy_comes_out_equal_on_replay(settings: Settings) -> None:
    ledger = open_ledger(settings)
    replayed = list(replay(ledger, settings.home))
    ledger.close()
    assert [item.detail for item in replayed] == [""] * 40


def test_answers_hold_price_and_collateral_of_what_is_not_declined(settings: Settings) -> None:
    for answer in answers(settings):
        granted = answer["decision"] != "decline"
        assert (("price" in answer), ("collateral" in answer)) == (granted, granted)


def test_whoever_is_late_is_declined_by_name(settings: Settings) -> None:
    late = [answer for answer in answers(settings) if answer["binding_constraint"] == "knock_out"]
    told = [{"name": "late_now", "decision": "decline", "reason": "A payment is overdue"}]
    assert late
    assert all(answer["knock_outs"] == told and answer["decision"] == "decline" for answer in late)


def test_a_policy_that_uses_nothing_new_answers_nothing_new(scorer: Scorer, body: dict[str, Any]) -> None:
    request = msgspec.json.decode(json.dumps(body), type=DecideRequest)
    question = question_of(request, dt.date(2026, 1, 31), "en", 4)
    written = msgspec.to_builtins(decide(scorer, question, "d")[0])
    assert not {"price", "collateral", "knock_outs"} & set(written)
    assert "group_exposure" not in msgspec.to_builtins(question)


def test_the_bulk_path_grants_the_same_as_one_request(
    rich_scorer: Scorer, bodies: list[dict[str, Any]], tables: dict[str, Columns], as_of: dt.date
) -> None:
    batch = score_tables(rich_scorer, tables, to_day(as_of)).set_index("customer_id")
    for body in bodies[:20]:
        request = msgspec.json.decode(json.dumps(body), type=DecideRequest)
        answer, _ = decide(rich_scorer, question_of(request, as_of, "en", 4), "d")
        row = batch.loc[answer.customer_id]
        assert (row["decision"], row["limit"]) == (answer.decision, answer.limit)
        assert row["knock_outs"].split() == [hit.name for hit in answer.knock_outs]
        assert (row["rate"] if pd.notna(row["rate"]) else None) == (answer.price.rate if answer.price else None)


def test_a_policy_is_held_against_recorded_decisions(settings: Settings) -> None:
    code, out, _ = run(settings, "policy", "diff", NAME, "generous", "--decisions", "--json")
    found = json.loads(out)
    recorded = answers(settings)
    assert code == 0
    assert [one["key"] for one in found["differences"]] == ["policy.loss_budget"]
    assert found["decisions"]["cases"] == 40
    approved = [answer for answer in recorded if answer["decision"] == "approve"]
    assert found["decisions"]["before"]["decisions"]["approve"] == len(approved)
    assert found["decisions"]["before"]["limits"] == sum(answer["limit"] for answer in approved)
    assert found["decisions"]["after"]["expected_loss"] >= found["decisions"]["before"]["expected_loss"]
    assert found["decisions"]["swapped_out"]["count"] == 0


def test_without_decisions_the_files_alone_are_held_against_each_other(settings: Settings) -> None:
    code, out, _ = run(settings, "policy", "diff", NAME, "generous")
    assert (code, out.split()) == (0, ["policy.loss_budget", "60.0", "->", "120.0"])


def test_the_table_is_told_on_a_terminal(settings: Settings) -> None:
    code, out, _ = run(settings, "policy", "diff", NAME, "generous", "--decisions", "--since", "2000-01-01")
    assert (code, "40 recorded decisions, decided anew under both" in out, "swapped in" in out) == (0, True, True)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("diff", NAME, "generous", "--since", "2020-01-01"), 2, "--since DATE goes with --decisions"),
        (("diff", NAME, "generous", "--decisions", "--since", "2099-01-01"), 1, "no decision of consumer_platform"),
        (("diff", NAME, "generous", "--decisions", "--product", "flat"), 1, "no decision of flat"),
        (("diff", NAME, "foreign", "--decisions"), 2, "'shoe_size' is no feature of the model"),
        (("diff", NAME, "generos"), 2, "did you mean 'generous'"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_told(settings: Settings, words, code, told) -> None:
    found, _, err = run(settings, "policy", *words)
    assert (found, told in err) == (code, True)


def test_an_override_within_authority_goes_on_record_and_one_beyond_does_not(settings: Settings) -> None:
    declined = next(answer for answer in answers(settings) if answer["decision"] == "decline")
    said = ("policy", "override", declined["decision_id"], "--decision", "approve", "--authority", "officer")
    why = ("--by", "Ada", "--reason", "paid since")
    assert run(settings, *said, *why, "--limit", "501")[0] == 1
    code, out, _ = run(settings, *said, *why, "--limit", "500", "--json")
    ledger = open_ledger(settings)
    recorded = list(ledger.records("override"))
    ledger.verify()
    ledger.close()
    assert (code, [record.entry.id for record in recorded]) == (0, [json.loads(out)["id"]])


def test_an_override_of_nothing_is_refused(settings: Settings) -> None:
    said = ("--decision", "decline", "--authority", "officer", "--by", "Ada", "--reason", "why")
    code, _, err = run(settings, "policy", "override", "d-none", *said)
    assert (code, "no decision 'd-none'" in err) == (2, True)


def test_the_policy_in_the_home_is_the_one_that_decided(settings: Settings, rich: Product) -> None:
    assert {answer["policy"] for answer in answers(settings)} == {rich.digest()}
    assert load_product(NAME, settings.home).digest() == rich.digest()
