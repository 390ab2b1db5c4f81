"""The scorer joins a model version and a policy that belong together, and reads requests strictly."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from configs.errors import ConfigError, DataError
from configs.settings import Product
from features.contracts import Columns, to_day
from serving.score import Scorer, make_scorer
from training.bundle import Bundle


def records(scorer: Scorer, values: Any) -> Any:
    return msgspec.convert(values, scorer.records)


def test_other_grades_than_the_validated_ones_are_refused(bundle: Bundle, product: Product) -> None:
    moved = product.grades[0].model_copy(update={"pd_below": 0.015})
    changed = product.model_copy(update={"grades": (moved, *product.grades[1:])})
    with pytest.raises(ConfigError, match="masterscale of the product file is not the one"):
        make_scorer(bundle, changed)


def test_a_capacity_that_is_no_feature_is_refused(bundle: Bundle, product: Product) -> None:
    policy = product.policy.model_copy(update={"capacity_feature": "shoe_size"})
    with pytest.raises(ConfigError, match="'shoe_size' is no feature"):
        make_scorer(bundle, product.model_copy(update={"policy": policy}))


def test_another_limit_is_another_policy(bundle: Bundle, product: Product, scorer: Scorer) -> None:
    policy = product.policy.model_copy(update={"loss_budget": 61.0})
    assert make_scorer(bundle, product.model_copy(update={"policy": policy})).policy_digest != scorer.policy_digest


def test_a_table_without_rows_is_absent(scorer: Scorer) -> None:
    assert scorer.columns(records(scorer, {"statements": [], "customers": None}), "c", 0) == {}


def test_an_unknown_table_is_refused(scorer: Scorer) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `invoices`"):
        records(scorer, {"invoices": []})


def test_a_repeated_row_is_refused_by_table_and_row(scorer: Scorer, body: dict[str, Any]) -> None:
    rows = body["records"]["statements"]
    with pytest.raises(DataError, match=r"(?s)records\.statements.*row 2: repeats an earlier row"):
        scorer.columns(records(scorer, {"statements": [rows[0], rows[0]]}), "c", 0)


def test_points_fall_as_the_pd_rises(scorer: Scorer, tables: dict[str, Columns], as_of: dt.date) -> None:
    customers = np.sort(tables["statements"]["customer_id"].distinct())[:300]
    scores = scorer.score(tables, customers, np.full(len(customers), to_day(as_of), np.int32))
    points = scores.points[np.argsort(scores.default_probability)]
    assert (np.diff(points) <= 0).all()


def test_pds_lie_between_nought_and_one(scorer: Scorer, tables: dict[str, Columns], as_of: dt.date) -> None:
    customers = np.sort(tables["statements"]["customer_id"].distinct())[:300]
    found = scorer.score(tables, customers, np.full(len(customers), to_day(as_of), np.int32)).default_probability
    assert ((found > 0) & (found < 1)).all()


def test_one_unit_of_raw_score_costs_the_points_it_says(scorer: Scorer) -> None:
    calibration, scale = scorer.bundle.calibration, scorer.bundle.scale
    one, two = scale.points(calibration.log_odds(np.array([0.5, 1.5])))
    assert one - two == pytest.approx(scorer.points_factor(np.array([0.75, 0.25, 0.5])), rel=1e-12)


@pytest.mark.parametrize("bent", [{"bend": 0.4, "kind": "beta"}, {"knots": ((-1.0, -2.0), (0.0, -1.7), (2.0, 1.0))}])
def test_the_points_of_all_contributions_sum_to_the_points_lost_whatever_the_calibration(
    scorer: Scorer, bent: dict[str, Any]
) -> None:
    calibration = replace(scorer.bundle.calibration, **bent)
    curved = replace(scorer, bundle=replace(scorer.bundle, calibration=calibration))
    contributions = np.array([0.9, -0.2, 0.4, -0.6])  # the last: the average customer
    average, own = scorer.bundle.scale.points(calibration.log_odds(np.array([-0.6, contributions.sum()])))
    assert contributions[:-1].sum() * curved.points_factor(contributions) == pytest.approx(average - own, rel=1e-12)


def test_a_version_tells_how_far_its_pd_may_be_off(scorer: Scorer, tables: dict[str, Columns], as_of: dt.date) -> None:
    customers = np.sort(tables["statements"]["customer_id"].distinct())[:50]
    scores = scorer.score(tables, customers, np.full(len(customers), to_day(as_of), np.int32))
    for raw_score, pd in zip(scores.raw_score.tolist(), scores.default_probability.tolist(), strict=True):
        found = scorer.interval(raw_score)
        assert found is not None
        assert 0 < found.low < pd < found.high < 1


def test_a_version_made_before_intervals_answers_without_one(bundle: Bundle, product: Product) -> None:
    old = make_scorer(replace(bundle, training={"gate": bundle.training["gate"]}), product)
    assert old.interval(-3.0) is None
    assert max(old.grouping.least) == 0
