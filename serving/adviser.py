"""What a model version's customers could change, and how hard each change is: made once, when the version is loaded.

The cost of a change is the log-percentile shift of Ustun, Spangher and Liu (2019, Actionable Recourse in Linear
Classification, FAT*): ln of the share of the reference that does as well as the customer now, over the share that does
as well as the goal. To join the better half of those who do as well costs ln 2, whatever the unit, and each further
step costs more the fewer have taken it. A lever that moves several features costs what the hardest of them costs;
levers add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit

from configs.settings import Product
from features.declaration import Feature
from features.levers import Lever, digest, levers_of
from serving.recourse import Ladders, search
from serving.trees import Trees
from training.bundle import Bundle
from training.calibrate import Calibration

_MARGIN = 1e-12  # of a raw score: the last bits of the calibration do not decide


@dataclass(frozen=True, slots=True)
class Rail:
    """A lever on one model: the goals at which something changes, easiest first, and who has reached them.

    `features` (positions) move to goal x `scale`; `attained` (features, goals) is the share of the reference that does
    as well as each goal, `reference` those values, sorted.
    """

    lever: Lever
    way: int
    features: tuple[int, ...]
    scale: np.ndarray
    goals: np.ndarray
    attained: np.ndarray
    reference: tuple[np.ndarray, ...]


@dataclass(frozen=True, slots=True)
class Adviser:
    """The rails of a model, all their goals as one ladder (the costs to come), the reference and the shares that
    attained a goal, one moved feature behind the other, the raw score that each PD bound of the policy stands for,
    and what is declared.
    """

    trees: Trees
    rails: tuple[Rail, ...]
    rungs: Ladders
    attained: np.ndarray
    reference: np.ndarray
    first_reference: np.ndarray
    targets: dict[float, float]
    digest: str

    def ladders(self, row: np.ndarray) -> Ladders:
        """The goals open to the customer of `row` (features,), each with its cost."""
        costs = _costs(row, self.rungs, self.attained, self.reference, self.first_reference)
        open_to = np.isfinite(costs)
        first = np.concatenate([[0], np.cumsum(open_to)])[self.rungs.first]
        return self.rungs._replace(goals=self.rungs.goals[open_to], costs=costs[open_to], first=first)


@njit(cache=True, nogil=True)
def _costs(
    row: np.ndarray, rungs: Ladders, attained: np.ndarray, reference: np.ndarray, first_reference: np.ndarray
) -> np.ndarray:
    """What each goal costs the customer of `row`, (goals,); infinite where it asks nothing. Rises along a lever."""
    costs, shares = np.full(rungs.goals.shape[0], -np.inf), 0
    for lever in range(rungs.way.shape[0]):
        start, end, way = rungs.first[lever], rungs.first[lever + 1], rungs.way[lever]
        for m in range(rungs.first_moved[lever], rungs.first_moved[lever + 1]):
            value, first, last = row[rungs.moved[m]], first_reference[m], first_reference[m + 1]
            low, high = first, last
            while low < high:  # those before `low` lie below the value; on the way down, at it too
                middle = (low + high) // 2
                if reference[middle] < value or (way < 0 and reference[middle] == value):
                    low = middle + 1
                else:
                    high = middle
            now = (low - first if way < 0 else last - low) / (last - first)
            for goal in range(start, end):
                if way * (rungs.goals[goal] * rungs.scale[m] - value) > 0:  # never, where the value is missing
                    costs[goal] = max(costs[goal], np.log(now) - np.log(attained[shares + goal - start]))
            shares += end - start
        for goal in range(start, end):
            costs[goal] = costs[goal] if costs[goal] >= 0 else np.inf
            if goal > start and costs[goal - 1] < np.inf:
                costs[goal] = max(costs[goal], costs[goal - 1])
    return costs


def share_as_good(reference: np.ndarray, values: np.ndarray, way: int) -> np.ndarray:
    """The share of the sorted `reference` that lies at each of `values` or further the `way`, (values,)."""
    if not len(reference):
        return np.zeros(len(values))
    below = np.searchsorted(reference, values, side="right" if way < 0 else "left")
    return (below if way < 0 else len(reference) - below) / len(reference)


def make_adviser(bundle: Bundle, product: Product, trees: Trees, reference: pd.DataFrame) -> Adviser:
    """The adviser of a model version under a product's policy; `reference` are the rows of its bundle."""
    features, settings = bundle.program.features, product.policy.advice
    levers = levers_of(features, product.columns, (*settings.never, *product.denied()))
    rails = []
    for lever in levers:
        places = tuple(bundle.program.names.index(name) for name, _ in lever.features)
        values = [np.sort(reference[name].dropna().to_numpy(float)) for name, _ in lever.features]
        rails.append(make_rail(lever, features, places, trees, tuple(values), settings.attained_by))
    bounds = {grade.pd_below for grade in product.grades if grade.pd_below is not None}
    if product.policy.referral_band is not None:
        bounds.add(product.policy.referral_band.low)
    targets = {bound: highest_raw_score(bundle.calibration, bound) for bound in bounds}
    return joined(trees, tuple(rail for rail in rails if len(rail.goals)), targets, digest(levers))


