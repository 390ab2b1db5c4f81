"""The fit: the same bytes each time, and no prediction that moves against a declared direction."""

from __future__ import annotations

from collections.abc import Callable

import lightgbm as lgb
import numpy as np
import pytest

from training.dataset import Dataset
from training.fit import fit, fixed_parameters, raw_score

PARAMS = {"learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 10, "bagging_fraction": 0.8, "lambda_l2": 1.0}

TREES = 20


@pytest.fixture(scope="session")
def data(numbers: Callable[..., Dataset]) -> Dataset:
    return numbers(1200)


@pytest.fixture(scope="session")
def booster(data: Dataset) -> lgb.Booster:
    return fitted(data)


def fitted(data: Dataset, seed: int = 3, threads: int = 1, trees: int = TREES) -> lgb.Booster:
    return fit(data.matrix, data.defaulted, data.program.features, PARAMS, trees, seed, threads)


@pytest.mark.parametrize("threads", [1, 2, 0])
def test_the_same_input_gives_the_same_model_text_with_any_threads(data: Dataset, threads: int) -> None:
    # Few trees: where the machine is busy, threads wait for each other at every leaf.
    one, other = (fitted(data, threads=count, trees=6).model_to_string() for count in (1, threads))
    assert other == one


def test_another_seed_gives_another_model(data: Dataset, booster: lgb.Booster) -> None:
    assert fitted(data, seed=4).model_to_string() != booster.model_to_string()


def test_all_rounds_asked_for_are_there(booster: lgb.Booster) -> None:
    assert booster.num_trees() == TREES


def test_the_model_text_read_back_scores_bit_for_bit(data: Dataset, booster: lgb.Booster) -> None:
    again = lgb.Booster(model_str=booster.model_to_string())
    assert raw_score(again, data.matrix).tobytes() == raw_score(booster, data.matrix).tobytes()


def test_one_row_scores_as_it_does_among_many(data: Dataset, booster: lgb.Booster) -> None:
    many = raw_score(booster, data.matrix[:50])
    alone = [raw_score(booster, data.matrix[i : i + 1], threads=1)[0] for i in range(50)]
    assert many.tobytes() == np.array(alone).tobytes()


@pytest.mark.parametrize(("name", "sign"), [("debt", 1), ("income", -1)])
def test_a_declared_direction_holds_everywhere(data: Dataset, booster: lgb.Booster, name: str, sign: int) -> None:
    column = data.program.names.index(name)
    grid = np.linspace(-4, 4, 81)
    rows = np.repeat(data.matrix[:200], len(grid), axis=0)
    rows[:, column] = np.tile(grid, 200)
    steps = np.diff(raw_score(booster, rows).reshape(200, len(grid)), axis=1)
    assert (sign * steps >= 0).all()


@pytest.mark.parametrize("name", ["debt", "income"])
def test_a_declared_direction_is_used_not_only_kept(data: Dataset, booster: lgb.Booster, name: str) -> None:
    gain = dict(zip(booster.feature_name(), booster.feature_importance("gain"), strict=True))
    assert gain[name] > gain["noise"]


def test_the_direction_would_be_broken_without_its_constraint(data: Dataset) -> None:
    # The control of the test above: on these rows an unconstrained model does move against it.
    free = {**PARAMS, "monotone_constraints": [0, 0, 0, 0]}
    booster = fit(data.matrix, data.defaulted, data.program.features, free, TREES, 3, 1)
    rows = np.repeat(data.matrix[:200], 81, axis=0)
    rows[:, 0] = np.tile(np.linspace(-4, 4, 81), 200)
    assert (np.diff(raw_score(booster, rows).reshape(200, 81), axis=1) < 0).any()


def test_a_category_is_split_as_a_category(booster: lgb.Booster) -> None:
    trees = booster.trees_to_dataframe()
    assert set(trees.loc[trees["split_feature"] == "town", "decision_type"]) == {"=="}


def test_the_directions_are_those_of_the_features(data: Dataset) -> None:
    assert fixed_parameters(data.program.features, 1, 1)["monotone_constraints"] == [1, -1, 0, 0]


def test_zero_threads_takes_all_cores(data: Dataset) -> None:
    assert fixed_parameters(data.program.features, 1, 0)["num_threads"] >= 1
