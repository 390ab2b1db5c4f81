"""How often tests and intervals err: the size of the Jeffreys test, the coverage of the intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from benchmarks.sizes import NOMINAL, coverage, expected_auc, jeffreys_size
from training.backtests import jeffreys_p


@pytest.mark.parametrize("pd_", [0.005, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("rows", [300, 1000, 10_000])
def test_with_independent_defaults_the_jeffreys_test_errs_about_as_often_as_it_says(pd_: float, rows: int) -> None:
    assert jeffreys_size(pd_, rows, 0.0) == pytest.approx(NOMINAL, abs=0.02)


def test_with_correlated_defaults_it_errs_far_more_often_and_more_rows_do_not_help() -> None:
    few, many = (jeffreys_size(0.02, rows, 0.12) for rows in (1000, 10_000))
    assert 0.15 < few < many < 0.5


def test_the_size_is_what_drawing_the_factor_gives() -> None:
    rng = np.random.default_rng(3)
    factor = rng.normal(size=20_000)
    given = norm.cdf((norm.ppf(0.02) - np.sqrt(0.04) * factor) / np.sqrt(0.96))
    defaults, times = np.unique(rng.binomial(1000, given), return_counts=True)
    rejected = np.array([jeffreys_p(0.02, int(count), 1000) < NOMINAL for count in defaults])
    share = float(times[rejected].sum() / times.sum())
    assert jeffreys_size(0.02, 1000, 0.04) == pytest.approx(share, abs=4 * np.sqrt(0.25 * 0.75 / 20_000))


def test_the_auc_of_known_pds_is_that_of_outcomes_drawn_many_times() -> None:
    rng = np.random.default_rng(4)
    pds = expit(rng.normal(-1, 1, 300))
    score = np.round(pds + rng.normal(0, 0.2, 300), 1)  # with ties
    drawn = [roc_auc_score(rng.random(300) < pds, score) for _ in range(400)]
    assert expected_auc(score, pds) == pytest.approx(np.mean(drawn), abs=0.006)


def test_ninety_five_percent_intervals_hold_the_truth_about_so_often() -> None:
    rng = np.random.default_rng(5)
    pds = expit(rng.normal(-2.5, 1.2, 6000))
    covered = coverage(pds, expit(rng.normal(0, 1, 6000) + np.log(pds)), 300, 6, range)
    assert all(0.95 - 4 * np.sqrt(0.95 * 0.05 / 300) < share < 0.995 for share in covered.values()), covered
