"""The folds of the tuner: dealt evenly by kin, judged alike with any number of threads, stable over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import closing

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import log_loss

from configs.settings import Settings, Training
from training import fit
from training.calibrate import platt
from training.dataset import Dataset
from training.folds import (
    QUICK,
    Folds,
    Judged,
    Rows,
    fold_of,
    most_rounds,
    periods,
    rounds_of_all,
    slowed,
    spread_over_time,
)

PARAMS = {"num_leaves": 6, "learning_rate": 0.1, "feature_fraction": 0.7, "bagging_fraction": 0.7}


@pytest.fixture(scope="session")
def data(numbers: Callable[..., Dataset]) -> Dataset:
    return numbers(800)


@pytest.fixture(scope="session")
def quick(small_settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Training:
    return small_settings(tmp_path_factory.mktemp("folds"), folds=4, max_rounds=30, threads=1).training


def judged(data: Dataset, training: Training) -> list[Judged]:
    return list(Folds(Rows.of(data), training).judge(PARAMS))


@given(
    seed=st.integers(0, 10**6),
    kin=st.lists(st.integers(0, 40), min_size=60, max_size=300),
    folds=st.integers(2, 8),
)
@settings(max_examples=60, deadline=None)
def test_kin_stay_together_and_folds_are_dealt_evenly(seed: int, kin: list[int], folds: int) -> None:
    names = np.array([f"k{number}" for number in kin], object)
    rng = np.random.default_rng(seed)
    bad = (rng.random(len(kin)) < 0.3).astype(np.int8)
    fold = fold_of(names, bad, folds, seed)
    assert all(len(set(fold[names == name])) == 1 for name in set(names))
    largest = max(int(bad[names == name].sum()) for name in set(names))
    bads = np.bincount(fold, bad, minlength=folds)
    assert np.ptp(bads) <= 2 * largest
    order = rng.permutation(len(kin))
    assert (fold_of(names[order], bad[order], folds, seed) == fold[order]).all()


def test_folds_of_single_customers_are_stratified_to_the_row() -> None:
    names = np.array([f"c{i}" for i in range(1000)], object)
    bad = (np.arange(1000) < 205).astype(np.int8)
    fold = fold_of(names, bad, 5, 1)
    assert np.bincount(fold).tolist() == [200] * 5
    assert np.bincount(fold, bad).tolist() == [41.0] * 5


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_any_number_of_threads_judges_alike(data: Dataset, quick: Training, threads: int) -> None:
    one, many = (judged(data, quick.model_copy(update={"threads": count})) for count in (1, threads))
    for a, b in zip(one, many, strict=True):
        assert (pytest.approx(a.log_loss, abs=1e-14), a.rounds) == (b.log_loss, b.rounds)
        np.testing.assert_allclose(a.log_odds, b.log_odds, rtol=0, atol=1e-12)


def test_a_fold_judges_what_trees_of_the_others_say(data: Dataset, quick: Training) -> None:
    folds = Folds(Rows.of(data), quick)
    rows = folds.judged_rows[0]
    first = next(iter(judged(data, quick)))
    learn = np.setdiff1d(np.arange(len(data)), rows)
    booster = fit.fit(
        data.matrix[learn], data.defaulted[learn], data.program.features, PARAMS, first.rounds, quick.seed, 1
    )
    line = platt(fit.raw_score(booster, data.matrix[rows]), data.defaulted[rows])
    expected = log_loss(data.defaulted[rows], line.default_probability(fit.raw_score(booster, data.matrix[rows])))
    assert first.log_loss == pytest.approx(expected, abs=1e-7)
    assert log_loss(data.defaulted[rows], expit(first.log_odds)) == pytest.approx(expected, abs=1e-7)


def test_folds_that_nobody_waits_for_are_left(data: Dataset, quick: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    train = lgb.train
    monkeypatch.setattr(lgb, "train", lambda *a, **k: (begun.append(1), train(*a, **k))[1])
    with closing(Folds(Rows.of(data), quick).judge(PARAMS)) as folds:
        next(folds)
    assert len(begun) == 1


def test_what_breaks_in_a_fold_is_told(data: Dataset, quick: Training) -> None:
    two = quick.model_copy(update={"threads": 2})
    with pytest.raises(lgb.basic.LightGBMError):
        list(Folds(Rows.of(data), two).judge({**PARAMS, "num_leaves": -3}))


@pytest.mark.parametrize(("leaves", "rounds"), [(4, 1500), (10, 1500), (16, 1000), (40, 400), (20_000, 1)])
def test_trees_are_so_many_that_the_leaves_stay_within_the_bound(quick: Training, leaves: int, rounds: int) -> None:
    allowed = quick.model_copy(update={"maximum_leaves": 16_000, "max_rounds": 1500})
    assert most_rounds(allowed, leaves) == rounds


def test_no_fold_grows_more_trees_than_the_bound_allows(data: Dataset, quick: Training) -> None:
    small = quick.model_copy(update={"maximum_leaves": 100, "max_rounds": 500})
    assert max(fold.rounds for fold in judged(data, small)) <= 100 // PARAMS["num_leaves"]


def test_dates_are_joined_until_each_period_has_twenty_defaults() -> None:
    bads = [25, 5, 10, 8, 30, 3, 4]  # 25 | 5 + 10 + 8 | 30 + 3 + 4, for the last two are too few
    as_of = np.repeat(np.arange(7) * 31, 50)
    bad = np.concatenate([np.arange(50) < count for count in bads]).astype(np.int8)
    assert [int(periods(as_of, bad)[50 * i]) for i in range(7)] == [0, 1, 1, 1, 2, 2, 2]


def test_one_date_is_one_period() -> None:
    assert set(periods(np.zeros(90, np.int32), np.ones(90, np.int8))) == {0}


def test_the_spread_of_two_periods_is_that_of_a_hand_calculation() -> None:
    # Even odds everywhere: the log-loss is ln 2 = 0.693147. Entropies of the default rates 0.5 and 0.2: 0.693147 and
    # 0.500402; ratios 1 and 1.385180, standard deviation of two 0.192590; entropy of 0.35: 0.647447.
    bad = np.concatenate([np.arange(100) < 50, np.arange(100) < 20]).astype(np.int8)
    spread = spread_over_time(np.zeros(200), bad, np.repeat([0, 1], 100))
    assert spread == pytest.approx(0.192590 * 0.647447, abs=2e-6)


def test_a_model_as_good_in_each_period_has_no_spread() -> None:
    bad = np.tile(np.arange(100) < 30, 3).astype(np.int8)
    score = np.tile(np.random.default_rng(1).normal(size=100), 3)
    assert spread_over_time(score, bad, np.repeat([0, 1, 2], 100)) == pytest.approx(0, abs=1e-12)


def test_a_period_without_defaults_is_no_breakdown() -> None:
    assert spread_over_time(np.zeros(4), np.array([0, 0, 1, 0], np.int8), np.array([0, 0, 1, 1])) == 0


def test_time_counts_only_with_a_weight_and_with_dates(data: Dataset, quick: Training) -> None:
    timeless = dataclasses.replace(data, as_of=np.zeros(len(data), np.int32))
    for of, weight, counts in ((data, 0.1, True), (data, 0.0, False), (timeless, 0.1, False)):
        folds = Folds(Rows.of(of), quick.model_copy(update={"stability_weight": weight}))
        shown = list(folds.judge(PARAMS))
        assert (folds.spread(shown) > 0) == counts


def test_a_score_out_of_fold_is_that_of_trees_which_never_saw_the_row(data: Dataset, quick: Training) -> None:
    folds = Folds(Rows.of(data), quick)
    told = folds.out_of_fold(PARAMS, 12)
    for rows in folds.judged_rows:
        learn = np.setdiff1d(np.arange(len(data)), rows)
        booster = fit.fit(data.matrix[learn], data.defaulted[learn], data.program.features, PARAMS, 12, quick.seed, 1)
        np.testing.assert_allclose(told[rows], fit.raw_score(booster, data.matrix[rows]), atol=1e-12)


def test_scores_out_of_fold_are_the_same_with_any_number_of_threads(data: Dataset, quick: Training) -> None:
    one, many = (
        Folds(Rows.of(data), quick.model_copy(update={"threads": count})).out_of_fold(PARAMS, 12) for count in (1, 3)
    )
    assert one.tobytes() == many.tobytes()


@pytest.mark.parametrize(
    ("leaves", "rounds", "maximum_leaves", "rate", "slow"),
    [
        (10, 60, 16_000, 0.03, 200),  # 60 x 0.1 = 200 x 0.03
        (20, 60, 2_000, 0.1 * 60 * (4 / 3) ** 0.5 / 100, 87),  # 100 trees are allowed when all rows learn
        (20, 99, 2_000, 0.1, 99),  # no room to be slower
    ],
)
def test_a_model_learns_as_slowly_as_its_leaves_allow(
    quick: Training, leaves: int, rounds: int, maximum_leaves: int, rate: float, slow: int
) -> None:
    allowed = quick.model_copy(update={"max_rounds": 1500, "maximum_leaves": maximum_leaves})
    params, slower = slowed({"num_leaves": leaves, **QUICK}, rounds, allowed)
    assert (params["learning_rate"], slower) == (pytest.approx(rate), slow)
    assert rounds_of_all(slower, allowed, leaves) * leaves <= maximum_leaves
