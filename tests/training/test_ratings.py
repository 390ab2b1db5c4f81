"""Grades as a rating system: against other computations of the same, and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, somersd

from training.ratings import (
    auc_fall,
    auc_of_grades,
    concentration_rise,
    herfindahl,
    kendall_tau,
    migration_bandwidths,
    migration_z,
    migrations,
    variation,
)
from training.validate import auc_interval

Z = 1.959963984540054
ROWS, DEFAULTS = np.array([400, 300, 200, 100]), np.array([4, 9, 14, 20])


def one_by_one(rows: np.ndarray, defaults: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grade = np.repeat(np.arange(len(rows)), rows)
    bad = np.concatenate([np.arange(n) < d for n, d in zip(rows, defaults, strict=True)])
    return grade.astype(float), bad


def test_auc_of_the_grades_and_its_variance_are_delongs_on_the_rows() -> None:
    expected = auc_interval(*one_by_one(ROWS, DEFAULTS))
    auc, variance = auc_of_grades(ROWS, DEFAULTS)
    assert auc == pytest.approx(expected.value, abs=1e-12)
    assert Z * math.sqrt(variance) == pytest.approx(expected.high - expected.value, rel=1e-10)


def test_twice_auc_less_one_is_scipys_somers_d() -> None:
    grade, bad = one_by_one(ROWS, DEFAULTS)
    assert 2 * auc_of_grades(ROWS, DEFAULTS)[0] - 1 == pytest.approx(somersd(bad, grade).statistic, abs=1e-12)


def test_one_bad_row_gives_no_certainty() -> None:
    assert auc_of_grades(np.array([5, 5]), np.array([0, 1]))[1] == math.inf


def test_a_fall_of_auc_by_two_standard_errors() -> None:
    statistic, p_value = auc_fall(0.80, 0.76, 0.02**2)
    assert statistic == pytest.approx(2.0)
    assert p_value == pytest.approx(0.0227501, abs=1e-7)  # any normal table


@pytest.mark.parametrize("variance", [0.0, math.inf])
def test_an_auc_without_a_known_variance_is_not_tested(variance: float) -> None:
    assert np.isnan(auc_fall(0.8, 0.8, variance)).all()


def test_a_customer_is_counted_once_from_the_first_date_to_the_last() -> None:
    who = np.array(["b", "a", "a", "a", "c"], object)
    when, grade = np.array([9, 30, 10, 20, 9]), np.array([0, 2, 0, 1, 1])
    np.testing.assert_array_equal(migrations(who, when, grade, 3), [[0, 0, 1], [0, 0, 0], [0, 0, 0]])


def test_two_rows_of_one_date_are_no_migration() -> None:
    assert migrations(np.array(["a", "a"], object), np.array([1, 1]), np.array([0, 1]), 2).sum() == 0


def test_no_row_is_no_migration() -> None:
    assert migrations(np.empty(0, object), np.empty(0, int), np.empty(0, int), 2).sum() == 0


def test_the_bandwidths_by_hand() -> None:
    # Upper: (1 x 10 + 2 x 5 + 1 x 8) over (2 x 15 + 1 x 8). Lower: (1 x 6 + 2 x 2 + 1 x 4) over (1 x 6 + 2 x 6).
    upper, lower = migration_bandwidths(np.array([[80, 10, 5], [6, 80, 8], [2, 4, 90]]))
    assert upper == pytest.approx(28 / 38)
    assert lower == pytest.approx(14 / 18)


def test_who_never_moves_has_no_bandwidth() -> None:
    assert np.isnan(migration_bandwidths(np.diag([5, 5, 5]))).all()


def test_moves_all_the_way_have_a_bandwidth_of_one() -> None:
    assert migration_bandwidths(np.array([[0, 0, 7], [0, 0, 0], [3, 0, 0]])) == (1.0, 1.0)


def test_the_migration_z_by_hand() -> None:
    # Row 1 of 100: 0.8, 0.05, 0.15. A jump of two is likelier than of one:
    # z = (0.05 - 0.15) / sqrt((0.15 x 0.85 + 0.05 x 0.95 + 2 x 0.15 x 0.05) / 100) = -0.1 / sqrt(0.0019).
    z, p_value = migration_z(np.array([[80, 5, 15], [0, 10, 0], [10, 30, 60]]))
    assert z[0, 2] == pytest.approx(-0.1 / math.sqrt(0.0019), rel=1e-12)
    assert p_value[0, 2] == pytest.approx(norm.cdf(-2.2941573), rel=1e-6)
    assert z[2, 0] == pytest.approx(0.2 / math.sqrt((0.1 * 0.9 + 0.3 * 0.7 + 2 * 0.1 * 0.3) / 100), rel=1e-12)
    assert z[0, 1] == pytest.approx(0.75 / math.sqrt((0.05 * 0.95 + 0.8 * 0.2 + 2 * 0.05 * 0.8) / 100), rel=1e-12)
    assert np.isnan(z[1]).all()  # who always stays leaves nothing to compare
    assert np.isnan(np.diag(z)).all()


def test_the_variance_of_the_migration_z_is_that_of_drawn_matrices() -> None:
    draws = np.random.default_rng(1).multinomial(200, [0.7, 0.15, 0.15], 4000)
    seen = [migration_z(np.vstack([row, [0, 1, 0], [0, 0, 1]]))[0][0, 2] for row in draws]
    assert np.std(seen) == pytest.approx(1.0, abs=0.04)
    assert np.mean(seen) == pytest.approx(0.0, abs=0.05)


def test_the_concentration_of_two_grades_by_hand() -> None:
    # Shares 0.8 and 0.2: CV = sqrt(2 x 2 x 0.09) = 0.6; HI = 1 + ln(1.36 / 2) / ln 2 = 0.443607.
    assert variation(np.array([80, 20])) == pytest.approx(0.6)
    assert herfindahl(np.array([80, 20])) == pytest.approx(0.443607, abs=1e-6)


@given(st.integers(2, 12))
def test_even_grades_concentrate_nothing_and_one_grade_everything(grades: int) -> None:
    assert herfindahl(np.full(grades, 3.0)) == pytest.approx(0.0, abs=1e-12)
    assert herfindahl(np.eye(grades)[0]) == pytest.approx(1.0, abs=1e-12)


def test_the_rise_of_concentration_by_hand() -> None:
    # CV 0.6 now, 0.2 then: sqrt(1) x 0.4 / sqrt(0.36 x 0.86) = 0.718885; 1 - Phi = 0.236107.
    assert concentration_rise(np.array([60, 40]), np.array([80, 20])) == pytest.approx(0.236107, abs=1e-5)


def test_grades_that_are_even_now_are_not_tested() -> None:
    assert math.isnan(concentration_rise(np.array([60, 40]), np.array([50, 50])))


def test_kendalls_tau_of_one_inversion_by_hand() -> None:
    # Four grades, rates 1 %, 3 %, 2 %, 9 %: five pairs rise, one falls: (5 - 1) / 6.
    tau, p_value = kendall_tau(np.full(4, 100), np.array([1, 3, 2, 9]))
    assert tau == pytest.approx(2 / 3)
    assert p_value == pytest.approx(1 / 3)  # of 24 orders 8 are so far from chance: Kendall's table, n = 4, S = 4


def test_kendalls_tau_passes_over_empty_grades() -> None:
    assert kendall_tau(np.array([100, 0, 100, 100]), np.array([1, 0, 3, 2]))[0] == pytest.approx(1 / 3)
    assert np.isnan(kendall_tau(np.array([100, 0]), np.array([1, 0]))).all()
