"""The scorecard: WOE as published, bins in the declared order, and points that add up to what the PD says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from configs.settings import ColumnSpec
from features.catalogue import column_features, compile_program
from training.dataset import Dataset
from training.scaling import Scale
from training.scorecard import Scorecard, compare, make_scorecard, weight_of_evidence

NumbersOf = Callable[..., Dataset]


@pytest.fixture(scope="module")
def data(numbers: NumbersOf) -> Dataset:
    return numbers(6000, seed=8)


@pytest.fixture(scope="module")
def made(data: Dataset) -> Scorecard:
    return make_scorecard(data, seed=1)


def drawn(values: np.ndarray, log_odds: np.ndarray, risks: list[str], seed: int = 1) -> Dataset:
    """A dataset of numbers whose true log-odds are given, every row a customer."""
    specs = [ColumnSpec(name=f"number_{place}", risk=risk) for place, risk in enumerate(risks)]  # type: ignore[arg-type]
    rows = len(values)
    return Dataset(
        program=compile_program(tuple(column_features(specs, {}))),
        matrix=values,
        defaulted=(np.random.default_rng(seed).random(rows) < expit(log_odds)).astype(np.int8),
        customer_id=np.array([f"c{row}" for row in range(rows)], object),
        as_of=np.zeros(rows, np.int32),
        immature=0,
    )


def test_weight_of_evidence_is_that_of_the_published_table() -> None:
    # Siddiqi (2006), exhibit 6.2: age; missing, 18-22, 23-26, 27-29, 30-35, 36-44, 44+. Printed there times 100.
    rows = np.array([1000, 4000, 6000, 9000, 10000, 7000, 3000])
    defaults = np.array([140, 960, 1080, 900, 500, 200, 60])
    woe, information = weight_of_evidence(rows, defaults)
    assert woe == pytest.approx([-0.42719, -1.08980, -0.72613, -0.04526, 0.70196, 1.28388, 1.64934], abs=2e-5)
    assert information.sum() == pytest.approx(0.668, abs=5e-4)


def test_the_scorecard_knows_what_the_data_know(made: Scorecard, data: Dataset, numbers: NumbersOf) -> None:
    fresh = numbers(6000, seed=9)
    truth = roc_auc_score(data.defaulted, made.log_odds(data.matrix))
    assert roc_auc_score(fresh.defaulted, made.log_odds(fresh.matrix)) == pytest.approx(truth, abs=0.03)
    assert truth > 0.75


def test_the_mean_pd_of_the_training_rows_is_their_default_rate(made: Scorecard, data: Dataset) -> None:
    assert made.default_probability(data.matrix).mean() == pytest.approx(data.defaulted.mean(), abs=1e-4)


def test_what_bears_on_risk_most_says_most(made: Scorecard) -> None:
    assert [one.feature for one in made.characteristics[:2]] == ["debt", "income"]


def test_what_says_nothing_is_no_characteristic() -> None:
    values = np.random.default_rng(2).normal(size=(8000, 2))
    card = make_scorecard(drawn(values, -1 + values[:, 0], ["rises", "rises"]), seed=1)
    assert [one.feature for one in card.characteristics] == ["number_0"]


def test_what_is_counted_in_the_bins_is_every_row_once(made: Scorecard, data: Dataset) -> None:
    for one in made.characteristics:
        assert sum(part.rows for part in one.bins) == len(data)
        assert sum(part.defaults for part in one.bins) == data.defaulted.sum()


def test_missing_has_its_own_evidence(made: Scorecard, data: Dataset) -> None:
    debt = next(one for one in made.characteristics if one.feature == "debt")
    missing = np.isnan(data.matrix[:, 0])
    assert (debt.bins[-1].holds, debt.bins[-1].rows) == ("missing", missing.sum())
    goods, bads = (data.defaulted == 0), (data.defaulted == 1)
    expected = np.log((goods & missing).sum() / goods.sum() / ((bads & missing).sum() / bads.sum()))
    assert debt.woe(np.array([np.nan]))[0] == pytest.approx(expected)


def test_a_category_never_seen_is_average(made: Scorecard) -> None:
    town = next(one for one in made.characteristics if one.feature == "town")
    assert town.woe(np.array([0.0, 1.0, 2.0])).all()
    assert town.woe(np.array([17.0])).tolist() == [0.0]


@given(risk=st.sampled_from([1, -1]), seed=st.integers(0, 10**6), rows=st.integers(80, 600), truth=st.floats(-2, 2))
@settings(max_examples=40, deadline=None)
def test_a_declared_direction_is_never_broken(risk: int, seed: int, rows: int, truth: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 1)).round(1)
    values[rng.random(rows) < 0.1] = np.nan
    log_odds = -0.5 + np.where(np.isnan(values[:, 0]), 0.0, truth * values[:, 0])
    card = make_scorecard(drawn(values, log_odds, ["rises" if risk > 0 else "falls"], seed), seed)
    told = risk * card.log_odds(np.linspace(-5, 5, 400)[:, None])
    assert (np.diff(told) >= 0).all()


def test_no_coefficient_is_negative_and_no_more_than_fifteen_are_there() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4000, 25))
    card = make_scorecard(drawn(values, -1 + 0.4 * values.sum(1), ["rises"] * 25), seed=1)
    assert len(card.characteristics) == 15
    assert min(one.coefficient for one in card.characteristics) > 0


def test_the_same_said_twice_is_said_once() -> None:
    values = np.random.default_rng(2).normal(size=(3000, 1))
    twice = np.column_stack([values, values * 3 + 1])
    assert len(make_scorecard(drawn(twice, -1 + values[:, 0], ["rises", "rises"]), seed=1).characteristics) == 1


def test_of_what_only_goes_against_its_direction_the_level_is_left() -> None:
    values = np.random.default_rng(2).normal(size=(3000, 1))
    against = drawn(values, -1 - values[:, 0], ["rises"])
    card = make_scorecard(against, seed=1)
    assert card.log_odds(values) == pytest.approx(np.full(3000, logit(against.defaulted.mean())), abs=1e-2)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300, -1e300])
def test_a_number_beyond_all_others_lies_in_an_end_bin(value: float) -> None:
    values = np.random.default_rng(2).normal(size=(3000, 1))
    values[:100] = abs(value)
    card = make_scorecard(drawn(values, -1 + np.clip(values[:, 0], -3, 3), ["rises"]), seed=1)
    end = card.log_odds(np.array([[4.0 if value > 0 else -4.0], [value]]))
    assert np.isfinite(end).all()


def test_the_points_of_the_attributes_sum_to_the_points_of_the_pd(made: Scorecard, data: Dataset, scale: Scale) -> None:
    points = {(line["feature"], line["holds"]): line["points"] for line in made.table(scale)}
    total = np.zeros(len(data))
    for column, one in zip(made.columns, made.characteristics, strict=True):
        woe = one.woe(data.matrix[:, column])
        attribute = {part.woe: points[one.feature, part.holds] for part in one.bins}
        total += [attribute[value] for value in woe]
    assert total == pytest.approx(scale.points(made.log_odds(data.matrix)), abs=1e-9)


def test_more_evidence_of_good_earns_more_points(made: Scorecard, scale: Scale) -> None:
    for one in made.characteristics:
        lines = [line for line in made.table(scale) if line["feature"] == one.feature]
        ordered = sorted(lines, key=lambda line: line["woe"])
        assert [line["points"] for line in ordered] == sorted(line["points"] for line in lines)


def test_a_model_no_better_than_the_scorecard_is_said_to_be_none(
    made: Scorecard, numbers: NumbersOf, scale: Scale
) -> None:
    test = numbers(1500, seed=5)
    own = made.default_probability(test.matrix)
    same = compare(made, test, own, scale)
    assert (same.model_minus_scorecard.value, same.model_is_better) == (0.0, False)
    assert same.validation.auc.value == pytest.approx(roc_auc_score(test.defaulted, own))
    assert compare(made, test, np.where(test.defaulted == 1, own + 0.05, own), scale).model_is_better


def test_the_same_rows_give_the_same_scorecard(made: Scorecard, data: Dataset) -> None:
    assert make_scorecard(data, seed=1) == made


def test_the_record_is_plain_json_from_which_the_scorecard_scores(
    made: Scorecard, data: Dataset, numbers: NumbersOf, scale: Scale
) -> None:
    test = numbers(600, seed=5)
    told = compare(made, test, made.default_probability(test.matrix), scale).to_json(scale)
    assert json.loads(json.dumps(told["table"], allow_nan=False))[0]["feature"] == made.characteristics[0].feature
    read = json.loads(json.dumps(told["scorecard"], allow_nan=False))
    assert read["intercept"] == made.intercept
    assert [one["coefficient"] for one in read["characteristics"]] == [o.coefficient for o in made.characteristics]
    assert read["characteristics"] == json.loads(json.dumps([dataclasses.asdict(o) for o in made.characteristics]))
