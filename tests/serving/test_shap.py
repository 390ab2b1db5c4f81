"""Our contributions are LightGBM's, for every model we take and every row; what we do not take, LightGBM explains."""

from __future__ import annotations

import datetime as dt
import json
import logging
from dataclasses import replace
from fractions import Fraction
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.settings import Product
from serving import quadrature
from serving.api import DecideRequest
from serving.decide import Question, decide, ledger_body, question_of
from serving.ledger import Entry, Record
from serving.replay import Replayed, replay_one
from serving.score import Scorer, make_scorer
from serving.shap import make_explainer
from serving.trees import NotCovered
from training.bundle import Bundle

CATEGORICAL = 4
ODD = (
    np.nan,
    0.0,
    -0.0,
    1e-35,
    -1e-35,
    1.0000000180025095e-35,
    1e-34,
    5e-324,
    1e300,
    -1e300,
    31.0,
    40.0,
    -0.5,
    -3.0,
    1e10,
)


def table(rng: np.random.Generator, rows: int, features: int) -> np.ndarray:
    """Numbers of few values (so that features repeat on a path), missing ones, zeros; the last: ten categories."""
    values = np.round(rng.normal(0, 2, (rows, features)), 1)
    values[rng.random(values.shape) < 0.15] = np.nan
    values[rng.random(values.shape) < 0.15] = 0.0
    values[:, -1] = rng.choice([*range(9), 37], rows)
    return values


def model(seed: int, **changed: Any) -> lgb.Booster:
    """A small booster that asks its features again and again."""
    rng = np.random.default_rng(seed)
    features = int(rng.integers(2, CATEGORICAL + 2))
    values = table(rng, 400, features)
    signal = np.nan_to_num(values) @ rng.normal(0, 1, features) + (values[:, -1] % 3 == 1) + rng.normal(0, 1, 400)
    params = {
        "objective": "binary",
        "num_leaves": int(rng.integers(2, 32)),
        "min_data_in_leaf": int(rng.integers(1, 20)),
        "cat_smooth": 1.0,
        "min_data_per_group": 5,
        "max_cat_to_onehot": int(rng.choice([1, 4, 12])),
        "num_threads": 1,
        "verbosity": -1,
        **changed,
    }
    target = (signal > np.median(signal)).astype(float)
    categorical = [features - 1] if rng.random() < 0.7 else []
    return lgb.train(params, lgb.Dataset(values, target, categorical_feature=categorical), int(rng.integers(1, 12)))


def rows_for(booster: lgb.Booster, seed: int, rows: int = 43) -> np.ndarray:
    """Rows like those seen, odd ones, and values on a threshold or one step beside it."""
    rng = np.random.default_rng(seed)
    features = booster.num_feature()
    values = table(rng, rows, features)
    odd = rng.random(values.shape) < 0.2
    values[odd] = rng.choice(ODD, int(odd.sum()))
    splits = booster.trees_to_dataframe().query("decision_type == '<='")
    for name, threshold in zip(splits["split_feature"][:40], splits["threshold"][:40].astype(float), strict=True):
        place = booster.feature_name().index(name)
        values[rng.integers(rows), place] = np.nextafter(threshold, rng.choice([-np.inf, threshold, np.inf]))
    return values


MISSING: list[dict[str, Any]] = [{}, {"zero_as_missing": True}, {"use_missing": False}]
fuzzed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@fuzzed
@given(seed=st.integers(0, 2**32 - 1), missing=st.sampled_from(MISSING))
def test_contributions_are_those_of_lightgbm(seed: int, missing: dict[str, Any]) -> None:
    booster = model(seed, **missing)
    values = rows_for(booster, seed + 1)
    expected = booster.predict(values, pred_contrib=True, num_threads=1)
    np.testing.assert_allclose(make_explainer(booster).contributions(values), expected, rtol=0, atol=1e-9)


@fuzzed
@given(seed=st.integers(0, 2**32 - 1), missing=st.sampled_from(MISSING))
def test_contributions_and_average_sum_to_the_raw_score(seed: int, missing: dict[str, Any]) -> None:
    booster = model(seed, **missing)
    values = rows_for(booster, seed + 1)
    raw_score = booster.predict(values, raw_score=True, num_threads=1)
    np.testing.assert_allclose(make_explainer(booster).contributions(values).sum(1), raw_score, rtol=0, atol=1e-9)


