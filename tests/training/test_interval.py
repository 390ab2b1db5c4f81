"""The interval of a PD: wider with fewer customers and a restless economy, honest where the truth is known."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from configs.certainty import Explanation
from training.calibrate import platt
from training.dataset import Dataset
from training.economy import between_vintages
from training.interval import Uncertainty, measure, of_line, uncertainty_from_json


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
        band = of_line(calibration.log_odds(score), bad, names, 0.90)
        around = [band.around(float(z)) for z in calibration.log_odds(at)]
        held.append([one.low <= p <= one.high for one, p in zip(around, expit(0.3 + 0.8 * at), strict=True)])
    assert 0.85 <= np.mean(held) <= 0.95


def test_a_customer_who_stands_in_many_rows_is_one_witness() -> None:
    """Ten copies of each row tell no more: the variance is that of the rows once."""
    score, bad, names = drawn(1, 1500)
    z = platt(score, bad).log_odds(score)
    once = of_line(z, bad, names, 0.9)
    tenfold = of_line(np.repeat(z, 10), np.repeat(bad, 10), np.repeat(names, 10), 0.9)
    assert tenfold.intercept_variance == pytest.approx(once.intercept_variance)
    assert tenfold.slope_variance == pytest.approx(once.slope_variance)
    assert (tenfold.rows, tenfold.customers) == (15000, 1500)


def test_with_one_row_a_customer_the_variance_is_near_the_textbooks() -> None:
    score, bad, names = drawn(2, 20_000)
    z = platt(score, bad).log_odds(score)
    found = of_line(z, bad, names, 0.9)
    fitted = LogisticRegression(C=np.inf, tol=1e-8).fit(z[:, None], bad)
    p = fitted.predict_proba(z[:, None])[:, 1]
    design = np.column_stack([np.ones(len(z)), z])
    fisher = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
    assert found.intercept_variance == pytest.approx(fisher[0, 0], rel=0.1)
    assert found.slope_variance == pytest.approx(fisher[1, 1], rel=0.1)


@pytest.mark.parametrize("z", [-40.0, -3.0, 0.0, 5.0])
def test_an_interval_holds_its_pd_and_lies_between_nought_and_one(z: float) -> None:
    score, bad, names = drawn(3, 400)
    one = of_line(platt(score, bad).log_odds(score), bad, names, 0.9).around(z)
    assert 0 <= one.low <= expit(z) <= one.high <= 1


def test_more_confidence_is_a_wider_interval() -> None:
    score, bad, names = drawn(4, 800)
    z = platt(score, bad).log_odds(score)
    narrow, wide = (of_line(z, bad, names, confidence).around(-3.0) for confidence in (0.8, 0.95))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_rows_that_tell_nothing_give_none() -> None:
    score, _, names = drawn(5, 50)
    assert of_line(score, np.zeros(50, int), names, 0.9) is None
    assert of_line(np.zeros(50), np.arange(50) % 2, names, 0.9) is None


NO_PROGRAM: Any = None


def asked_in(vintages: np.ndarray, bad: np.ndarray, names: np.ndarray) -> Dataset:
    """Rows asked about on the tenth of each month (rows,) since 1970."""
    days = vintages.astype("datetime64[M]").astype("datetime64[D]").astype(np.int32) + 9
    return Dataset(NO_PROGRAM, np.empty((len(bad), 0)), bad, names, days, 0)


def wanted(spread: float) -> Explanation:
    return Explanation(pd_confidence=0.9, economy_spread=spread, refits=0, noise_gate=1.0, together=0.7, rows=500)


def moving(seed: int, spread: float, vintages: int = 10, rows: int = 1500) -> tuple[np.ndarray, Dataset, np.ndarray]:
    """Scores, rows of other customers in each vintage, and each vintage's level: drawn with this spread around 0."""
    rng = np.random.default_rng(seed)
    levels = rng.normal(0, spread, vintages)
    vintage = np.repeat(np.arange(vintages), rows)
    score = rng.normal(-2.0, 1.0, len(vintage))
    bad = (rng.random(len(score)) < expit(score + levels[vintage])).astype(int)
    return score, asked_in(vintage, bad, np.arange(len(score)).astype(object)), levels


