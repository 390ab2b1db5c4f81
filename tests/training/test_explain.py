"""What is one reason, and what is noise: sentences that move together, and what refits on other customers differ in."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from configs.settings import Explanation
from features.declaration import Constant, Feature
from training.explain import grouped, reasons
from training.refits import contributions

SETTINGS = Explanation(pd_confidence=0.9, economy_spread=0.25, refits=2, noise_gate=1.0, together=0.7, rows=500)


def feature(name: str, reason: str, group: Any = "behavioral") -> Feature:
    return Feature(name, group, Constant(0), "", "", "unknown", reason, reason)


def booster(values: np.ndarray, bad: np.ndarray, rounds: int = 20) -> lgb.Booster:
    parameters = {"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1, "seed": 1}
    return lgb.train(parameters, lgb.Dataset(values, bad), rounds)


@pytest.fixture(scope="module")
def measured() -> tuple[dict[str, Any], np.ndarray]:
    """Signal in the first column, nothing in the second; two refits on other rows."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (3000, 2))
    bad = rng.random(3000) < 1 / (1 + np.exp(1 - 2 * values[:, 0]))
    models = [booster(values[rows], bad[rows]) for rows in (slice(0, 1000), slice(1000, 2000), slice(2000, 3000))]
    features = [feature("signal", "Signal"), feature("noise", "Noise")]
    own, *others = (contributions(model, values[:500], features, ["Signal", "Noise"]) for model in models)
    return reasons(own, others, features, SETTINGS), values


def test_the_noise_of_a_signal_is_small_against_it_and_that_of_noise_is_not(measured) -> None:
    found, _ = measured
    least = dict(zip((group[0] for group in found["groups"]), found["least"], strict=True))
    assert 0 < least["Noise"] < 1
    assert 0 < least["Signal"] < 0.7  # the spread of the signal's contributions is above 1


def test_without_refits_nothing_is_noise() -> None:
    values = np.random.default_rng(1).normal(0, 1, (300, 2))
    made = booster(values, values[:, 0] > 0)
    features = [feature("a", "A"), feature("b", "B")]
    assert reasons(contributions(made, values, features, ["A", "B"]), [], features, SETTINGS)["least"] == [0.0, 0.0]


def test_every_sentence_stands_in_one_group() -> None:
    contributions = np.random.default_rng(2).normal(0, 1, (200, 6))
    groups = grouped(contributions, ["a", "a", "b", "b", "column", "column"], 0.1)
    assert sorted(place for group in groups for place in group) == [0, 1, 2, 3, 4, 5]


def test_sentences_that_move_together_are_one_reason_within_a_family() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.normal(0, 1, (2, 500))
    close = one + rng.normal(0, 0.2, 500)
    contributions = np.column_stack([one, close, other, one, -one])
    assert grouped(contributions, ["a", "a", "a", "b", "a"], 0.7) == [[0, 1], [2], [3], [4]]


def test_every_two_of_a_group_correlate_so_a_chain_is_no_group() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(0, 1, (2, 5000))
    chain = np.column_stack([x, x + y, y])  # the ends do not correlate, each does with the middle by 0.71
    assert max(map(len, grouped(chain, ["a"] * 3, 0.65))) == 2


def test_flat_columns_and_sentences_that_never_move_stand_alone() -> None:
    x = np.random.default_rng(5).normal(0, 1, 300)
    still = np.zeros(300)
    assert grouped(np.column_stack([x, x, still, still]), ["column", "column", "a", "a"], 0.7) == [[0], [1], [2], [3]]