@fuzzed
@given(seed=st.integers(0, 2**32 - 1), missing=st.sampled_from(MISSING))
def test_raw_scores_have_the_bits_of_lightgbm(seed: int, missing: dict[str, Any]) -> None:
    booster = model(seed, **missing)
    values = rows_for(booster, seed + 1)
    scored = np.asarray(booster.predict(values, raw_score=True, num_threads=1))
    assert make_explainer(booster).raw_scores(values).tobytes() == scored.tobytes()


def test_raw_scores_of_another_shape_are_refused() -> None:
    booster = model(1)
    with pytest.raises(ValueError, match="expected"):
        make_explainer(booster).raw_scores(np.zeros((2, booster.num_feature() + 1)))


@fuzzed
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 43))
def test_a_row_has_the_same_bits_alone_and_among_any_number(seed: int, rows: int) -> None:
    booster = model(seed)
    values = rows_for(booster, seed + 1)[:rows]
    explainer = make_explainer(booster)
    alone = [explainer.contributions(row[None]).tobytes() for row in values]
    assert explainer.contributions(values).tobytes() == b"".join(alone)


def exactly(booster: lgb.Booster, row: np.ndarray) -> list[float]:
    """The contributions to a booster's raw score in fractions, leaf by leaf from the definition."""
    found = [Fraction(0)] * booster.num_feature()

    def walk(node: dict[str, Any], path: dict[int, tuple[Fraction, int]]) -> None:
        if "leaf_value" in node:
            for feature, (cover, passes) in path.items():
                polynomial = [Fraction(node["leaf_value"]) * (passes - cover)]
                for other, (share, passed) in path.items():
                    if other != feature:
                        shifted = [Fraction(0), *((passed - share) * term for term in polynomial)]
                        polynomial = [share * term + up for term, up in zip([*polynomial, 0], shifted, strict=True)]
                found[feature] += sum(term / (power + 1) for power, term in enumerate(polynomial))
            return
        feature, left = node["split_feature"], row[node["split_feature"]] <= node["threshold"]
        cover, passes = path.get(feature, (Fraction(1), 1))
        for child, goes in ((node["left_child"], left), (node["right_child"], not left)):
            share = Fraction(child.get("leaf_count", child.get("internal_count")), node["internal_count"])
            walk(child, {**path, feature: (cover * share, passes * int(goes))})

    for tree in booster.dump_model()["tree_info"]:
        walk(tree["tree_structure"], {})
    return [float(total) for total in found]


@pytest.mark.parametrize("leaves", [5, 17, 18, 34])
def test_long_paths_are_exact_where_lightgbm_is_not(leaves: int) -> None:
    # One feature after the other is asked: LightGBM is off by 3e-13 after 24 features and by 5e-9 after 40.
    rng = np.random.default_rng(5)
    values = rng.normal(size=(1500, 40))
    params = {"objective": "binary", "num_leaves": leaves, "min_data_in_leaf": 3, "verbosity": -1, "num_threads": 1}
    booster = lgb.train(params, lgb.Dataset(values, (values > 1.6).any(1).astype(float)), 1)
    explainer = make_explainer(booster)
    found = explainer.contributions(values[:40])
    np.testing.assert_allclose(found[7, :-1], exactly(booster, values[7]), rtol=0, atol=1e-14)
    assert explainer.contributions(values[7:8])[0].tobytes() == found[7].tobytes()


def test_a_hand_worked_tree_of_two_features() -> None:
    # y = 8 where both x0 > 0 and x1 > 0, else 0, a quarter of the rows in each corner: for the row (1, 1) the average
    # is 2 and both features, being alike, explain half of the 6 above it.
    corners = np.repeat(np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]), 50, axis=0)
    target = np.where((corners > 0).all(1), 8.0, 0.0)
    params = {"objective": "regression", "num_leaves": 4, "learning_rate": 1.0, "boost_from_average": False}
    booster = lgb.train({**params, "min_data_in_leaf": 1, "verbosity": -1}, lgb.Dataset(corners, target), 1)
    found = make_explainer(booster).contributions(np.array([[1.0, 1.0], [-1.0, -1.0]]))
    np.testing.assert_allclose(found, [[3.0, 3.0, 2.0], [-1.0, -1.0, 2.0]], atol=1e-6)


