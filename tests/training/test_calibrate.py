"""Calibration: a known line is found again, ranks stay, and a shift sets the level and nothing else."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from training.calibrate import (
    Calibration,
    Chosen,
    beta,
    calibration_from_json,
    choose,
    intercept_shift,
    isotonic,
    logistic_line,
    moved_to,
    platt,
)

INTERCEPT, SLOPE = 0.4, 1.7
scores = arrays.arrays(np.float64, st.integers(2, 40), elements=st.floats(-8, 8, width=32))


def drawn(rows: int, seed: int, intercept: float = INTERCEPT, slope: float = SLOPE) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.normal(-1.5, 1.0, rows)
    return score, (rng.random(rows) < expit(intercept + slope * score)).astype(np.int8)


def test_platt_finds_a_known_line_again() -> None:
    found = platt(*drawn(200_000, 1))
    assert found.intercept == pytest.approx(INTERCEPT, abs=0.05)
    assert found.slope == pytest.approx(SLOPE, abs=0.05)


def test_the_line_has_the_greatest_likelihood() -> None:
    score, bad = drawn(3000, 2)

    def loss(line: np.ndarray) -> float:
        log_odds = line[0] + line[1] * score
        return float(np.logaddexp(0, log_odds).sum() - (log_odds * bad).sum())

    best = minimize(loss, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})
    assert logistic_line(score, bad) == pytest.approx(tuple(best.x), abs=1e-6)


@pytest.mark.parametrize("spread", [100.0, 0.01, 0.001])
def test_the_line_does_not_depend_on_the_units_of_the_score(spread: float) -> None:
    score, bad = drawn(3000, 2)
    intercept, slope = logistic_line(score, bad)
    scaled_intercept, scaled_slope = logistic_line(score * spread, bad)
    assert (scaled_intercept, scaled_slope * spread) == pytest.approx((intercept, slope), rel=1e-4)


def test_platt_makes_the_mean_pd_the_default_rate() -> None:
    score, bad = drawn(5000, 4)
    assert platt(score, bad).default_probability(score).mean() == pytest.approx(bad.mean(), abs=1e-7)


@given(scores, st.floats(-5, 5), st.floats(0.05, 5))
def test_calibration_never_changes_a_rank(score: np.ndarray, intercept: float, slope: float) -> None:
    calibrated = Calibration(intercept, slope).log_odds(score)
    assert (np.diff(calibrated[np.argsort(score, kind="stable")]) >= 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_platt_on_pure_noise_never_turns_the_ranks_round(seed: int) -> None:
    assert platt(*drawn(200, seed, slope=0.0)).slope > 0


def test_a_score_that_points_the_wrong_way_only_has_its_level_set() -> None:
    score, bad = drawn(2000, 5, slope=-1.0)
    found = platt(score, bad)
    assert found.slope == 1.0
    assert found.default_probability(score).mean() == pytest.approx(bad.mean(), abs=1e-9)


def test_a_score_that_is_the_same_for_all_gives_the_default_rate_to_all() -> None:
    bad = np.repeat([0, 1], [80, 20])
    assert platt(np.full(100, -1.4), bad).default_probability(np.array([-1.4])) == pytest.approx(0.2, abs=1e-6)


def test_a_perfect_separation_still_gives_finite_numbers() -> None:
    found = platt(np.repeat([-2.0, 2.0], 50), np.repeat([0, 1], 50))
    assert np.isfinite([found.intercept, found.slope]).all()


@given(scores, st.floats(0.01, 0.99))
@settings(max_examples=50)
def test_an_intercept_shift_makes_the_mean_pd_the_default_rate(score: np.ndarray, rate: float) -> None:
    bad = np.full(len(score), rate)  # only its mean is read
    assert intercept_shift(score, bad).default_probability(score).mean() == pytest.approx(rate, abs=1e-10)


def test_an_intercept_shift_of_one_score_is_the_log_odds_less_the_score() -> None:
    # One half of the rows default: log-odds 0, so the shift is minus the score.
    assert intercept_shift(np.full(4, 1.25), np.array([0, 1, 0, 1])).intercept == pytest.approx(-1.25, abs=1e-11)


def test_log_odds_and_pd_say_the_same() -> None:
    calibration = Calibration(-1.0, 2.0)
    pd_ = calibration.default_probability(np.array([0.5]))  # log-odds 0
    assert pd_.tolist() == [0.5]


BENT = Calibration(-0.5, 1.2, bend=0.7, kind="beta")


def drawn_from(calibration: Calibration, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.normal(-1.5, 1.5, rows)
    return score, (rng.random(rows) < calibration.default_probability(score)).astype(np.int8)


def alone(rows: int) -> np.ndarray:
    """Every row is a customer of its own."""
    return np.arange(rows)


def test_beta_is_the_formula_as_published() -> None:
    # Kull, Silva Filho and Flach (2017), eq. 5, with p = 0.2, a = slope + bend = 1.9, b = slope - bend = 0.5, c = -0.5.
    p = 0.2
    expected = 1 / (1 + 1 / (math.exp(-0.5) * p**1.9 / (1 - p) ** 0.5))
    assert BENT.default_probability(np.array([logit(p)]))[0] == pytest.approx(expected, rel=1e-13)


def test_beta_finds_a_known_bend_again() -> None:
    found = beta(*drawn_from(BENT, 300_000, 8))
    assert (found.intercept, found.slope, found.bend) == pytest.approx((-0.5, 1.2, 0.7), abs=0.06)


@pytest.mark.parametrize("truth", [BENT, Calibration(0.2, 0.6, bend=-0.6), Calibration(0.0, 0.9, bend=-1.4)])
def test_beta_has_the_greatest_likelihood_that_no_negative_coefficient_has(truth: Calibration) -> None:
    score, bad = drawn_from(truth, 4000, 9)
    columns = np.column_stack([np.ones(4000), np.log(expit(score)), -np.log(expit(-score))])

    def loss(line: np.ndarray) -> float:
        log_odds = columns @ line
        return float(np.logaddexp(0, log_odds).sum() - (log_odds * bad).sum())

    bounds = [(None, None), (0, None), (0, None)]
    best = minimize(loss, [0.0, 1.0, 1.0], method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9})
    found = beta(score, bad)
    ours = np.array([found.intercept, found.slope + found.bend, found.slope - found.bend])
    assert ours == pytest.approx(best.x, abs=2e-3)
    assert (ours[1:] >= 0).all()


@pytest.mark.parametrize("fitted", [platt, beta, isotonic, intercept_shift])
@pytest.mark.parametrize("seed", range(5))
def test_no_kind_ever_turns_two_ranks_round_or_ties_what_was_apart(fitted, seed: int) -> None:
    score, bad = drawn_from(BENT, 3000, seed)
    log_odds = fitted(score, bad).log_odds(np.linspace(-8, 8, 500))
    assert (np.diff(log_odds) > 0).all()


@pytest.mark.parametrize("fitted", [platt, beta, isotonic, intercept_shift])
@pytest.mark.parametrize("seed", range(5))
def test_every_kind_makes_the_mean_pd_the_default_rate(fitted, seed: int) -> None:
    score, bad = drawn_from(BENT, 3000, seed)
    assert fitted(score, bad).default_probability(score).mean() == pytest.approx(bad.mean(), abs=1e-7)


def test_isotonic_knots_are_the_pools_of_the_isotonic_regression() -> None:
    score, bad = drawn_from(BENT, 5000, 3)
    rates = IsotonicRegression().fit_transform(score, bad)
    knots = {round(y, 9): x for x, y in isotonic(score, bad).knots}
    inner = [rate for rate in np.unique(rates) if 0.02 < rate < 0.9]
    assert len(inner) > 5
    for rate in inner:
        assert knots[round(float(logit(rate)), 9)] == pytest.approx(score[rates == rate].mean())


def test_a_score_without_any_order_leaves_isotonic_the_level_alone() -> None:
    score = np.linspace(-1, 1, 400)
    made = isotonic(score, (score < 0).astype(np.int8))  # the wrong way round: one pool
    assert made.default_probability(score).mean() == pytest.approx(0.5)
    assert len(made.knots) == 1


def test_isotonic_of_a_perfect_separation_still_gives_finite_numbers() -> None:
    made = isotonic(np.repeat([-2.0, 2.0], 50), np.repeat([0, 1], 50))
    assert np.isfinite(made.log_odds(np.array([-9.0, 0.0, 9.0]))).all()


@pytest.mark.parametrize(
    ("truth", "kind"),
    [
        (Calibration(0.8, 1.0), "intercept"),
        (Calibration(0.1, 0.5), "platt"),
        (Calibration(1.0, 1.3, bend=1.3), "beta"),
        (Calibration(0.0, 1.0, knots=((-3.0, -4.0), (-1.6, -1.4), (-1.4, 0.8), (1.0, 1.0))), "isotonic"),
    ],
)
def test_the_kind_that_made_the_outcomes_is_chosen(truth: Calibration, kind: str) -> None:
    score, bad = drawn_from(truth, 20_000, 12)
    assert choose(score, bad, alone(20_000), 1).calibration.kind == kind


def test_of_few_defaults_isotonic_is_no_candidate() -> None:
    score, bad = drawn(3000, 4)
    assert [one.kind for one in choose(score, bad, alone(3000), 1).candidates] == ["intercept", "platt", "beta"]


def test_of_a_handful_of_customers_only_the_level_is_set() -> None:
    score, bad = drawn(60, 4)
    chosen = choose(score, bad, np.arange(60) // 10, 1)
    assert (chosen.calibration, chosen.candidates) == (intercept_shift(score, bad), ())


def test_rows_repeated_within_a_customer_are_no_new_evidence() -> None:
    score, bad = drawn(600, 6, slope=0.8)
    once = choose(score, bad, alone(600), 1).candidates
    again = choose(np.repeat(score, 9), np.repeat(bad, 9), np.repeat(alone(600), 9), 1).candidates
    assert [one.standard_error for one in again[:3]] == pytest.approx([one.standard_error for one in once], rel=0.5)


def test_the_best_candidate_is_worse_than_itself_by_nothing() -> None:
    candidates = choose(*drawn(3000, 4), alone(3000), 1).candidates
    best = min(candidates, key=lambda one: one.log_loss)
    assert (best.worse_by, best.standard_error) == (0.0, 0.0)


@pytest.mark.parametrize("rate", [0.001, 0.03, 0.6])
def test_the_long_run_rate_moves_the_level_and_nothing_else(rate: float) -> None:
    score, bad = drawn_from(BENT, 5000, 2)
    own = choose(score, bad, alone(5000), 1)
    moved = choose(score, bad, alone(5000), 1, long_run_default_rate=rate)
    assert moved.calibration.default_probability(score).mean() == pytest.approx(rate, rel=1e-9)
    assert np.ptp(moved.calibration.log_odds(score) - own.calibration.log_odds(score)) < 1e-12
    assert moved.long_run_default_rate == rate


@given(scores, st.floats(0.001, 0.999))
@settings(max_examples=50)
def test_any_calibration_can_be_moved_to_any_mean(score: np.ndarray, mean: float) -> None:
    assert moved_to(BENT, score, mean).default_probability(score).mean() == pytest.approx(mean, abs=1e-11)


@pytest.mark.parametrize("fitted", [platt, beta, isotonic, intercept_shift])
def test_a_calibration_read_back_from_json_is_the_same(fitted) -> None:
    made = fitted(*drawn_from(BENT, 2000, 5))
    assert calibration_from_json(json.loads(json.dumps(asdict(made)))) == made


def test_the_record_of_the_choice_is_plain_json() -> None:
    chosen: Chosen = choose(*drawn(3000, 4), alone(3000), 1)
    assert json.loads(json.dumps(chosen.to_json(), allow_nan=False))["candidates"][0]["kind"] == "intercept"


@given(st.floats(-6, 6), st.floats(-6, 6))
def test_the_slope_between_two_scores_is_what_lies_between_their_log_odds(one: float, other: float) -> None:
    low, high = BENT.log_odds(np.array([one, other]))
    assert BENT.slope_between(one, other) * (other - one) == pytest.approx(high - low, abs=1e-5)
    assert BENT.slope_between(one, other) > 0


def test_the_slope_of_a_line_is_its_slope_to_the_last_digit() -> None:
    assert Calibration(0.3, 1.1).slope_between(0.1, 0.7) == 1.1
