"""The tests of level: every number from another library, a published table, or arithmetic on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, ndtr
from scipy.stats import binomtest, ttest_1samp
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from training.backtests import (
    binomial_p,
    holm,
    hosmer_lemeshow,
    jeffreys_interval,
    jeffreys_p,
    normal_test,
    spiegelhalter,
    vasicek_bound,
    vasicek_p,
)


def test_the_jeffreys_interval_is_statsmodels() -> None:
    expected = proportion_confint(7, 150, method="jeffreys")
    assert jeffreys_interval(7, 150) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("low", "tail"), [(True, 0.025), (False, 0.975)])
def test_the_bounds_of_statsmodels_interval_have_the_p_values_they_stand_for(low: bool, tail: float) -> None:
    bound = proportion_confint(7, 150, method="jeffreys")[0 if low else 1]
    assert jeffreys_p(bound, 7, 150) == pytest.approx(tail, abs=1e-10)


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_holm_is_statsmodels(size: int) -> None:
    values = np.random.default_rng(size).random(size).round(1)
    np.testing.assert_allclose(holm(values), multipletests(values, method="holm")[1], atol=1e-12)


def test_holm_by_hand() -> None:
    # 0.01 x 3 = 0.03; 0.02 x 2 = 0.04; 0.03 x 1 = 0.03, held up to 0.04.
    np.testing.assert_allclose(holm(np.array([0.03, 0.01, 0.02])), [0.04, 0.03, 0.04])


def test_a_missing_p_value_is_no_test_made() -> None:
    np.testing.assert_allclose(holm(np.array([np.nan, 0.01, 0.04])), [np.nan, 0.02, 0.04])


def test_the_binomial_test_is_scipys() -> None:
    expected = binomtest(9, 250, 0.02, alternative="greater").pvalue
    assert binomial_p(0.02, 9, 250) == pytest.approx(expected, rel=1e-12)


def test_no_default_is_no_evidence() -> None:
    assert binomial_p(0.02, 0, 250) == 1.0


@pytest.mark.parametrize(("default_probability", "weight"), [(0.01, 0.5640), (0.0003, 0.0415)])
def test_the_vasicek_bound_gives_the_published_risk_weights_of_basel(default_probability: float, weight: float) -> None:
    # Basel II (2006), Annex 5, residential mortgages, LGD 45 %: 12.5 x LGD x (bound - PD), rho 0.15, q 0.999.
    bound = vasicek_bound(default_probability, 0.15, 0.999)
    assert 12.5 * 0.45 * (bound - default_probability) == pytest.approx(weight, abs=5e-5)


@given(st.floats(0.001, 0.5), st.floats(0.01, 0.3), st.floats(0.5, 0.9999))
def test_a_rate_on_the_bound_has_the_p_value_left_over(pd_: float, rho: float, confidence: float) -> None:
    assert vasicek_p(pd_, vasicek_bound(pd_, rho, confidence), rho) == pytest.approx(1 - confidence, abs=1e-7)


def test_the_vasicek_p_is_the_share_of_simulated_years_that_are_worse() -> None:
    # One factor: a customer defaults when sqrt(rho) X + sqrt(1 - rho) E < Phi^-1(0.02) = -2.0537.
    factor = np.random.default_rng(1).normal(size=200_000)
    conditional = ndtr((-2.053749 - math.sqrt(0.1) * factor) / math.sqrt(0.9))
    assert vasicek_p(0.02, 0.05, 0.1) == pytest.approx((conditional > 0.05).mean(), abs=0.002)


def test_the_normal_test_is_the_t_statistic_of_the_differences() -> None:
    rates, pds = np.array([0.03, 0.02, 0.05, 0.04, 0.03]), np.array([0.02, 0.025, 0.03, 0.03, 0.03])
    z, p_value = normal_test(rates, pds, 5)
    assert z == pytest.approx(ttest_1samp(rates - pds, 0).statistic, rel=1e-12)
    assert p_value == pytest.approx(0.5 * math.erfc(z / math.sqrt(2)), rel=1e-9)


def test_four_periods_are_too_few_for_the_normal_test() -> None:
    assert np.isnan(normal_test(np.array([0.1, 0.2, 0.3, 0.1]), np.full(4, 0.1), 5)).all()


def test_hosmer_lemeshow_by_hand() -> None:
    # 100 rows of 0.1 with 13 bad: 9 / 9 = 1; 50 rows of 0.2 with 6 bad: 16 / 8 = 2. chi2 = 3, exp(-3/2) at 2 degrees.
    value, p_value = hosmer_lemeshow(np.array([100, 50, 0]), np.array([13, 6, 0]), np.array([0.1, 0.2, np.nan]))
    assert value == pytest.approx(3.0, rel=1e-12)
    assert p_value == pytest.approx(math.exp(-1.5), rel=1e-12)


def test_spiegelhalter_by_hand() -> None:
    # (1 - 0.2) 0.6 + (0 - 0.1) 0.8 = 0.4; 0.36 x 0.16 + 0.64 x 0.09 = 0.1152.
    z, p_value = spiegelhalter(np.array([0.2, 0.1]), np.array([1, 0]))
    assert z == pytest.approx(0.4 / math.sqrt(0.1152), rel=1e-12)
    assert p_value == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-12)


def test_spiegelhalter_is_standard_normal_where_the_pds_are_true() -> None:
    rng = np.random.default_rng(1)
    pds = expit(rng.normal(-2, 1, 400))
    seen = [spiegelhalter(pds, rng.random(400) < pds)[0] for _ in range(1000)]
    assert np.mean(seen) == pytest.approx(0, abs=0.13)
    assert np.std(seen) == pytest.approx(1, abs=0.1)


def test_pds_of_one_half_tell_spiegelhalter_nothing() -> None:
    assert np.isnan(spiegelhalter(np.full(4, 0.5), np.array([1, 0, 0, 1]))).all()
