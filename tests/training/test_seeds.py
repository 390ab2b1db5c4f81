"""What another seed changes: nothing where trees draw nothing, by hand where numbers are few, and a light for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from pydantic import ValidationError

from configs.settings import SeedStability, Settings
from training import refits
from training.calibrate import Calibration, Chosen
from training.dataset import Dataset
from training.fit import fit
from training.model import Model
from training.scaling import Scale
from training.seeds import Scored, Spread, spread, stability, told
from training.tune import Tuned

BOUNDS = SeedStability(seeds=2, moved_amber=0.15, moved_red=0.30, agreement_amber=0.85, agreement_red=0.70)
SCALE = Scale(offset=500.0, factor=10.0, names=("A", "B", "C"), pd_below=(0.1, 0.2))
BAD = np.array([0, 0, 1, 1])


def said(pds: list[float], first: list[int]) -> Scored:
    """PDs of four rows, and which of two reasons is the first of each; -1 for none."""
    return Scored(np.array(pds), np.array([[1.0 if k == one else -1.0 for k in range(2)] for one in first]))


def test_by_hand_two_refits_of_four_rows() -> None:
    own = said([0.05, 0.15, 0.25, 0.30], [0, 1, 0, -1])
    others = [said([0.15, 0.15, 0.05, 0.30], [0, 1, 1, -1]), said([0.05, 0.15, 0.25, 0.30], [0, 0, 0, -1])]
    found = spread(own, others, BAD, SCALE)
    assert found.refits == 2
    assert found.grades_moved == 2 / 8  # the first row by one grade, the third by two
    assert found.grades_moved_far == 1 / 8
    assert found.first_reason_kept == 6 / 8
    # The first row's PDs are 0.05, 0.15, 0.05; the third's 0.25, 0.05, 0.25; the others do not move.
    assert found.pd_deviation == pytest.approx(math.sqrt((0.02 / 6 + 0.08 / 6) / 4))
    # AUC of the model 1, of the first refit 0.5: of the four pairs two are in order.
    assert found.auc_deviation == pytest.approx(np.std([1.0, 0.5, 1.0], ddof=1))


def test_without_refits_nothing_is_told() -> None:
    assert spread(said([0.1] * 4, [0] * 4), [], BAD, SCALE) is None
    section = stability(None, None, BOUNDS)
    assert (section["light"], section["seeds"]) == ("grey", None)
    assert told(section) == "Not measured: seed_stability.seeds is 0"


@pytest.mark.parametrize(
    ("moved", "kept", "light"),
    [(0.0, 1.0, "green"), (0.15, 0.85, "green"), (0.16, 1.0, "amber"), (0.0, 0.84, "amber"), (0.31, 1.0, "red"),
     (0.0, 0.69, "red")],
)  # fmt: skip
def test_the_light_is_that_of_the_worse_of_grades_and_reasons(moved: float, kept: float, light: str) -> None:
    found = Spread(2, moved, 0.0, 0.001, 1.5, 0.002, kept)
    assert stability(found, None, BOUNDS)["light"] == light


def test_other_customers_do_not_change_the_light() -> None:
    calm, wild = Spread(2, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0), Spread(2, 0.9, 0.5, 0.1, 30.0, 0.1, 0.1)
    assert stability(calm, wild, BOUNDS)["light"] == "green"


def test_a_red_that_is_reached_before_amber_is_refused() -> None:
    with pytest.raises(ValidationError, match="moved_red must not lie below moved_amber"):
        SeedStability(seeds=2, moved_amber=0.3, moved_red=0.2, agreement_amber=0.9, agreement_red=0.8)


@pytest.fixture(scope="module")
def data(numbers: Callable[..., Dataset]) -> Dataset:
    return numbers(600)


def model_of(data: Dataset, params: dict[str, Any]) -> Model:
    booster = fit(data.matrix, data.defaulted, data.program.features, params, 12, 20260101, 1)
    chosen = Chosen(Calibration(0.0, 1.0), (), None)
    return Model(booster, params, chosen, Tuned(params, 12, 0.5, ()), np.full(len(data), 0.1))


def texts(boosters: list[lgb.Booster]) -> list[str]:
    return [booster.model_to_string().split("feature_importances")[0] for booster in boosters]


def test_trees_that_draw_nothing_are_the_same_under_any_seed(
    data: Dataset, small_settings: Callable[..., Settings], tmp_path: Any
) -> None:
    training = small_settings(tmp_path).training
    whole = model_of(data, {"num_leaves": 4, "bagging_fraction": 1.0, "feature_fraction": 1.0})
    assert set(texts(refits.under_other_seeds(data, whole, training, 2))) == set(texts([whole.booster]))


def test_trees_that_draw_rows_differ_by_seed_and_more_by_customers(
    data: Dataset, small_settings: Callable[..., Settings], tmp_path: Any
) -> None:
    training = small_settings(tmp_path).training
    drawing = model_of(data, {"num_leaves": 4, "bagging_fraction": 0.7, "feature_fraction": 0.6})
    seeded = refits.under_other_seeds(data, drawing, training, 2)
    drawn = refits.on_other_customers(data, drawing, training, 2)
    assert len(set(texts([drawing.booster, *seeded, *drawn]))) == 5

    def away(others: list[lgb.Booster]) -> float:
        own = drawing.booster.predict(data.matrix, raw_score=True)
        return float(np.mean([np.square(one.predict(data.matrix, raw_score=True) - own).mean() for one in others]))

    assert 0 < away(seeded) < away(drawn)


def test_a_version_keeps_what_other_seeds_change_and_its_page_shows_it(trained: Any) -> None:
    bundle = trained.outcome.bundle
    found = bundle.training["seed_stability"]
    assert found["seeds"]["refits"] == found["bounds"]["seeds"]
    assert found["customers"]["refits"] == bundle.training["run"]["settings"]["explanation"]["refits"]
    assert 0 <= found["seeds"]["grades_moved_far"] <= found["seeds"]["grades_moved"] <= 1
    assert "Stability under other seeds" in trained.outcome.page.read_text(encoding="utf-8")