def test_trees_of_one_leaf_only_add_to_the_average() -> None:
    values, target = np.zeros((50, 2)), np.arange(50) % 2.0
    booster = lgb.train({"objective": "binary", "verbosity": -1}, lgb.Dataset(values, target), 3)
    expected = booster.predict(values[:9], pred_contrib=True)
    np.testing.assert_allclose(make_explainer(booster).contributions(values[:9]), expected, rtol=0, atol=1e-9)


def test_no_rows_have_no_contributions() -> None:
    booster = model(1)
    features = booster.num_feature()
    assert make_explainer(booster).contributions(np.empty((0, features))).shape == (0, features + 1)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda values: np.repeat(values, 2, axis=0)[::2]])
def test_rows_may_lie_in_memory_as_they_like(layout: Any) -> None:
    booster = model(2)
    values = rows_for(booster, 3)
    explainer = make_explainer(booster)
    assert explainer.contributions(layout(values)).tobytes() == explainer.contributions(values).tobytes()


def test_another_number_of_features_is_refused() -> None:
    booster = model(2)
    with pytest.raises(ValueError, match="got shape"):
        make_explainer(booster).contributions(np.zeros((3, booster.num_feature() + 1)))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"linear_tree": True}, "linear"),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "averaged"),
        ({"objective": "multiclass", "num_class": 2}, "classes"),
    ],
)
def test_a_model_of_another_kind_is_not_covered(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(NotCovered, match=why):
        make_explainer(model(3, **changed))


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("decision_type", "14", "missing type"),
        ("leaf_count", "0", "no cover"),
        ("leaf_value", "nan", "finite value"),
        ("split_feature", "99", "a feature it does not have"),
        ("left_child", "0", "no tree"),
    ],
)
def test_a_model_text_that_tells_nonsense_is_not_covered(
    key: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = model(3).model_to_string().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith(f"{key}="))
    lines[place] = f"{key}={' '.join([value, *lines[place].partition('=')[2].split()[1:]])}"
    booster = model(3)
    monkeypatch.setattr(booster, "model_to_string", lambda: "\n".join(lines))
    with pytest.raises(NotCovered, match=why):
        make_explainer(booster)


def test_a_served_model_is_explained_by_quadrature(scorer: Scorer, bundle: Bundle) -> None:
    values = bundle.golden()[0]
    expected = bundle.booster.predict(values, pred_contrib=True, num_threads=1)
    assert scorer.explained_by == "quadrature"
    np.testing.assert_allclose(scorer.contributions(values), expected, rtol=0, atol=1e-9)


def test_a_model_that_fails_the_check_is_explained_by_lightgbm_and_the_log_says_so(
    bundle: Bundle, product: Product, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good = make_explainer(bundle.booster)
    off = replace(good, trees=replace(good.trees, leaves=good.trees.leaves * 1.001))
    monkeypatch.setattr("serving.score.make_explainer", lambda booster: off)
    with caplog.at_level(logging.WARNING, "creditloop.serving"):
        scorer = make_scorer(bundle, product)
    values = bundle.golden()[0]
    assert scorer.explained_by == "lightgbm"
    assert scorer.contributions(values).tobytes() == bundle.booster.predict(values, pred_contrib=True).tobytes()
    (line,) = caplog.messages
    assert "LightGBM explains this model itself" in line


def asked(body: dict[str, Any]) -> Question:
    request = msgspec.json.decode(json.dumps(body), type=DecideRequest)
    return question_of(request, dt.date(2026, 1, 31), "en", 4)


def test_the_evidence_names_who_explained(scorer: Scorer, body: dict[str, Any]) -> None:
    assert decide(scorer, asked(body), "d")[1]["explained_by"] == "quadrature"
    assert "explained_by" not in decide(replace(scorer, explainer=None), asked(body), "d")[1]


@pytest.mark.parametrize("by_lightgbm", [True, False])
def test_a_decision_is_replayed_by_who_explained_it(scorer: Scorer, body: dict[str, Any], by_lightgbm: bool) -> None:
    then = replace(scorer, explainer=None) if by_lightgbm else scorer
    recorded = ledger_body(asked(body), *decide(then, asked(body), "d"))
    entry = Entry("d", "decision", scorer.product.name, "c", "2026-01-31T00:00:00+00:00", recorded)
    assert replay_one(Record(1, entry, ""), lambda version, policy: scorer) == Replayed("d", True, "")


def test_the_kernel_is_compiled_when_a_version_is_loaded(scorer: Scorer) -> None:
    assert len(quadrature.contributions.signatures) == 1
