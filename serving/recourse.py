"""The cheapest change that brings a raw score down to a target, found exactly: branch and bound over the trees' cells.

A model of trees is constant between its thresholds, so along each lever only the goals at which one of its features
passes a threshold matter. A box holds, for a few levers, a range of such goals. The least raw score in a box is bounded
from below by the sum over the trees of the least leaf the box reaches; of a monotone model that sum is the score at the
far corner itself. Costs rise along each lever, so the near corner is the cheapest of a box: a box is dropped where its
bound misses the target or its near corner costs too much, is done with where its near corner hits, and else is halved.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from serving.trees import Trees

_ZERO = 1.0000000180025095e-35  # what LightGBM takes for zero
_OPEN = 256  # boxes that wait; halving three sides of at most 2^31 goals needs fewer


class Ladders(NamedTuple):
    """The goals of each lever for one row, easiest first, lever after lever: lever l has first[l] to first[l + 1].

    `goals` (goals,) and what each costs, rising within a lever (goals,). Lever l moves the features `moved` from
    first_moved[l] on, to goal x `scale` or better; `way` is 1 where better is higher, -1 where it is lower.
    """

    goals: np.ndarray
    costs: np.ndarray
    first: np.ndarray
    moved: np.ndarray
    scale: np.ndarray
    way: np.ndarray
    first_moved: np.ndarray


class _Forest(NamedTuple):
    """The trees as `Trees` has them, `asks` (trees, levers), the leaf that `row` reaches in each (trees,), and room:
    `low` and `high` (features,), which hold the row while no box is looked at, and nodes of a tree that wait.
    """

    splits: np.ndarray
    leaves: np.ndarray
    first: np.ndarray
    asks: np.ndarray
    now: np.ndarray
    row: np.ndarray
    low: np.ndarray
    high: np.ndarray
    waiting: np.ndarray


@dataclass(frozen=True, slots=True)
class Found:
    """Levers (positions, rising), the place of each one's goal on its ladder, and the cost of all together."""

    levers: tuple[int, ...]
    places: tuple[int, ...]
    cost: float


@dataclass(frozen=True, slots=True)
class Searched:
    """What was found, cheapest first, and whether the search was carried to its end."""

    found: tuple[Found, ...]
    exhaustive: bool


def search(
    trees: Trees,
    row: np.ndarray,
    ladders: Ladders,
    acts: Sequence[str],
    target: float,
    most: int,
    at_once: int,
    boxes: int,
) -> Searched:
    """Up to `most` changes of `row` (features,) whose raw score is at most `target`, the cheapest first.

    Each moves at most `at_once` levers, no two of one of `acts` (levers,). The first is the cheapest there is; each
    next one is the cheapest of another set of levers, and asks not for all that a change of fewer levers asks for.
    """
    forest = _forest(trees, row, ladders)
    if _least_of_all(forest, ladders) > target:
        return Searched((), exhaustive=True)
    kept: list[Found] = []
    levers = [lever for lever in range(len(ladders.way)) if ladders.first[lever + 1] > ladders.first[lever]]
    for size in range(1, at_once + 1):
        sets = [one for one in itertools.combinations(levers, size) if len({acts[lever] for lever in one}) == size]
        costs = np.array([*(one.cost for one in kept[:most]), *[np.inf] * most])[:most]
        level = np.array(sets, np.int64).reshape(-1, size)
        places, found, boxes = _cheapest_of(forest, ladders, level, _bars(kept, ladders), target, costs, boxes)
        hits = np.flatnonzero(np.isfinite(found)).tolist()
        kept += [Found(sets[hit], tuple(places[hit].tolist()), float(found[hit])) for hit in hits]
        kept.sort(key=lambda one: one.cost)
        if boxes < 0:
            return Searched(tuple(kept[:most]), exhaustive=False)
    return Searched(tuple(kept[:most]), exhaustive=True)


def _bars(kept: Sequence[Found], ladders: Ladders) -> np.ndarray:
    """For each change kept the places of its levers, from which on it does as well, else -1, (changes, levers)."""
    bars = np.full((len(kept), len(ladders.way)), -1, np.int64)
    for bar, one in zip(bars, kept, strict=True):
        bar[list(one.levers)] = one.places
    return bars