def test_the_spread_between_vintages_is_that_of_dersimonian_and_laird() -> None:
    """At PDs of 1/2 the squares of the rows are p (1 - p) each, so both noises are one; the number is by hand.

    d = -0.4, 0.2, 0.4 with weights 25, 50, 100: Q = 90/7, two degrees of freedom, C = 175 - 13125/175 = 100.
    """
    rows = np.repeat([0, 1, 2], [100, 200, 400])
    bad = np.concatenate([np.arange(n) < k for n, k in ((100, 40), (200, 110), (400, 240))]).astype(int)
    taught = asked_in(rows, bad, np.arange(700).astype(object))
    found = between_vintages(np.zeros(700), taught.defaulted, taught.customer_id, taught.as_of)
    assert found**2 == pytest.approx((90 / 7 - 2) / 100)


def test_the_spread_of_a_moving_economy_is_found_and_chance_alone_is_hardly_any() -> None:
    found = {
        spread: [
            between_vintages(score, rows.defaulted, rows.customer_id, rows.as_of)
            for score, rows, _ in (moving(seed, spread) for seed in range(40))
        ]
        for spread in (0.0, 0.3)
    }
    assert np.sqrt(np.mean(np.square(found[0.3]))) == pytest.approx(0.3, rel=0.15)
    assert np.mean(found[0.0]) < 0.04


def test_defaults_that_stand_in_every_vintage_are_no_chance_between_them() -> None:
    """The same customers with the same outcomes each month, then a tenth more bads in every other month.

    Chance cannot move such vintages apart, so what moves them is the economy, little as it is against binomial noise.
    """
    rng = np.random.default_rng(7)
    score, names = rng.normal(-2.0, 1.0, 1500), np.arange(1500).astype(object)
    bad = (rng.random(1500) < expit(score)).astype(int)
    worse = bad.copy()
    worse[np.flatnonzero(bad == 0)[: int(bad.sum() * 0.2)]] = 1
    month = np.repeat(np.arange(6), 1500)
    still, moved = np.tile(bad, 6), np.concatenate([bad, worse] * 3)
    day = asked_in(month, still, np.tile(names, 6)).as_of
    assert between_vintages(np.tile(score, 6), still, np.tile(names, 6), day) == pytest.approx(0, abs=1e-6)
    assert between_vintages(np.tile(score, 6), moved, np.tile(names, 6), day) > 0.08


def test_the_interval_holds_vintages_not_yet_seen_where_sampling_alone_does_not() -> None:
    at, alone, told = np.linspace(-4.0, 0.0, 5), [], []
    for seed in range(80):
        score, rows, levels = moving(1000 + seed, 0.3, vintages=25, rows=400)
        seen = np.flatnonzero(rows.as_of < rows.as_of.max())
        calibration = platt(score[seen], rows.defaulted[seen])
        band = measure(rows.take(seen), calibration.default_probability(score[seen]), wanted(0.0))
        truth = expit(at + levels[-1])
        for held, one in ((alone, band.of_sampling()), (told, band)):
            around = [one.around(float(z)) for z in calibration.log_odds(at)]
            held.append([i.low <= p <= i.high for i, p in zip(around, truth, strict=True)])
    assert np.mean(alone) < 0.5
    assert 0.8 <= np.mean(told) <= 0.95


def test_the_spread_is_never_less_than_the_setting_which_stands_alone_with_a_single_vintage() -> None:
    score, rows, _ = moving(3, 0.3)
    one_month = asked_in(np.zeros(len(rows), int), rows.defaulted, rows.customer_id)
    single = measure(one_month, expit(score), wanted(0.25))
    assert (single.economy_found, single.economy_spread) == (0.0, 0.25)
    restless = measure(rows, expit(score), wanted(0.01))
    assert restless.economy_spread == restless.economy_found > 0.1
    narrow, wide = restless.of_sampling().around(-3.0), restless.around(-3.0)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_version_made_before_the_economy_was_measured_keeps_its_interval_to_the_bit() -> None:
    score, bad, names = drawn(8, 400)
    made = of_line(platt(score, bad).log_odds(score), bad, names, 0.9)
    before = {name: value for name, value in asdict(made).items() if not name.startswith("economy")}
    assert len(before) == 7
    loaded = uncertainty_from_json(before)
    variance = made.intercept_variance + 2 * -2.5 * made.covariance + 2.5**2 * made.slope_variance
    assert loaded.around(-2.5).low == float(expit(-2.5 - 1.6448536269514715 * np.sqrt(variance)))
    assert loaded == Uncertainty(**before)


def test_json_gives_back_the_same_and_a_version_made_before_has_none() -> None:
    score, bad, names = drawn(6, 300)
    made = of_line(platt(score, bad).log_odds(score), bad, names, 0.9)
    assert uncertainty_from_json(json.loads(json.dumps(made.to_json()))) == made
    assert uncertainty_from_json(None) is None
