"""Calibration: a known line is found again, ranks stay, and a shift sets the level and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize
from scipy.special import expit

from training.calibrate import Calibration, intercept_shift, logistic_line, platt

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