def _forest(trees: Trees, row: np.ndarray, ladders: Ladders) -> _Forest:
    count, splits = len(trees.first) - 1, np.diff(trees.first)
    features = np.zeros((count, trees.features), np.bool_)
    features[np.repeat(np.arange(count), splits), trees.splits["feature"]] = True
    asks = np.zeros((count, len(ladders.way)), np.bool_)
    for lever in range(len(ladders.way)):
        moved = ladders.moved[ladders.first_moved[lever] : ladders.first_moved[lever + 1]]
        asks[:, lever] = features[:, moved].any(1)
    waiting = np.empty(int(splits.max(initial=0)) + 1, np.int64)
    now = np.empty(count)
    forest = _Forest(trees.splits, trees.leaves, trees.first, asks, now, row, row.copy(), row.copy(), waiting)
    _settle(forest)
    return forest


@njit(cache=True, nogil=True)
def _settle(forest: _Forest) -> None:
    for tree in range(forest.now.shape[0]):
        forest.now[tree] = _least_of_tree(forest, tree)


@njit(cache=True, nogil=True)
def _least_of_tree(forest: _Forest, tree: int) -> float:
    """The least leaf that values between `low` and `high` reach; where they are equal, their own."""
    start, count = forest.first[tree], forest.first[tree + 1] - forest.first[tree]
    waiting = forest.waiting
    waiting[0], size, least = 0, 1, np.inf
    while size:
        size -= 1
        node = waiting[size]
        if node >= count:
            least = min(least, forest.leaves[start + tree + node - count])
            continue
        split = forest.splits[start + node]
        a, b = forest.low[split.feature], forest.high[split.feature]
        if a != a:
            left, right = split.nan_left == 1, split.nan_left == 0
        else:
            zero, only_zero = a <= _ZERO and b >= -_ZERO, a >= -_ZERO and b <= _ZERO
            left = (not only_zero and a <= split.threshold) or (zero and split.zero_left == 1)
            right = (not only_zero and b > split.threshold) or (zero and split.zero_left == 0)
        if left:
            waiting[size] = split.left
            size += 1
        if right:
            waiting[size] = split.right
            size += 1
    return least


@njit(cache=True, nogil=True)
def _least(forest: _Forest, ladders: Ladders, chosen: np.ndarray, near: np.ndarray, far: np.ndarray) -> float:
    """A bound below the raw scores of the box from `near` to `far`; of one point, its raw score as LightGBM sums it."""
    low, high, row = forest.low, forest.high, forest.row
    for k in range(chosen.shape[0]):
        lever = chosen[k]
        one, other = ladders.goals[ladders.first[lever] + near[k]], ladders.goals[ladders.first[lever] + far[k]]
        for m in range(ladders.first_moved[lever], ladders.first_moved[lever + 1]):
            feature, scale = ladders.moved[m], ladders.scale[m]
            value = row[feature]
            if value == value and ladders.way[lever] < 0:
                low[feature], high[feature] = min(value, other * scale), min(value, one * scale)
            elif value == value:
                low[feature], high[feature] = max(value, one * scale), max(value, other * scale)
    total = 0.0
    for tree in range(forest.now.shape[0]):
        asked = False
        for k in range(chosen.shape[0]):
            asked = asked or forest.asks[tree, chosen[k]]
        total += _least_of_tree(forest, tree) if asked else forest.now[tree]
    for k in range(chosen.shape[0]):
        for m in range(ladders.first_moved[chosen[k]], ladders.first_moved[chosen[k] + 1]):
            feature = ladders.moved[m]
            low[feature] = high[feature] = row[feature]
    return total


