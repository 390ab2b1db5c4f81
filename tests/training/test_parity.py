"""Two groups compared: published examples, statsmodels, and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from training.parity import fisher_p, impact_ratio, rate_gap, standardised_difference, wilson

Counts = tuple[int, int, int, int]
Z = 1.959963984540054


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    """Cases and rows of two groups, somebody but not everybody in each."""
    n, m = draw(st.integers(2, 400)), draw(st.integers(2, 400))
    return draw(st.integers(1, n - 1)), n, draw(st.integers(1, m - 1)), m


def test_the_impact_ratio_of_the_uniform_guidelines() -> None:
    # EEOC Questions and Answers (1979), 12: 48 of 80 whites and 12 of 40 blacks hired: 60 % and 30 %, ratio 30/60.
    assert impact_ratio(12, 40, 48, 80).value == pytest.approx(0.5)


def test_the_interval_of_the_impact_ratio_is_worked_by_hand() -> None:
    # ln 0.5 -+ z sqrt(1/12 - 1/40 + 1/48 - 1/80) = -0.693147 -+ 1.959964 x sqrt(1/15)
    got = impact_ratio(12, 40, 48, 80)
    assert math.log(got.low) == pytest.approx(-0.693147 - Z * math.sqrt(1 / 15), abs=1e-6)
    assert math.log(got.high) == pytest.approx(-0.693147 + Z * math.sqrt(1 / 15), abs=1e-6)


@given(counts())
def test_the_interval_of_the_impact_ratio_is_statsmodels(table: Counts) -> None:
    got = impact_ratio(*table)
    low, high = confint_proportions_2indep(*table, compare="ratio", method="log")
    assert (got.low, got.high) == pytest.approx((low, high), rel=1e-9)


@given(counts())
def test_the_impact_ratio_turns_over_with_the_groups(table: Counts) -> None:
    there, back = impact_ratio(*table), impact_ratio(*table[2:], *table[:2])
    assert (there.value, there.low, there.high) == pytest.approx((1 / back.value, 1 / back.high, 1 / back.low))


@pytest.mark.parametrize("table", [(0, 40, 30, 60), (40, 40, 60, 60), (40, 40, 30, 60), (30, 60, 40, 40)])
def test_nobody_or_everybody_approved_still_has_an_interval(table: Counts) -> None:
    got = impact_ratio(*table)
    assert got.low <= got.value <= got.high
    assert got.high - got.low > 0.01


def test_a_reference_with_nobody_approved_has_no_ratio() -> None:
    assert math.isnan(impact_ratio(3, 10, 0, 20).value)


def test_the_interval_of_the_impact_ratio_covers_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(1)
    drawn = zip(rng.binomial(150, 0.5, 1000), rng.binomial(400, 0.7, 1000), strict=True)
    covered = sum(got.low <= 0.5 / 0.7 <= got.high for got in (impact_ratio(a, 150, b, 400) for a, b in drawn))
    assert 930 <= covered <= 970


def test_fishers_exact_p_of_the_lady_tasting_tea() -> None:
    # Fisher (1935): three of four cups right, 34 of 70 arrangements as far out or farther, either way.
    assert fisher_p(3, 4, 1, 4) == pytest.approx(34 / 70)


def test_the_gap_of_rates_is_newcombes_published_example() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 873, table II: 56/70 - 48/80, method 10: 0.0524 to 0.3339.
    got = rate_gap(56, 70, 48, 80)
    assert (got.value, got.low, got.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_the_gap_of_rates_where_nobody_is_approved_is_newcombes_too() -> None:
    # The same table, 10/10 - 0/20: 0.6791 to 1.0000.
    got = rate_gap(10, 10, 0, 20)
    assert (got.value, got.low, got.high) == pytest.approx((1.0, 0.6791, 1.0), abs=5e-5)


@given(counts())
def test_wilsons_interval_is_statsmodels(table: Counts) -> None:
    got = wilson(*table[:2])
    assert (got.low, got.high) == pytest.approx(proportion_confint(*table[:2], method="wilson"), abs=1e-12)


def test_the_standardised_difference_is_worked_by_hand() -> None:
    # Means 4 and 2, both variances 2.5: 2 / sqrt(2.5); its variance 10/25 + 1.6 / 20.
    got = standardised_difference(np.array([2.0, 3, 4, 5, 6]), np.array([0.0, 1, 2, 3, 4]))
    assert got.value == pytest.approx(2 / math.sqrt(2.5))
    assert got.high - got.value == pytest.approx(Z * math.sqrt(0.4 + 0.08))


def test_the_interval_of_the_standardised_difference_covers_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(2)
    got = [standardised_difference(rng.normal(0.4, 1, 60), rng.normal(0, 1, 200)) for _ in range(600)]
    assert 555 <= sum(one.low <= 0.4 <= one.high for one in got) <= 585


def test_scores_all_alike_have_no_standardised_difference() -> None:
    assert math.isnan(standardised_difference(np.ones(5), np.ones(7)).value)
