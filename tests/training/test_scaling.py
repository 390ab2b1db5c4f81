"""Scaling: the worked numbers of the trade, and an order that never turns round."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from configs.settings import Grade, Product
from configs.settings import Scaling as ScalingSettings
from training.scaling import Scale, make_scale

PRODUCTS = ("trade_credit", "consumer_platform", "bank_lending", "uci_default")
GRADES = tuple(
    Grade(name=name, pd_below=below, decision="approve", terms_days=0, limit_cap=0.0, capacity_multiple=0.0)
    for name, below in (("A", 0.01), ("B", 0.05), ("C", None))
)
SIDDIQI = make_scale(ScalingSettings(base_points=600.0, base_odds=50.0, points_to_double_odds=20.0), GRADES)
probabilities = st.floats(1e-12, 1 - 1e-12)


def log_odds_of(goods_to_a_bad: float) -> np.ndarray:
    return np.array(-math.log(goods_to_a_bad))


@pytest.mark.parametrize(
    ("goods_to_a_bad", "points"),
    [(25, 580), (50, 600), (100, 620), (200, 640), (400, 660), (1, 487.1228762045)],
)
def test_points_are_those_worked_by_hand(goods_to_a_bad: float, points: float) -> None:
    assert float(SIDDIQI.points(log_odds_of(goods_to_a_bad))) == pytest.approx(points, abs=1e-9)


def test_the_factor_and_offset_are_those_published() -> None:
    # Siddiqi (2006), ch. 6: 600 at 50:1, PDO 20: factor 28.8539, offset 487.123.
    assert SIDDIQI.factor == pytest.approx(28.8539, abs=5e-5)
    assert SIDDIQI.offset == pytest.approx(487.123, abs=5e-4)


def test_another_published_scale_gives_its_points() -> None:
    # The worked numbers of skorecard's docstring: 300 at 50:1, PDO 25, so 325 at 100:1.
    scale = make_scale(ScalingSettings(base_points=300.0, base_odds=50.0, points_to_double_odds=25.0), GRADES)
    assert float(scale.points(log_odds_of(100))) == pytest.approx(325, abs=1e-9)


@given(st.floats(-50, 50))
def test_log_odds_survive_the_way_to_points_and_back(log_odds: float) -> None:
    there = SIDDIQI.points(np.array(log_odds))
    assert float(SIDDIQI.log_odds(there)) == pytest.approx(log_odds, abs=1e-9)


@given(st.floats(-1000, 2000))
def test_points_survive_the_way_to_log_odds_and_back(points: float) -> None:
    there = SIDDIQI.log_odds(np.array(points))
    assert float(SIDDIQI.points(there)) == pytest.approx(points, abs=1e-9)


@pytest.mark.parametrize("name", PRODUCTS)
def test_points_as_printed_survive_the_way_to_the_pd_and_back(shipped: Callable[[str], Product], name: str) -> None:
    product = shipped(name)
    scale = make_scale(product.scaling, product.grades)
    points = np.arange(0.0, 1000.01, 0.01).round(2)
    assert (scale.points(logit(scale.default_probability(points))).round(2) == points).all()


@given(st.floats(-30, 16))
def test_a_pd_survives_the_way_to_points_and_back(log_odds: float) -> None:
    pd_ = float(expit(log_odds))
    assert SIDDIQI.default_probability(SIDDIQI.points(logit(pd_))) == pytest.approx(pd_, rel=1e-13)


@given(st.floats(-30, 30), st.floats(-30, 30))
def test_more_risk_never_earns_more_points(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert SIDDIQI.points(np.array(high)) <= SIDDIQI.points(np.array(low))


@pytest.mark.parametrize(("default_probability", "grade"), [(0.0, "A"), (0.0099, "A"), (0.0499, "B"), (1.0, "C")])
def test_a_pd_belongs_to_the_band_it_lies_in(default_probability: float, grade: str) -> None:
    assert SIDDIQI.grade(default_probability) == grade


@pytest.mark.parametrize(("default_probability", "grade"), [(0.01, "B"), (0.05, "C")])
def test_a_pd_on_the_bound_belongs_to_the_worse_grade(default_probability: float, grade: str) -> None:
    assert SIDDIQI.grade(default_probability) == grade


@pytest.mark.parametrize("bound", [0.01, 0.05])
def test_a_pd_just_below_the_bound_belongs_to_the_better_grade(bound: float) -> None:
    assert SIDDIQI.grade(math.nextafter(bound, 0)) == SIDDIQI.names[SIDDIQI.pd_below.index(bound)]


def test_a_missing_pd_gets_the_worst_grade() -> None:
    assert SIDDIQI.grade(math.nan) == "C"


@pytest.mark.parametrize("name", PRODUCTS)
@given(one=probabilities, other=probabilities)
def test_a_higher_pd_never_gets_a_better_grade(
    shipped: Callable[[str], Product], name: str, one: float, other: float
) -> None:
    scale = _scale(shipped(name))
    low, high = sorted((one, other))
    assert scale.grade_index(np.array(high)) >= scale.grade_index(np.array(low))


@pytest.mark.parametrize("name", PRODUCTS)
def test_one_pd_gets_the_grade_it_gets_among_many(shipped: Callable[[str], Product], name: str) -> None:
    scale = _scale(shipped(name))
    many = np.concatenate([expit(np.linspace(-9, 9, 400)), scale.pd_below])
    assert [scale.names[i] for i in scale.grade_index(many)] == [scale.grade(float(one)) for one in many]


def _scale(product: Product) -> Scale:
    return make_scale(product.scaling, product.grades)
