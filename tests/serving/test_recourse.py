"""The search for the cheapest change against all changes there are: never worse, never wrong, never more than asked."""

from __future__ import annotations

import itertools

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.declaration import Constant, Feature
from features.levers import Lever
from serving import trees
from serving.advice import moved
from serving.adviser import Adviser, highest_raw_score, joined, make_rail, share_as_good
from serving.recourse import search
from training.calibrate import Calibration

FEATURES = 6


def feature(place: int, risk: str) -> Feature:
    return Feature(f"x{place}", "column", Constant(0), "", "number", risk, f"r{place}", f"r{place}", -2.0, 3.0)


@pytest.fixture(scope="module")
def small() -> list[tuple[lgb.Booster, Adviser, np.ndarray]]:
    """Models that are monotone and models that are not, with missing values and zeros, each with its adviser."""
    made = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        values = np.round(rng.normal(0, 1, (400, FEATURES)), 1)
        values[rng.random(values.shape) < 0.1] = np.nan
        values[rng.random(values.shape) < 0.2] = 0.0
        seen = np.nan_to_num(values)
        signal = seen[:, 0] - seen[:, 1] + seen[:, 2] * seen[:, 3] + 0.5 * seen[:, 4] + rng.normal(0, 0.5, 400)
        parameters = {"objective": "binary", "num_leaves": 6, "min_data_in_leaf": 20, "verbosity": -1, "num_threads": 1}
        parameters |= {"max_bin": 8, "zero_as_missing": seed == 3, "use_missing": seed != 2}
        if seed % 2:
            parameters["monotone_constraints"] = [1, -1, 1, 1, 1, -1]
        booster = lgb.train(parameters, lgb.Dataset(values, signal > 0.6), 12)
        features = [
            feature(place, risk) for place, risk in enumerate(["rises", "falls", "rises", "rises", "rises", "falls"])
        ]
        told = [("a", "do a", (("x0", 1.0), ("x2", 2.0))), ("b", "do b", (("x1", 1.0),)), ("c", "do c", (("x3", 1.0),)),
                ("d", "do d", (("x4", 0.5),)), ("e", "do b", (("x5", 1.0),))]  # fmt: skip
        read = trees.read(booster)
        rails = []
        for name, act, moves in told:
            places = tuple(int(one[1:]) for one, _ in moves)
            known = tuple(np.sort(values[~np.isnan(values[:, place]), place]) for place in places)
            lever = Lever(name, act, moves, "number", 0.1, "{goal}", "{goal}")
            rails.append(make_rail(lever, tuple(features), places, read, known, 0.01))
        made.append((booster, joined(read, tuple(rails), {}, ""), values))
    return made


def raw_score(booster: lgb.Booster, rows: np.ndarray) -> np.ndarray:
    return np.asarray(booster.predict(rows, raw_score=True, num_threads=1))


def everything(booster: lgb.Booster, adviser: Adviser, row: np.ndarray, target: float, at_once: int):
    """Each set of levers, no two of one act, with its cheapest change that hits the target; by all readable goals."""
    ladders = adviser.ladders(row)
    acts = [rail.lever.act for rail in adviser.rails]
    found = {}
    for size in range(1, at_once + 1):
        for levers in itertools.combinations(range(len(acts)), size):
            rungs = [range(ladders.first[lever], ladders.first[lever + 1]) for lever in levers]
            if len({acts[lever] for lever in levers}) < size or not all(map(len, rungs)):
                continue
            changes = list(itertools.product(*rungs))
            rails = [adviser.rails[lever] for lever in levers]
            rows = np.array([moved(row, rails, [ladders.goals[at] for at in change]) for change in changes])
            costs = np.array([sum(ladders.costs[at] for at in change) for change in changes])
            hit = raw_score(booster, rows) <= target
            if hit.any():
                found[levers] = costs[hit].min()
    return found


@settings(max_examples=60, deadline=None)
@given(model=st.integers(0, 3), at=st.integers(0, 399), quantile=st.floats(0.02, 0.7), at_once=st.integers(1, 3))
def test_no_change_is_cheaper_than_the_first_one_found(
    small, model: int, at: int, quantile: float, at_once: int
) -> None:
    booster, adviser, values = small[model]
    row, target = values[at], float(np.quantile(raw_score(booster, values), quantile))
    acts = [rail.lever.act for rail in adviser.rails]
    ladders = adviser.ladders(row)
    if raw_score(booster, row[None])[0] <= target:
        return
    searched = search(adviser.trees, row, ladders, acts, target, 3, at_once, 10**6)
    best = everything(booster, adviser, row, target, at_once)
    assert searched.exhaustive
    assert bool(searched.found) == bool(best)
    if best:
        assert searched.found[0].cost == pytest.approx(min(best.values()), abs=1e-12)
    for one in searched.found:
        rails = [adviser.rails[lever] for lever in one.levers]
        goals = [ladders.goals[ladders.first[at] + k] for at, k in zip(one.levers, one.places, strict=True)]
        changed = moved(row, rails, goals)
        assert raw_score(booster, changed[None])[0] <= target
        assert one.cost >= best[one.levers] - 1e-12
        free = {place for rail in rails for place in rail.features}
        assert all(np.array_equal(changed[p], row[p], equal_nan=True) for p in range(FEATURES) if p not in free)
    costs = [one.cost for one in searched.found]
    assert costs == sorted(costs)


