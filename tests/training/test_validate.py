"""Validation: every measure against another's computation of it, or against a case worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import beta, binom, ks_2samp
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from training.backtests import jeffreys_p
from training.scaling import Scale
from training.validate import (
    auc_difference,
    auc_interval,
    calibration_line,
    grade_table,
    kolmogorov_smirnov,
    observed_to_expected,
    placements,
    validate,
)

TWO_GRADES = Scale(600.0, 28.0, ("A", "B"), (0.1,))
Z = 1.959963984540054


def drawn(rows: int, seed: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.normal(-1.5, 1.2, rows)
    bad = rng.random(rows) < expit(score)
    return (np.round(score) if ties else score), bad


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and at least two of each class."""
    bad = [*draw(st.lists(st.booleans(), max_size=30)), True, True, False, False]
    score = draw(st.lists(st.integers(0, 6), min_size=len(bad), max_size=len(bad)))
    return np.array(score, float), np.array(bad)


def by_pairs(score: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Placements by comparing each bad with each good: 1 where the bad scores higher, 1/2 on a tie."""
    wins = (score[bad][:, None] > score[~bad]) + 0.5 * (score[bad][:, None] == score[~bad])
    return wins.mean(1), wins.mean(0)


def standard_error(low: float, high: float) -> float:
    return (high - low) / 2 / Z


@given(judged())
def test_placements_are_those_counted_pair_by_pair(data: tuple[np.ndarray, np.ndarray]) -> None:
    for ours, counted in zip(placements(*data), by_pairs(*data), strict=True):
        np.testing.assert_allclose(ours, counted, atol=1e-12)


@given(judged())
def test_auc_is_sklearns(data: tuple[np.ndarray, np.ndarray]) -> None:
    score, bad = data
    assert auc_interval(score, bad).value == pytest.approx(roc_auc_score(bad, score), abs=1e-12)


def test_the_variance_of_auc_is_delongs_worked_by_hand() -> None:
    # Bads 3, 1; goods 0, 2. V10 = 1, 1/2; V01 = 1, 1/2; each variance 1/8, over 2: 1/16 + 1/16 = 1/8.
    got = auc_interval(np.array([3.0, 1.0, 0.0, 2.0]), np.array([True, True, False, False]))
    assert got.value == 0.75
    assert got.low == pytest.approx(0.75 - Z * math.sqrt(1 / 8))
    assert got.high == 1.0


@pytest.mark.parametrize("ties", [False, True])
def test_the_variance_of_auc_is_that_of_the_pairs(ties: bool) -> None:
    score, bad = drawn(400, 1, ties)
    of_bads, of_goods = by_pairs(score, bad)
    variance = of_bads.var(ddof=1) / len(of_bads) + of_goods.var(ddof=1) / len(of_goods)
    got = auc_interval(score, bad)
    assert standard_error(got.low, got.high) == pytest.approx(math.sqrt(variance), rel=1e-10)


def bootstrap(score: np.ndarray, other: np.ndarray, bad: np.ndarray, draws: int = 400) -> float:
    """The spread of the AUC difference over samples drawn within each class."""
    rng = np.random.default_rng(0)
    bads, goods = np.flatnonzero(bad), np.flatnonzero(~bad)
    seen = []
    for _ in range(draws):
        rows = np.concatenate([rng.choice(bads, len(bads)), rng.choice(goods, len(goods))])
        seen.append(by_pairs(score[rows], bad[rows])[0].mean() - by_pairs(other[rows], bad[rows])[0].mean())
    return float(np.std(seen))


def test_the_standard_error_of_auc_agrees_with_a_bootstrap() -> None:
    score, bad = drawn(600, 2)
    got = auc_interval(score, bad)
    assert standard_error(got.low, got.high) == pytest.approx(bootstrap(score, np.zeros(600), bad), rel=0.12)


def test_the_standard_error_of_a_paired_difference_agrees_with_a_bootstrap() -> None:
    score, bad = drawn(600, 3)
    other = score + np.random.default_rng(4).normal(0, 0.8, 600)
    got = auc_difference(score, other, bad)
    assert standard_error(got.low, got.high) == pytest.approx(bootstrap(score, other, bad), rel=0.12)


def test_the_interval_of_auc_covers_the_truth_nineteen_times_in_twenty() -> None:
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        bad = np.repeat([True, False], [60, 200])
        got = auc_interval(rng.normal(bad * math.sqrt(2), 1.0), bad)
        covered += got.low <= 0.8413447460685429 <= got.high  # Phi(sqrt(2) / sqrt(2))
    assert 270 <= covered <= 299


def test_equal_scores_differ_by_nothing_beyond_doubt() -> None:
    score, bad = drawn(500, 5, ties=True)
    got = auc_difference(score, score, bad)
    assert (got.value, got.low, got.high) == (0.0, 0.0, 0.0)


def test_scores_of_the_same_order_differ_by_nothing() -> None:
    score, bad = drawn(500, 5)
    got = auc_difference(expit(score), score, bad)
    assert (got.value, got.low, got.high) == (0.0, 0.0, 0.0)


@given(judged(), st.integers(0, 100))
def test_a_paired_difference_turns_its_sign_with_the_models(data: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    score, bad = data
    other = np.random.default_rng(seed).permutation(score)
    there, back = auc_difference(score, other, bad), auc_difference(other, score, bad)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-12)


def test_a_paired_difference_is_the_difference_of_the_aucs() -> None:
    score, bad = drawn(500, 6)
    other = score + np.random.default_rng(7).normal(0, 1, 500)
    expected = roc_auc_score(bad, score) - roc_auc_score(bad, other)
    assert auc_difference(score, other, bad).value == pytest.approx(expected, abs=1e-12)


def test_pairing_makes_the_difference_of_like_models_more_certain() -> None:
    score, bad = drawn(500, 6)
    other = score + np.random.default_rng(7).normal(0, 0.2, 500)
    paired, alone = auc_difference(score, other, bad), auc_interval(score, bad)
    assert standard_error(paired.low, paired.high) < 0.5 * standard_error(alone.low, alone.high)


def test_a_single_bad_row_gives_no_certainty() -> None:
    got = auc_interval(np.array([3.0, 1.0, 2.0]), np.array([True, False, False]))
    assert (got.low, got.high) == (0.0, 1.0)


@pytest.mark.parametrize("rows", [4, 200])
def test_ks_is_one_where_goods_and_bads_are_apart(rows: int) -> None:
    bad = np.repeat([False, True], rows // 2)
    assert kolmogorov_smirnov(np.arange(rows, dtype=float), bad) == 1.0


def test_ks_is_nothing_where_all_score_alike() -> None:
    assert kolmogorov_smirnov(np.ones(6), np.array([True, False] * 3)) == 0.0


@given(judged())
def test_ks_is_scipys(data: tuple[np.ndarray, np.ndarray]) -> None:
    score, bad = data
    expected = ks_2samp(score[bad], score[~bad], method="asymp").statistic
    assert kolmogorov_smirnov(score, bad) == pytest.approx(expected, abs=1e-12)


def test_jeffreys_p_of_one_default_in_one_row_is_worked_by_hand() -> None:
    # Beta(3/2, 1/2) at 1/2: (arcsin(sqrt(x)) - sqrt(x (1 - x))) x 2 / pi = 1/2 - 1/pi.
    assert jeffreys_p(0.5, 1, 1) == pytest.approx(0.5 - 1 / math.pi, abs=1e-12)


def test_jeffreys_p_of_no_row_is_the_prior() -> None:
    # Beta(1/2, 1/2) is the arcsine law: F(x) = 2 / pi x arcsin(sqrt(x)), 1/3 at 1/4.
    assert jeffreys_p(0.25, 0, 0) == pytest.approx(1 / 3, abs=1e-12)


def test_jeffreys_p_lies_between_the_exact_binomial_tails() -> None:
    # P(D >= 10) < p < P(D >= 9): half a default is given to either side.
    p_value = jeffreys_p(0.02, 9, 200)
    assert binom.sf(9, 200, 0.02) < p_value < binom.sf(8, 200, 0.02)


def test_a_pd_that_is_too_low_has_a_small_jeffreys_p() -> None:
    assert jeffreys_p(0.01, 30, 1000) < 1e-6


def test_a_pd_that_is_too_high_has_a_large_jeffreys_p() -> None:
    assert jeffreys_p(0.10, 30, 1000) > 0.999999


def test_observed_to_expected_is_the_rate_over_the_mean_pd() -> None:
    got = observed_to_expected(30, 1000, 0.02)
    assert got.value == pytest.approx(1.5)
    assert beta.cdf(np.array([got.low, got.high]) * 0.02, 30.5, 970.5) == pytest.approx([0.025, 0.975], abs=1e-9)


def test_observed_to_expected_covers_the_truth_nineteen_times_in_twenty() -> None:
    pd_ = expit(np.random.default_rng(1).normal(-2.5, 1, 800))
    drawn_ = np.random.default_rng(2).random((400, 800)) < pd_
    got = [observed_to_expected(int(row.sum()), 800, float(pd_.mean())) for row in drawn_]
    assert 370 <= sum(one.low <= 1 <= one.high for one in got) <= 399


def test_a_true_pd_has_slope_one_and_no_intercept() -> None:
    log_odds = np.random.default_rng(1).normal(-2, 1.2, 100_000)
    bad = np.random.default_rng(2).random(100_000) < expit(log_odds)
    intercept, slope = calibration_line(expit(log_odds), bad)
    assert intercept.value == pytest.approx(0.0, abs=0.05)
    assert slope.value == pytest.approx(1.0, abs=0.03)


def test_a_pd_too_sure_of_itself_has_a_slope_below_one() -> None:
    log_odds = np.random.default_rng(1).normal(-2, 1.2, 50_000)
    bad = np.random.default_rng(2).random(50_000) < expit(log_odds)
    assert calibration_line(expit(2 * log_odds), bad)[1].value == pytest.approx(0.5, abs=0.03)


def test_the_interval_of_the_slope_covers_the_truth_nineteen_times_in_twenty() -> None:
    log_odds = np.random.default_rng(1).normal(-2, 1.2, 400)
    covered = 0
    for seed in range(200):
        bad = np.random.default_rng(seed).random(400) < expit(log_odds)
        slope = calibration_line(expit(log_odds), bad)[1]
        covered += slope.low <= 1 <= slope.high
    assert 180 <= covered <= 199


def test_the_intervals_of_the_line_are_statsmodels() -> None:
    score, bad = drawn(500, 8)
    model = sm.GLM(bad.astype(float), sm.add_constant(score), family=sm.families.Binomial()).fit()
    for ours, (low, high), value in zip(
        calibration_line(expit(score), bad), model.conf_int(), model.params, strict=True
    ):
        assert (ours.value, ours.low, ours.high) == pytest.approx((value, low, high), abs=1e-5)


def test_pds_all_alike_tell_nothing_about_the_slope() -> None:
    slope = calibration_line(np.full(20, 0.5), np.array([True, False] * 10))[1]
    assert (slope.low, slope.high) == (-math.inf, math.inf)


def test_log_loss_and_brier_are_sklearns() -> None:
    score, bad = drawn(500, 9)
    got = validate(expit(score), bad, TWO_GRADES)
    assert got.log_loss == pytest.approx(log_loss(bad, expit(score)), abs=1e-12)
    assert got.brier == pytest.approx(brier_score_loss(bad, expit(score)), abs=1e-12)


def test_gini_is_twice_auc_less_one() -> None:
    got = validate(np.array([0.3, 0.1, 0.05, 0.2]), np.array([1, 1, 0, 0]), TWO_GRADES)
    assert (got.auc.value, got.gini) == (0.75, 0.5)


def test_certain_pds_that_are_right_are_judged_without_a_breakdown() -> None:
    bad = np.repeat([0, 1], [80, 20])
    got = validate(bad.astype(float), bad, TWO_GRADES)
    assert (got.auc.value, got.ks) == (1.0, 1.0)


def test_a_grade_counts_its_rows_and_defaults() -> None:
    pd_ = np.array([0.02, 0.04, 0.1, 0.3, 0.5])
    first, second = grade_table(pd_, np.array([False, True, False, True, True]), TWO_GRADES)
    assert (first.grade, first.rows, first.defaults, first.mean_pd, first.default_rate) == ("A", 2, 1, 0.03, 0.5)
    assert (second.grade, second.rows, second.defaults, second.default_rate) == ("B", 3, 2, 2 / 3)
    assert second.mean_pd == pytest.approx(0.3)


def test_a_grade_is_judged_by_its_own_jeffreys_p() -> None:
    first = grade_table(np.full(50, 0.05), np.arange(50) < 4, TWO_GRADES)[0]
    assert first.jeffreys_p == pytest.approx(beta.cdf(0.05, 4.5, 46.5))


def test_an_empty_grade_is_shown_without_rates() -> None:
    empty = grade_table(np.full(5, 0.5), np.arange(5) < 2, TWO_GRADES)[0]
    assert (empty.rows, empty.defaults) == (0, 0)
    assert np.isnan([empty.mean_pd, empty.default_rate, empty.jeffreys_p]).all()


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_the_grades_share_out_all_rows_and_defaults(rows: list[tuple[float, bool]]) -> None:
    pd_, bad = (np.array(column) for column in zip(*rows, strict=True))
    table = grade_table(pd_, bad, TWO_GRADES)
    assert sum(grade.rows for grade in table) == len(rows)
    assert sum(grade.defaults for grade in table) == bad.sum()
