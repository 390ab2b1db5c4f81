"""Moves of one feature, on a model whose answer is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from training.dataset import Dataset
from training.scaling import Scale
from training.sensitivity import Move, sensitivity

TWO_GRADES = Scale(600.0, 28.0, ("A", "B"), (0.35,))


def linear(values: np.ndarray) -> np.ndarray:
    """PD 0.1 x debt + 0.3; without debt 0.5."""
    return np.where(np.isnan(values[:, 0]), 0.5, 0.1 * values[:, 0] + 0.3)


@pytest.fixture
def moved(numbers: Callable[..., Dataset]) -> dict[str, Move]:
    values = np.zeros((4, 4))
    values[:, 0] = [-1, 1, -1, 1]
    features = numbers(10).program.features
    return {one.move: one for one in sensitivity(values, features, ("debt",), linear, TWO_GRADES)}


def test_a_step_is_one_standard_deviation(moved: dict[str, Move]) -> None:
    assert moved["+1 sd"].mean_change == pytest.approx(0.1)
    assert moved["-1 sd"].mean_change == pytest.approx(-0.1)


def test_the_percentiles_are_set_in_every_row(moved: dict[str, Move]) -> None:
    assert moved["to p1"].mean_pd == pytest.approx(0.2)
    assert moved["to p99"].mean_pd == pytest.approx(0.4)


def test_missing_says_what_the_model_says_without_it(moved: dict[str, Move]) -> None:
    assert moved["missing"].mean_pd == 0.5
    assert moved["missing"].largest_change == pytest.approx(0.3)


def test_rows_that_change_their_grade_are_counted(moved: dict[str, Move]) -> None:
    assert moved["to p1"].new_grade_share == 0.5  # PDs 0.2 and 0.4 around the bound 0.35
    assert moved["missing"].new_grade_share == 0.5


def test_a_category_only_goes_missing(numbers: Callable[..., Dataset]) -> None:
    data = numbers(50)
    found = sensitivity(data.matrix, data.program.features, ("town",), linear, TWO_GRADES)
    assert [(one.move, one.mean_change) for one in found] == [("missing", 0.0)]
