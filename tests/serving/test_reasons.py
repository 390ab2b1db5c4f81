"""Reasons: exact contributions, one reason for each sentence, worst first, none that helped."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts import Columns, to_day
from features.declaration import Constant, Feature
from serving.reasons import UNKNOWN, Grouping, Language, by_sentence, group_sums, grouping_of, principal_reasons
from serving.score import Scorer

FACTOR = 28.85


@pytest.fixture(scope="module")
def features(scorer: Scorer) -> tuple[Feature, ...]:
    """The features of the model version; the kernel is compiled before hypothesis looks at the clock."""
    features = scorer.bundle.program.features
    principal_reasons(np.zeros(len(features)), features, FACTOR, 4, "en")
    return features


@pytest.fixture(scope="module")
def explained(
    scorer: Scorer, tables: dict[str, Columns], bodies: list[dict[str, Any]], as_of: dt.date
) -> tuple[np.ndarray, np.ndarray]:
    """Raw scores of 60 customers and their contributions."""
    customers = np.array([body["customer_id"] for body in bodies], object)
    scores = scorer.score(tables, customers, np.full(len(customers), to_day(as_of), np.int32))
    return scores.raw_score, scorer.contributions(scores.values)


def test_contributions_sum_to_the_raw_score(explained: tuple[np.ndarray, np.ndarray]) -> None:
    raw_score, contributions = explained
    np.testing.assert_allclose(contributions.sum(1), raw_score, rtol=0, atol=1e-9)


def test_one_row_alone_has_the_contributions_it_has_among_many(
    scorer: Scorer, tables: dict[str, Columns], explained: tuple[np.ndarray, np.ndarray], bodies, as_of: dt.date
) -> None:
    alone = scorer.score(tables, np.array([bodies[7]["customer_id"]], object), np.array([to_day(as_of)], np.int32))
    assert scorer.contributions(alone.values)[0].tobytes() == explained[1][7].tobytes()


def drawn(features: tuple[Feature, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, len(features))


@given(seed=st.integers(0, 10**6), most=st.integers(1, 8))
def test_there_are_at_most_as_many_reasons_as_asked_for(features, seed: int, most: int) -> None:
    assert len(principal_reasons(drawn(features, seed), features, FACTOR, most, "en")) <= most


@given(seed=st.integers(0, 10**6))
def test_the_worst_reason_comes_first(features, seed: int) -> None:
    points = [reason.points for reason in principal_reasons(drawn(features, seed), features, FACTOR, 50, "en")]
    assert points == sorted(points, reverse=True)


@given(seed=st.integers(0, 10**6))
def test_a_sentence_is_said_once(features, seed: int) -> None:
    said = [reason.reason for reason in principal_reasons(drawn(features, seed), features, FACTOR, 50, "en")]
    assert len(said) == len(set(said))


@given(seed=st.integers(0, 10**6))
def test_the_points_of_a_reason_are_those_of_all_features_of_its_sentence(features, seed: int) -> None:
    contributions = drawn(features, seed)
    for reason in principal_reasons(contributions, features, FACTOR, 50, "en"):
        total = sum(c for c, feature in zip(contributions, features, strict=True) if feature.reason == reason.reason)
        assert reason.points == pytest.approx(total * FACTOR, abs=0.006)


@given(seed=st.integers(0, 10**6))
def test_every_sentence_that_lowered_the_score_is_among_all_reasons(features, seed: int) -> None:
    contributions = drawn(features, seed)
    totals: dict[str, float] = {}
    for contribution, feature in zip(contributions, features, strict=True):
        totals[feature.reason] = totals.get(feature.reason, 0) + contribution
    said = {reason.reason for reason in principal_reasons(contributions, features, FACTOR, 50, "en")}
    assert said == {sentence for sentence, total in totals.items() if total > 0}


@given(seed=st.integers(0, 10**6))
def test_a_reason_names_only_features_that_raised_the_risk(features, seed: int) -> None:
    contributions = dict(zip((feature.name for feature in features), drawn(features, seed), strict=True))
    for reason in principal_reasons(np.array(list(contributions.values())), features, FACTOR, 50, "en"):
        assert reason.features
        assert all(contributions[name] > 0 for name in reason.features)


def test_a_customer_whom_everything_helped_has_no_reason(features) -> None:
    assert principal_reasons(np.full(len(features), -0.1), features, FACTOR, 4, "en") == ()


def test_chinese_reasons_are_the_same_reasons(features) -> None:
    contributions = drawn(features, 1)
    english, chinese = (principal_reasons(contributions, features, FACTOR, 4, language) for language in ("en", "zh"))
    assert [reason.features for reason in english] == [reason.features for reason in chinese]


def test_chinese_reasons_are_in_chinese(features) -> None:
    reasons = principal_reasons(drawn(features, 1), features, FACTOR, 4, "zh")
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in reason.reason) for reason in reasons)


def plain(name: str, reason: str) -> Feature:
    return Feature(name, "behavioral", Constant(0), "", "", "rises", reason, reason)


THREE = (plain("a", "A"), plain("b", "B"), plain("c", "C"))


def test_sentences_of_one_group_are_one_reason_told_by_the_one_that_adds_most() -> None:
    grouping = grouping_of(THREE, {"groups": [["A", "B"], ["C"]], "least": [0.0, 0.0]})
    told = principal_reasons(np.array([0.2, 0.3, 0.4]), THREE, 10.0, 4, "en", grouping)
    assert [(reason.reason, reason.points, reason.features) for reason in told] == [
        ("B", 5.0, ("b", "a")),
        ("C", 4.0, ("c",)),
    ]


def test_a_reason_within_its_noise_is_not_told_but_the_worst_always_is() -> None:
    grouping = grouping_of(THREE, {"groups": [["A"], ["B"], ["C"]], "least": [0.9, 0.31, 0.1]})
    told = principal_reasons(np.array([0.4, 0.3, 0.2]), THREE, 10.0, 4, "en", grouping)
    assert [reason.reason for reason in told] == ["A", "C"]


def told(missing: list[bool] | None, *contributions: float, language: Language = "en") -> list[tuple[str, float, str]]:
    grouping = grouping_of(THREE, {"groups": [["A", "B"], ["C"]], "least": [0.0, 0.0]})
    found = principal_reasons(np.array(contributions), THREE, 10.0, 4, language, grouping, missing)
    return [(reason.reason, reason.points, " ".join(reason.features)) for reason in found]


def test_what_has_no_value_is_told_as_unknown_once_for_all_groups() -> None:
    assert told([True, True, True], 0.2, 0.3, 0.4) == [(UNKNOWN["en"], 9.0, "c b a")]
    assert told([True, True, True], 0.2, 0.3, 0.4, language="zh") == [(UNKNOWN["zh"], 9.0, "c b a")]
    assert told(None, 0.2, 0.3, 0.4) == told([False] * 3, 0.2, 0.3, 0.4) == [("B", 5.0, "b a"), ("C", 4.0, "c")]


def test_a_group_speaks_of_its_values_where_they_add_most() -> None:
    assert told([True, False, False], 0.2, 0.3, 0.6) == [("C", 6.0, "c"), ("B", 5.0, "b a")]
    assert told([False, True, False], 0.2, 0.3, 0.4) == [(UNKNOWN["en"], 5.0, "b"), ("C", 4.0, "c")]


def test_what_is_unknown_stands_where_its_points_put_it() -> None:
    assert told([False, False, True], 0.2, 0.3, 0.4) == [("B", 5.0, "b a"), (UNKNOWN["en"], 4.0, "c")]
    assert told([True, True, True], -0.2, -0.3, -0.4) == []


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 128))
def test_a_group_adds_up_to_the_bits_that_numpys_sum_gives(features, seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    contributions = rng.normal(0, 1, 200) * 10.0 ** rng.integers(-9, 3, 200)
    groups = [tuple(rng.choice(200, size, replace=False).tolist()), (3,)]
    grouping = Grouping.of(groups, (0.0, 0.0))
    added = group_sums(contributions, grouping.places, grouping.first)
    assert added.tolist() == [float(contributions[list(group)].sum()) for group in groups]


def test_a_version_made_before_groups_were_measured_tells_each_sentence() -> None:
    assert grouping_of(THREE, None) == by_sentence(THREE)


def test_a_version_keeps_which_features_are_one_reason(scorer: Scorer) -> None:
    grouping = scorer.grouping
    assert sorted(place for group in grouping.groups for place in group) == list(
        range(len(scorer.bundle.program.names))
    )
    assert len(grouping.groups) < len(by_sentence(scorer.bundle.program.features).groups)
    assert max(grouping.least) > 0
