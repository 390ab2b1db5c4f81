"""Advice through the real scorer: what is told comes true when the row is scored, and what cannot be had is said."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from configs.policy import Advice as Settings
from configs.settings import Product
from serving.advice import Advised, number
from serving.api import DecideRequest
from serving.decide import Question, advise, decide, ledger_body, question_of
from serving.score import Scorer, make_scorer
from training.bundle import Bundle

TODAY = dt.date(2026, 1, 31)


def question(body: dict[str, Any], **changed: Any) -> Question:
    return question_of(msgspec.json.decode(json.dumps({**body, **changed}), type=DecideRequest), TODAY, "en", 4)


@pytest.fixture(scope="module")
def advised(scorer: Scorer, bodies: list[dict[str, Any]]) -> list[tuple[Any, dict[str, Any], Advised]]:
    """Sixty customers: answer, evidence and advice."""
    found = []
    for body in bodies:
        answer, evidence = decide(scorer, question(body, advice=True), "d")
        found.append((answer, evidence, answer.advice))
    return found


def test_some_are_advised_and_some_cannot_be(advised) -> None:
    assert {bool(advice.advice) for _, _, advice in advised} == {True, False}


def test_the_row_that_does_what_is_advised_gets_what_is_promised(scorer: Scorer, advised) -> None:
    names, seen = scorer.bundle.program.names, 0
    for answer, evidence, said in advised:
        row = np.array([np.nan if value is None else value for value in evidence["features"]])
        for piece in said.advice:
            changed = row.copy()
            for step in piece.steps:
                for name in step.features:
                    place = names.index(name)
                    risk = scorer.bundle.program.features[place].direction
                    assert risk * (changed[place] - step.goal) > 0  # each moves, and the way risk falls
                    changed[place] = step.goal
            then = scorer.scored(changed[None])
            assert float(then.default_probability[0]) == piece.default_probability < answer.default_probability
            assert scorer.grades[int(then.grade[0])].name == piece.grade < answer.grade
            seen += 1
    assert seen > 20


def test_nobody_is_advised_to_change_what_no_lever_moves(scorer: Scorer, advised) -> None:
    movable = {name for rail in scorer.adviser.rails for name, _ in rail.lever.features}
    moved = {name for _, _, said in advised for piece in said.advice for step in piece.steps for name in step.features}
    assert moved <= movable
    assert not moved & {"days_on_book", "days_as_customer", "credit_limit_last", "inflow_mean_6m", "days_since_late"}


def test_the_cheapest_comes_first_and_there_are_three_at_most(advised) -> None:
    for _, _, said in advised:
        costs = [piece.cost for piece in said.advice]
        assert costs == sorted(costs)
        assert len(costs) <= 3


def test_who_is_not_approved_is_told_the_way_to_approval_or_that_only_the_grade_is_in_reach(advised) -> None:
    for answer, _, said in advised:
        if said.aim == "approval":
            assert answer.decision != "approve"
            assert all(piece.decision == "approve" for piece in said.advice)
        assert said.told


def test_advice_is_given_only_where_asked(scorer: Scorer, body: dict[str, Any]) -> None:
    answer, evidence = decide(scorer, question(body), "d")
    assert answer.advice is None
    assert "advised_by" not in evidence
    assert "advice" not in msgspec.to_builtins(answer)


def test_a_policy_may_always_give_it(bundle: Bundle, product: Product, body: dict[str, Any]) -> None:
    policy = product.policy.model_copy(update={"advice": Settings(always=True, pieces=1)})
    scorer = make_scorer(bundle, product.model_copy(update={"policy": policy}))
    said = decide(scorer, question(body), "d")[0].advice
    assert said is not None
    assert len(said.advice) <= 1


def test_advice_alone_says_what_the_decision_says(scorer: Scorer, bodies: list[dict[str, Any]], advised) -> None:
    for body, (_, _, said) in zip(bodies[:10], advised, strict=False):
        assert advise(scorer, question(body)) == said


def test_the_same_question_gives_the_same_bytes(scorer: Scorer, bodies: list[dict[str, Any]]) -> None:
    one, other = (ledger_body(q, *decide(scorer, q, "d")) for q in [question(bodies[3], advice=True)] * 2)
    assert one == other


def test_advice_in_chinese_is_the_same_advice(scorer: Scorer, bodies: list[dict[str, Any]], advised) -> None:
    for body, (_, _, english) in zip(bodies[:20], advised, strict=False):
        chinese = advise(scorer, question(body, language="zh"))
        told = [chinese.told, *(step.told for piece in chinese.advice for step in piece.steps)]
        assert all(any("\u4e00" <= letter <= "\u9fff" for letter in sentence) for sentence in told)
        assert [piece.default_probability for piece in chinese.advice] == [
            p.default_probability for p in english.advice
        ]


def test_a_customer_of_whom_nothing_is_known_is_told_that_nothing_can_be_advised(scorer: Scorer, body) -> None:
    said = advise(scorer, question(body, records={}))
    assert said.advice == ()
    assert said.told.startswith(("Nothing that can be changed here", "There is no better grade"))


def test_a_model_whose_trees_cannot_be_told_gives_no_advice_and_says_so(scorer: Scorer, bodies, advised) -> None:
    worse = next(at for at, (_, _, said) in enumerate(advised) if said.advice)
    said = advise(replace(scorer, adviser=None), question(bodies[worse]))
    assert (said.aim, said.told, said.advice) == ("none", "No advice can be given with this model", ())


def test_a_search_that_was_ended_is_told(bundle: Bundle, product: Product, bodies, advised) -> None:
    policy = product.policy.model_copy(update={"advice": Settings(boxes=1)})
    scorer = make_scorer(bundle, product.model_copy(update={"policy": policy}))
    at = next(at for at, (_, _, said) in enumerate(advised) if said.advice)
    assert not advise(scorer, question(bodies[at])).complete


@pytest.mark.parametrize(
    ("value", "unit", "english", "chinese"),
    [
        (0.42, "percent", "42 %", "42%"),
        (1.0, "days", "1 day", "1天"),
        (30.0, "days", "30 days", "30天"),
        (1.0, "months", "1 month", "1个月"),
        (1.5, "times", "1.5 times", "1.5倍"),
        (12345.0, "money", "EUR 12,345", "EUR 12,345"),
        (4.0, "number", "4", "4"),
    ],
)
def test_a_number_is_told_with_its_unit(value, unit, english, chinese) -> None:
    assert (number(value, unit, "EUR", "en"), number(value, unit, "EUR", "zh")) == (english, chinese)
