"""The search for alternatives: a portfolio with a known proxy, what must be shown, and the clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy.special import expit

from configs.settings import ColumnSpec, Grade, load_settings
from configs.settings import Fairness as Bounds
from features.catalogue import column_features, compile_program
from training.alternatives import CHOSEN, Alternatives, Candidate, candidates_of, search
from training.dataset import Dataset
from training.tune import Tuned

PARAMS = {"num_leaves": 6, "learning_rate": 0.1}
GRADES = (
    Grade(name="A", pd_below=0.3, decision="approve", terms_days=0, limit_cap=1.0, capacity_multiple=1.0),
    Grade(name="B", decision="decline", terms_days=0, limit_cap=0.0, capacity_multiple=0.0),
)


def portfolio(rows: int, seed: int) -> tuple[Dataset, np.ndarray]:
    """`debt` raises risk much, the group a little; `postcode` tells the group."""
    rng = np.random.default_rng(seed)
    group = rng.random(rows) < 0.35
    debt, postcode = rng.normal(size=rows), group + rng.normal(0, 0.4, rows)
    specs = [ColumnSpec(name="debt", risk="rises"), ColumnSpec(name="postcode")]
    bad = rng.random(rows) < expit(-1.0 + 1.6 * debt + 0.35 * group)
    data = Dataset(
        program=compile_program(tuple(column_features(specs, {}))),
        matrix=np.column_stack([debt, postcode]),
        defaulted=bad.astype(np.int8),
        customer_id=np.array([f"{seed}-{row}" for row in range(rows)], object),
        as_of=np.zeros(rows, np.int32),
        immature=0,
    )
    return data, np.where(group, "b", "a").astype(object)


@pytest.fixture(scope="module")
def bounds(tmp_path_factory: pytest.TempPathFactory) -> Bounds:
    shipped = load_settings(tmp_path_factory.mktemp("home")).fairness
    return shipped.model_copy(update={"bootstrap_draws": 400, "maximum_auc_drop": 0.02})


CANDIDATES = (
    Candidate("chosen without postcode", PARAMS, 40, ("postcode",)),
    Candidate("trial 3", {**PARAMS, "num_leaves": 2}, 1),
    Candidate("trial 5", PARAMS, 40),
)


def searched(
    bounds: Bounds,
    clock: Callable[[], float] = lambda: 0.0,
    told: list[tuple[int, int]] | None = None,
    grades: tuple[Grade, ...] = GRADES,
) -> Alternatives:
    train, _ = portfolio(4000, 1)
    held_back, labels = portfolio(4000, 2)
    chosen = Candidate(CHOSEN, PARAMS, 40)
    heard = (told if told is not None else []).append
    return search(
        train, held_back, chosen, CANDIDATES, {"sex": labels}, grades, bounds, 1, 1, lambda *seen: heard(seen), clock
    )


@pytest.fixture(scope="module")
def found(bounds: Bounds) -> Alternatives:
    return searched(bounds)


def test_the_model_without_the_proxy_must_be_shown(found: Alternatives) -> None:
    chosen, without, *_ = found.attributes[0].models
    assert (found.attributes[0].group, found.attributes[0].against) == ("b", "a")
    assert without.impact_ratio > chosen.impact_ratio
    assert found.must_be_shown() == ("chosen without postcode",)


def test_the_chosen_model_comes_first_and_differs_from_itself_by_nothing(found: Alternatives) -> None:
    chosen = found.attributes[0].models[0]
    assert (chosen.name, chosen.auc_difference.low, chosen.impact_difference.high) == (CHOSEN, 0.0, 0.0)


def test_the_same_model_refitted_is_the_chosen_one(found: Alternatives) -> None:
    chosen, _, _, same = found.attributes[0].models
    assert (same.auc, same.impact_ratio, same.must_be_shown) == (chosen.auc, chosen.impact_ratio, False)


def test_without_group_information_in_the_features_groups_are_approved_alike(found: Alternatives) -> None:
    assert found.attributes[0].models[1].impact_ratio == pytest.approx(1.0, abs=0.06)


def test_a_worse_alternative_is_not_forced_on_the_reviewer(bounds: Bounds) -> None:
    strict = bounds.model_copy(update={"maximum_auc_drop": 0.0})
    assert searched(strict).must_be_shown() == ()


def test_an_alternative_of_which_nobody_can_say_whether_it_is_nearer_must_be_shown(bounds: Bounds) -> None:
    nobody = (GRADES[0].model_copy(update={"pd_below": 1e-9}), GRADES[1])
    found = searched(bounds, grades=nobody)
    assert found.must_be_shown() == ("chosen without postcode", "trial 5")
    assert [row["must be shown"] for row in found.table()] == ["", "yes", "", "yes"]
    assert {row["nearer to 1 by"] for row in found.table()} == {"not known"}
    assert {row["impact ratio"] for row in found.table()} == {"not known"}


def test_the_search_is_told_on_the_way_and_the_same_twice(bounds: Bounds, found: Alternatives) -> None:
    told: list[tuple[int, int]] = []
    assert searched(bounds, told=told).to_json() == found.to_json()
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_after_its_time_no_refit_starts_and_what_was_left_is_named(bounds: Bounds) -> None:
    ticks: Iterator[float] = iter([0.0, 1.0, 601.0, 602.0])
    late = searched(bounds, clock=lambda: next(ticks))
    assert (late.tried, late.left_out) == (1, ("trial 3", "trial 5"))


def test_the_search_is_json_and_rows_of_words(found: Alternatives) -> None:
    values = found.to_json()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["must_be_shown"] == ["chosen without postcode"]
    assert [row["must be shown"] for row in found.table()] == ["", "yes", "", ""]


def test_candidates_are_the_best_complete_trials_and_the_chosen_without_each_proxy(bounds: Bounds) -> None:
    trials = (
        {"number": 0, "state": "complete", "log_loss": 0.41, "learning_rate": 0.1},
        {"number": 1, "state": "pruned", "log_loss": None, "learning_rate": 0.1},
        {"number": 2, "state": "complete", "log_loss": 0.40, "spread": 0.01, "learning_rate": 0.05, "rounds": 100},
        {"number": 3, "state": "complete", "log_loss": 0.43, "learning_rate": 0.02},
        {"number": 4, "state": "complete", "log_loss": 0.42, "learning_rate": 0.2, "rounds": 33},
    )
    tuned = Tuned({"learning_rate": 0.05}, 100, 0.40, trials)
    got = candidates_of(tuned, ["town"], bounds.model_copy(update={"candidates": 2}))
    assert [(one.name, one.rounds, one.without) for one in got] == [
        ("trial 0", 50, ()),
        ("trial 4", 33, ()),
        ("chosen without town", 100, ("town",)),
    ]
    assert got[1].params == {"learning_rate": 0.2}
