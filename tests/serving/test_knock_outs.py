"""Knock-outs: which conditions hit, and what a missing value does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from configs.errors import ConfigError
from configs.policy import KnockOut
from configs.settings import load_product
from serving.knock_outs import Applicant, hits, places, read

SENTENCES = {"reason": "A court event was recorded", "reason_zh": "有法院记录"}


def rule(**said: Any) -> KnockOut:
    values = {"name": "court", "operator": ">", "bound": 2.0, "decision": "decline", "missing": "pass", **SENTENCES}
    on = {} if "request" in said else {"feature": "court_events"}
    return KnockOut(**{**values, **on, **said})


def decided(one: KnockOut, applicant: Applicant) -> list[str]:
    return [hit.decision for hit in hits([one], applicant)]


@pytest.mark.parametrize(
    ("operator", "at_1_2_3"),
    [
        ("<", [True, False, False]),
        ("<=", [True, True, False]),
        (">", [False, False, True]),
        (">=", [False, True, True]),
        ("==", [False, True, False]),
        ("!=", [True, False, True]),
    ],
)
def test_each_operator_holds_the_value_against_the_bound(operator: str, at_1_2_3: list[bool]) -> None:
    found = [decided(rule(operator=operator), Applicant(features={"court_events": v})) for v in (1.0, 2.0, 3.0)]
    assert found == [["decline"] if holds else [] for holds in at_1_2_3]


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize(("missing", "found"), [("pass", []), ("refer", ["refer"])])
def test_a_missing_value_does_what_the_rule_says_and_never_meets_the_condition(operator, missing, found) -> None:
    one = rule(operator=operator, missing=missing)
    assert decided(one, Applicant(features={"court_events": None})) == found


@pytest.mark.parametrize("field", ["requested_amount", "group_exposure"])
def test_a_rule_may_look_at_the_request(field: str) -> None:
    one = rule(request=field, bound=100.0, missing="refer")
    assert decided(one, Applicant(**{field: 101.0})) == ["decline"]
    assert decided(one, Applicant(**{field: 100.0})) == []
    assert decided(one, Applicant()) == ["refer"]


def test_every_rule_that_hits_is_told_in_the_order_of_the_file() -> None:
    bounds = {"second": 0.0, "first": 0.5, "none": 9.0}
    rules = [rule(name=name, bound=bound) for name, bound in bounds.items()]
    assert [hit.rule.name for hit in hits(rules, Applicant(features={"court_events": 1.0}))] == ["second", "first"]


@pytest.mark.parametrize(("language", "reason"), [("en", "A court event was recorded"), ("zh", "有法院记录")])
def test_a_hit_is_told_in_the_language_asked_for(language, reason) -> None:
    told = hits([rule()], Applicant(features={"court_events": 3.0}))[0].told(language)
    assert (told.name, told.decision, told.reason) == ("court", "decline", reason)


def test_the_features_a_policy_reads_are_found_by_their_place_in_the_model() -> None:
    policy = load_product("bank_lending", Path("/nonexistent")).policy
    assert places(policy, ("x", "court_events_12m", "inflow_mean_6m")) == {"inflow_mean_6m": 2, "court_events_12m": 1}


def test_a_feature_that_the_model_has_not_is_refused_with_the_nearest() -> None:
    policy = load_product("bank_lending", Path("/nonexistent")).policy
    with pytest.raises(ConfigError, match=r"'court_events_12m' is no feature of the model.*court_events_36m"):
        places(policy, ("inflow_mean_6m", "court_events_36m"))


def test_what_is_no_number_is_missing() -> None:
    assert read(("a", "b", "c"), (float("nan"), None, 0.0)) == {"a": None, "b": None, "c": 0.0}