def joined(trees: Trees, rails: tuple[Rail, ...], targets: dict[float, float], declared: str) -> Adviser:
    """The adviser of `rails`; this also compiles the search for the first."""
    goals = [rail.goals for rail in rails]
    moved = [rail.features for rail in rails]
    rungs = Ladders(
        goals=np.concatenate([np.empty(0), *goals]),
        costs=np.zeros(sum(map(len, goals))),
        first=np.cumsum([0, *map(len, goals)]),
        moved=np.array([feature for one in moved for feature in one], np.int64),
        scale=np.concatenate([np.empty(0), *(rail.scale for rail in rails)]),
        way=np.array([rail.way for rail in rails], np.int64),
        first_moved=np.cumsum([0, *map(len, moved)]),
    )
    values = [one for rail in rails for one in rail.reference]
    made = Adviser(
        trees,
        rails,
        rungs,
        np.concatenate([np.empty(0), *(rail.attained.ravel() for rail in rails)]),
        np.concatenate([np.empty(0), *values]),
        np.cumsum([0, *map(len, values)]),
        targets,
        declared,
    )
    nobody = np.zeros(trees.features)
    search(trees, nobody, made.ladders(nobody), [rail.lever.act for rail in rails], np.inf, 1, 1, 1)
    return made


def make_rail(
    lever: Lever,
    features: tuple[Feature, ...],
    places: tuple[int, ...],
    trees: Trees,
    reference: tuple[np.ndarray, ...],
    attained_by: float,
) -> Rail:
    """A lever's goals are readable numbers: the first step that passes a threshold of one of its features.

    Goals lie in the declared range of every feature moved, and at least the share `attained_by` of the reference
    does as well as each goal in each of them.
    """
    way, scale = -features[places[0]].direction, np.array([one for _, one in lever.features])
    low = max([lever.least, *(features[at].low / one for at, one in zip(places, scale, strict=True))])
    high = min([lever.most, *(features[at].high / one for at, one in zip(places, scale, strict=True))])
    found = set()
    for place, one in zip(places, scale, strict=True):
        asked = trees.splits[(trees.splits["feature"] == place) & (trees.splits["categorical"] == 0)]
        found |= {_passing(float(threshold), lever.step, float(one), way) for threshold in asked["threshold"]}
    goals = np.array(sorted((goal for goal in found if low <= goal <= high), reverse=way < 0), float)
    pairs = zip(reference, scale, strict=True)
    attained = np.array([share_as_good(values, goals * one, way) for values, one in pairs])
    reached = ((attained > 0) & (attained >= attained_by)).all(0)
    return Rail(lever, way, places, scale, goals[reached], attained[:, reached], reference)


def _passing(threshold: float, step: float, scale: float, way: int) -> float:
    """The first multiple of `step` that lies, times `scale`, beyond a threshold on the way; left is at or below it."""
    steps = np.floor(threshold / scale / step) + (way > 0)
    while way < 0 and _multiple(steps, step) * scale > threshold:
        steps -= 1
    while way > 0 and _multiple(steps, step) * scale <= threshold:
        steps += 1
    return _multiple(steps, step)


def _multiple(steps: float, step: float) -> float:
    return round(float(steps) * step, 9) + 0.0


def highest_raw_score(calibration: Calibration, bound: float) -> float:
    """The highest raw score whose PD lies below `bound`; PDs rise with the raw score."""

    def below(raw_score: float) -> bool:
        return bool(calibration.default_probability(np.array([raw_score]))[0] < bound)

    return _last(below, -60.0, 60.0) - _MARGIN


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The highest number between `low`, where it holds, and `high`, where it does not, at which it holds."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
