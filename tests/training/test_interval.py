"""The interval of a PD: wider with fewer customers, honest where the truth is known, absent where rows tell nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from training.calibrate import platt
from training.interval import measure, uncertainty_from_json


def drawn(seed: int, customers: int, rows_each: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw scores, defaults (all rows of a customer share one) and customers; the true line is 0.3 + 0.8 s."""
    rng = np.random.default_rng(seed)
    score = rng.normal(-2.5, 1.0, customers)
    bad = rng.random(customers) < expit(0.3 + 0.8 * score)
    names = np.array([f"c{n}" for n in range(customers)], object)
    return np.repeat(score, rows_each), np.repeat(bad, rows_each).astype(int), np.repeat(names, rows_each)


def test_nine_intervals_of_ten_hold_the_true_rate_of_those_who_score_alike() -> None:
    at, held = np.linspace(-4.5, -0.5, 5), []
    for seed in range(120):
        score, bad, names = drawn(seed, 2500)
        calibration = platt(score, bad)
        band = measure(calibration.log_odds(score), bad, names, 0.90)
        around = [band.around(float(z)) for z in calibration.log_odds(at)]
        held.append([one.low <= p <= one.high for one, p in zip(around, expit(0.3 + 0.8 * at), strict=True)])
    assert 0.85 <= np.mean(held) <= 0.95


def test_a_customer_who_stands_in_many_rows_is_one_witness() -> None:
    """Ten copies of each row tell no more: the variance is that of the rows once."""
    score, bad, names = drawn(1, 1500)
    z = platt(score, bad).log_odds(score)
    once = measure(z, bad, names, 0.9)
    tenfold = measure(np.repeat(z, 10), np.repeat(bad, 10), np.repeat(names, 10), 0.9)
    assert tenfold.intercept_variance == pytest.approx(once.intercept_variance)
    assert tenfold.slope_variance == pytest.approx(once.slope_variance)
    assert (tenfold.rows, tenfold.customers) == (15000, 1500)


def test_with_one_row_a_customer_the_variance_is_near_the_textbooks() -> None:
    score, bad, names = drawn(2, 20_000)
    z = platt(score, bad).log_odds(score)
    found = measure(z, bad, names, 0.9)
    fitted = LogisticRegression(C=np.inf, tol=1e-8).fit(z[:, None], bad)
    p = fitted.predict_proba(z[:, None])[:, 1]
    design = np.column_stack([np.ones(len(z)), z])
    fisher = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
    assert found.intercept_variance == pytest.approx(fisher[0, 0], rel=0.1)
    assert found.slope_variance == pytest.approx(fisher[1, 1], rel=0.1)


@pytest.mark.parametrize("z", [-40.0, -3.0, 0.0, 5.0])
def test_an_interval_holds_its_pd_and_lies_between_nought_and_one(z: float) -> None:
    score, bad, names = drawn(3, 400)
    one = measure(platt(score, bad).log_odds(score), bad, names, 0.9).around(z)
    assert 0 <= one.low <= expit(z) <= one.high <= 1


def test_more_confidence_is_a_wider_interval() -> None:
    score, bad, names = drawn(4, 800)
    z = platt(score, bad).log_odds(score)
    narrow, wide = (measure(z, bad, names, confidence).around(-3.0) for confidence in (0.8, 0.95))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_rows_that_tell_nothing_give_none() -> None:
    score, _, names = drawn(5, 50)
    assert measure(score, np.zeros(50, int), names, 0.9) is None
    assert measure(np.zeros(50), np.arange(50) % 2, names, 0.9) is None


def test_json_gives_back_the_same_and_a_version_made_before_has_none() -> None:
    score, bad, names = drawn(6, 300)
    made = measure(platt(score, bad).log_odds(score), bad, names, 0.9)
    assert uncertainty_from_json(json.loads(json.dumps(made.to_json()))) == made
    assert uncertainty_from_json(None) is None
