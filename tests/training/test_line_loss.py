"""The log-loss of the best line: that of an independent fit, from wherever the last call ended."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr, expit
from sklearn.metrics import log_loss

from training.calibrate import logistic_line
from training.line_loss import LineLoss


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.normal(size=rows) * 3 - 2
    return score, (rng.random(rows) < expit(0.6 * score + 0.5)).astype(np.int8)


@given(seed=st.integers(0, 10**6), rows=st.integers(80, 400), moved=st.floats(-30, 30), spread=st.floats(0.01, 30))
@settings(max_examples=50, deadline=None)
def test_the_loss_is_that_of_the_line_scikit_learn_fits(seed: int, rows: int, moved: float, spread: float) -> None:
    score, bad = drawn(rows, seed)
    intercept, slope = logistic_line(score, bad)
    measure = LineLoss(bad)
    assert measure(score) == pytest.approx(log_loss(bad, expit(intercept + slope * score)), abs=1e-6)
    # Neither the unit nor the origin of the scores counts, nor what was asked before.
    assert measure(moved + spread * score) == pytest.approx(measure(score), abs=1e-6)
    assert log_loss(bad, expit(measure.log_odds)) == pytest.approx(measure(score), abs=1e-6)


def test_scores_that_grow_overconfident_lose_nothing_while_they_rank_alike() -> None:
    score, bad = drawn(500, 1)
    measure = LineLoss(bad)
    assert measure(9 * score) == pytest.approx(measure(score), abs=1e-6)
    assert log_loss(bad, expit(9 * score)) > measure(score) + 0.5


@pytest.mark.parametrize("score", [np.zeros(500), -drawn(500, 2)[0]])
def test_scores_that_tell_nothing_or_the_opposite_are_worth_the_default_rate(score: np.ndarray) -> None:
    bad = drawn(500, 2)[1]
    share = bad.mean()
    assert LineLoss(bad)(score) == pytest.approx(entr(share) + entr(1 - share), abs=1e-9)


def test_scores_that_part_goods_and_bads_without_error_are_no_breakdown() -> None:
    score = np.linspace(-1, 1, 101)
    assert LineLoss((score > 0).astype(np.int8))(score) < 1e-4
