"""Calibration measures: sklearn's where it has them, by hand where not, and what their intervals cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import d2_brier_score

from training.reliability import brier_skill, curve, equal_bins, expected_calibration_error


def drawn(rows: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-2, 1, rows)
    return expit(log_odds), rng.random(rows) < expit(log_odds + shift), np.arange(rows).astype(str)


def test_the_brier_skill_is_sklearns() -> None:
    pds, bad, _ = drawn(500, 1)
    assert brier_skill(pds, bad) == pytest.approx(d2_brier_score(bad, pds), abs=1e-12)


def test_the_default_rate_told_to_all_has_no_skill() -> None:
    assert brier_skill(np.full(4, 0.25), np.array([1, 0, 0, 0])) == pytest.approx(0.0, abs=1e-15)
    assert math.isnan(brier_skill(np.full(3, 0.1), np.zeros(3)))


def test_the_curve_is_sklearns() -> None:
    pds, bad, _ = drawn(1000, 2)
    rates, means = calibration_curve(bad, pds, n_bins=10, strategy="quantile")
    ours = curve(pds, bad, 10)
    np.testing.assert_allclose([bin_.default_rate.value for bin_ in ours], rates)
    np.testing.assert_allclose([bin_.mean_pd for bin_ in ours], means)


@given(st.lists(st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.5]), min_size=1, max_size=60), st.integers(2, 10))
def test_equal_pds_are_never_parted_and_no_bin_is_empty(pds: list[float], bins: int) -> None:
    values = np.array(pds)
    place = equal_bins(values, bins)
    assert len({*zip(values.tolist(), place.tolist(), strict=True)}) == len(set(pds))
    assert set(place.tolist()) == set(range(place.max() + 1))


def test_the_error_by_hand() -> None:
    # Two bins of two rows: |1/2 - 0.1| and |1 - 0.6|, each of weight 1/2.
    pds, bad = np.array([0.1, 0.1, 0.6, 0.6]), np.array([True, False, True, True])
    found = expected_calibration_error(pds, bad, np.array(list("abcd")), 2, 10, 1)
    assert found.value == pytest.approx(0.4)


def test_the_error_is_the_weighted_gap_of_sklearns_curve() -> None:
    pds, bad, who = drawn(1000, 3)
    rates, means = calibration_curve(bad, pds, n_bins=10, strategy="quantile")
    assert expected_calibration_error(pds, bad, who, 10, 10, 1).value == pytest.approx(np.abs(rates - means).mean())


def test_a_true_pd_has_an_error_that_may_be_nothing() -> None:
    lows = [expected_calibration_error(*drawn(2000, seed), 10, 200, 1).low for seed in range(40)]
    assert np.mean([low < 0.015 for low in lows]) >= 0.95  # a tenth of the mean PD, the policy's bound


def test_pds_much_too_low_have_an_error_beyond_doubt() -> None:
    pds, bad, who = drawn(5000, 4, shift=1.0)
    found = expected_calibration_error(pds, bad, who, 10, 200, 1)
    true_error = np.abs(expit(np.log(pds / (1 - pds)) + 1) - pds).mean()
    assert found.low > 0.08
    assert found.low < true_error < found.high


def test_rows_of_one_customer_do_not_make_the_error_more_certain() -> None:
    pds, bad, who = drawn(600, 5, shift=0.5)
    once = expected_calibration_error(pds, bad, who, 5, 400, 1)
    often = expected_calibration_error(*(np.repeat(column, 9) for column in (pds, bad, who)), 5, 400, 1)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_the_same_seed_gives_the_same_interval() -> None:
    data = drawn(300, 6)
    assert expected_calibration_error(*data, 5, 50, 3) == expected_calibration_error(*data, 5, 50, 3)