@njit(cache=True, nogil=True)
def _least_of_all(forest: _Forest, ladders: Ladders) -> float:
    """A bound below the raw scores of all changes there are."""
    for lever in range(ladders.way.shape[0]):
        if ladders.first[lever + 1] > ladders.first[lever]:
            goal = ladders.goals[ladders.first[lever + 1] - 1]
            for m in range(ladders.first_moved[lever], ladders.first_moved[lever + 1]):
                feature, value = ladders.moved[m], goal * ladders.scale[m]
                if ladders.way[lever] < 0:
                    forest.low[feature] = min(forest.low[feature], value)
                else:
                    forest.high[feature] = max(forest.high[feature], value)
    total = 0.0
    for tree in range(forest.now.shape[0]):
        total += _least_of_tree(forest, tree)
    for feature in range(forest.row.shape[0]):
        forest.low[feature] = forest.high[feature] = forest.row[feature]
    return total


@njit(cache=True, nogil=True)
def _cheapest_of(
    forest: _Forest,
    ladders: Ladders,
    sets: np.ndarray,
    bars: np.ndarray,
    target: float,
    costs: np.ndarray,
    boxes: int,
) -> tuple[np.ndarray, np.ndarray, int]:
    """`_cheapest` of each of `sets` (sets, levers), infinite where it reaches nothing below the dearest of `costs`.

    `costs` are the lowest so far, as many as are wanted, rising; they fall as cheaper changes are found.
    """
    places, found = np.zeros(sets.shape, np.int64), np.full(sets.shape[0], np.inf)
    for s in range(sets.shape[0]):
        ceiling = costs[-1]
        best, cost, boxes = _cheapest(forest, ladders, sets[s], bars, target, ceiling, boxes)
        if cost < ceiling:
            found[s], place = cost, costs.shape[0] - 1
            while place and costs[place - 1] > cost:
                costs[place] = costs[place - 1]
                place -= 1
            costs[place] = cost
            for k in range(sets.shape[1]):
                places[s, k] = best[k]
        if boxes < 0:
            break
    return places, found, boxes


@njit(cache=True, nogil=True)
def _needless(chosen: np.ndarray, places: np.ndarray, bars: np.ndarray) -> bool:
    """Whether a kept change of fewer levers, all among `chosen`, asks for no more than `places` do."""
    for bar in range(bars.shape[0]):
        asks, met = 0, 0
        for lever in range(bars.shape[1]):
            asks += bars[bar, lever] >= 0
        for k in range(chosen.shape[0]):
            met += 0 <= bars[bar, chosen[k]] <= places[k]
        if met == asks:
            return True
    return False


@njit(cache=True, nogil=True)
def _cheapest(
    forest: _Forest,
    ladders: Ladders,
    chosen: np.ndarray,
    bars: np.ndarray,
    target: float,
    ceiling: float,
    boxes: int,
) -> tuple[np.ndarray, float, int]:
    """Places of the goals of `chosen` that reach `target` at the least cost below `ceiling`, that cost, and how many
    of the `boxes` are left, below 0 if they ran out; the cost is `ceiling` where nothing reaches it.
    """
    size = chosen.shape[0]
    near, far = np.zeros((_OPEN, size), np.int64), np.zeros((_OPEN, size), np.int64)
    for k in range(size):
        far[0, k] = ladders.first[chosen[k] + 1] - ladders.first[chosen[k]] - 1
    a, b, best = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64)
    best_cost, waiting = ceiling, 1
    while waiting and boxes >= 0:
        waiting -= 1
        boxes -= 1
        cost, widest = 0.0, 0
        for k in range(size):
            a[k], b[k] = near[waiting, k], far[waiting, k]
            cost += ladders.costs[ladders.first[chosen[k]] + a[k]]
            widest = k if b[k] - a[k] > b[widest] - a[widest] else widest
        if cost >= best_cost or _needless(chosen, a, bars) or _least(forest, ladders, chosen, a, b) > target:
            continue
        if _least(forest, ladders, chosen, a, a) <= target:
            best_cost = cost
            for k in range(size):
                best[k] = a[k]
        elif a[widest] < b[widest]:  # a single goal whose bound hit the target hits it itself
            middle = (a[widest] + b[widest]) // 2
            for k in range(size):
                near[waiting + 1, k], far[waiting + 1, k] = a[k], b[k]
            near[waiting, widest] = middle + 1
            far[waiting + 1, widest] = middle
            waiting += 2
    return best, best_cost, boxes