@settings(max_examples=40, deadline=None)
@given(model=st.integers(0, 3), at=st.integers(0, 399), quantile=st.floats(0.02, 0.7))
def test_no_advice_asks_for_all_that_another_asks_for(small, model: int, at: int, quantile: float) -> None:
    booster, adviser, values = small[model]
    target = float(np.quantile(raw_score(booster, values), quantile))
    acts = [rail.lever.act for rail in adviser.rails]
    ladders = adviser.ladders(values[at])
    for one, other in itertools.permutations(
        search(adviser.trees, values[at], ladders, acts, target, 3, 3, 10**6).found, 2
    ):
        asked = dict(zip(one.levers, one.places, strict=True))
        assert not all(asked.get(lever, -1) >= k for lever, k in zip(other.levers, other.places, strict=True))


def test_a_search_whose_boxes_run_out_says_so(small) -> None:
    booster, adviser, values = small[0]
    acts = [rail.lever.act for rail in adviser.rails]
    scores = raw_score(booster, values)
    row = values[int(scores.argmax())]
    target = float(np.quantile(scores, 0.6))
    assert not search(adviser.trees, row, adviser.ladders(row), acts, target, 3, 3, 2).exhaustive


def test_costs_are_the_log_percentile_shift_worked_by_hand() -> None:
    """Of ten customers eight do as well as 9 or better (lower), four as well as 4: ln(8 / 4) = ln 2."""
    reference = np.array([1.0, 2, 3, 4, 6, 7, 8, 9, 10, 11])
    assert share_as_good(reference, np.array([9.0, 4.0, 0.5]), -1).tolist() == [0.8, 0.4, 0.0]
    assert share_as_good(reference, np.array([9.0, 4.0, 11.5]), 1).tolist() == [0.3, 0.7, 0.0]
    values = np.linspace(0, 10, 200)[:, None]
    parameters = {
        "objective": "binary",
        "verbosity": -1,
        "min_data_in_leaf": 5,
        "num_leaves": 2,
        "monotone_constraints": [1],
    }
    booster = lgb.train(parameters, lgb.Dataset(values, values[:, 0] > 4.05), 1)
    lever = Lever("a", "a", (("x0", 1.0),), "number", 1.0, "", "")
    rail = make_rail(lever, (feature(0, "rises"),), (0,), trees.read(booster), (reference,), 0.0)
    assert rail.goals.tolist() == []  # 4 lies beyond the declared range, which ends at 3
    wide = Feature("x0", "column", Constant(0), "", "number", "rises", "", "", 0.0, 20.0)
    rail = make_rail(lever, (wide,), (0,), trees.read(booster), (reference,), 0.0)
    assert rail.goals.tolist() == [4.0]
    ladders = joined(trees.read(booster), (rail,), {}, "").ladders(np.array([9.0]))
    assert ladders.costs.tolist() == [pytest.approx(np.log(2))]


def test_the_highest_raw_score_of_a_bound_is_the_last_below_it() -> None:
    calibration = Calibration(-0.3, 1.2)
    at = highest_raw_score(calibration, 0.05)
    below, above = calibration.default_probability(np.array([at, at + 1e-9]))
    assert below < 0.05 <= above


@settings(max_examples=30, deadline=None)
@given(model=st.integers(0, 3), at=st.integers(0, 399), rail=st.integers(0, 4), quantile=st.floats(0.02, 0.7))
def test_no_readable_number_in_between_is_nearer_and_does_as_well(small, model, at, rail, quantile) -> None:
    """All multiples of a lever's step in its range, not the goals that were thought to matter."""
    booster, adviser, values = small[model]
    row, target, one = values[at], float(np.quantile(raw_score(booster, values), quantile)), adviser.rails[rail]
    ladders = adviser.ladders(row)
    steps = np.round(np.arange(-40, 41) * one.lever.step, 9)
    reached = [g for g in steps if raw_score(booster, moved(row, [one], [g])[None])[0] <= target]
    low, high = max(-2.0 / one.scale), min(3.0 / one.scale)
    share = [share_as_good(ref, steps * s, one.way) for ref, s in zip(one.reference, one.scale, strict=True)]
    open_to = {float(g) for g, shares in zip(steps, np.array(share).T, strict=True) if (shares >= 0.01).all()}
    wanted = [g for g in reached if low <= g <= high and g in open_to]
    if raw_score(booster, row[None])[0] <= target or not wanted:
        return
    easiest = max(wanted) if one.way < 0 else min(wanted)
    found = search(adviser.trees, row, ladders, [str(k) for k in range(5)], target, 3, 1, 10**6).found
    goals = [ladders.goals[ladders.first[rail] + f.places[0]] for f in found if f.levers == (rail,)]
    if goals or len(found) < 3:
        assert goals == [easiest]
