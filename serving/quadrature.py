"""The sums that serving/shap.py defines, for all leaves and features of a tree in one pass down and one up.

One row lays the points of the rule side by side, more rows lie side by side themselves. Either way the same numbers
meet in the same order, so a row has the same bits alone and among many.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from serving.lanes import goes_left, lanes_of, like, load, store
from serving.walk import ZERO

POINTS = 8  # lanes of a row alone
_ROWS = 16  # lanes of rows together, all at one point
_FEW = 6  # so many rows cost less together, in lanes that are not all used, than each alone


# Inlined, both: to hand a dozen arrays over costs more than what a tree of 15 leaves needs at one point.
@njit(inline="always")
def _follow(
    one: Any,
    width: int,
    splits: np.ndarray,
    start: int,
    count: int,
    categories: np.ndarray,
    facts: np.ndarray,
    passes: np.ndarray,
) -> None:
    """Fill in `passes` for the tree of `count` splits from `start` on: 1 for each node whose parent's feature let the
    row pass all the way, else 0. `one` are lanes of 1, `facts` those of each feature, with room for one more behind.
    """
    room = facts.shape[0] // width - 1
    for n in range(count):
        split = splits[start + n]
        goes = goes_left(
            load(one, facts, split.feature),
            like(one, split.threshold),
            like(one, float(split.zero_left)),
            like(one, float(split.nan_left)),
        )
        if split.categorical:
            for lane in range(width):
                goes_here = 0.0
                value = facts[split.feature * width + lane]
                if -1.0 < value < 32.0 * split.words:  # NaN and negative numbers go right
                    category = int(value)
                    word = categories[split.first_word + (category >> 5)]
                    goes_here = float(word >> (category & 31) & 1)
                facts[room * width + lane] = goes_here
            goes = load(one, facts, room)
        earlier = load(one, passes, split.earlier)
        store(passes, split.left, earlier * goes)
        store(passes, split.right, earlier * (one - goes))


@njit(inline="always")
def _integrate(
    t: Any,
    weight: Any,
    splits: np.ndarray,
    start: int,
    count: int,
    passes: np.ndarray,
    inverse: np.ndarray,
    above: np.ndarray,
    below: np.ndarray,
    total: np.ndarray,
    first_total: int,
) -> None:
    """Add what one tree contributes at the points `t` to the lanes of `total` from `first_total` on, one a feature.

    A split's factor is z + (o - z) t. Filled in: `inverse`, 1 / the factor of the earlier split on the same feature;
    `above`, the product of the factors down to a split but for its own feature; `below`, the sum over the leaves below
    a node of value x factors on the way.
    """
    one = like(t, 1.0)
    rest = one - t
    store(above, 0, weight)
    for n in range(count):
        split = splits[start + n]
        product = load(t, above, split.parent) * (like(t, split.cover) * rest + load(t, passes, n) * t)
        if split.earlier:
            back = one / (like(t, split.earlier_cover) * rest + load(t, passes, split.earlier) * t)
            store(inverse, n, back)
            product = product * back
        store(above, n, product)
    for n in range(count - 1, -1, -1):
        split = splits[start + n]
        left, right = load(t, below, split.left), load(t, below, split.right)
        closed = like(t, split.left_cover) * left + like(t, split.right_cover) * right
        gain = load(t, passes, split.left) * left + load(t, passes, split.right) * right - closed
        both = closed + gain * t
        if split.earlier:
            both = both * load(t, inverse, n)
            gain = gain - (load(t, passes, split.earlier) - like(t, split.earlier_cover)) * both
        store(below, n, both)
        place = first_total + split.feature
        store(total, place, load(t, total, place) + load(t, above, n) * gain)


@njit(cache=True, nogil=True)
def _room(first: np.ndarray, width: int) -> np.ndarray:
    """Lanes for each node of the largest tree."""
    most = 0
    for tree in range(first.shape[0] - 1):
        most = max(most, first[tree + 1] - first[tree])
    return np.ones((2 * most + 1) * width)


@njit(cache=True, nogil=True)
def _alone(
    splits: np.ndarray,
    first: np.ndarray,
    leaves: np.ndarray,
    categories: np.ndarray,
    points: np.ndarray,
    nodes: np.ndarray,
    weights: np.ndarray,
    row: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the contributions of one `row` (features,) into `out`: points lie side by side."""
    features = row.shape[0]
    one = lanes_of(POINTS, 1.0)
    passes = _room(first, POINTS)
    inverse, above, below = np.ones_like(passes), np.ones_like(passes), np.ones_like(passes)
    facts, total = np.empty((features + 1) * POINTS), np.zeros(features * POINTS)
    for feature in range(features):
        store(facts, feature, like(one, 0.0 if abs(row[feature]) <= ZERO else row[feature]))
    for tree in range(first.shape[0] - 1):
        start, count = first[tree], first[tree + 1] - first[tree]
        _follow(one, POINTS, splits, start, count, categories, facts, passes)
        for leaf in range(count + 1):
            store(below, count + leaf, like(one, leaves[start + tree + leaf]))
        rule = points[tree]
        for step in range((rule + POINTS - 1) // POINTS):
            t, weight = load(one, nodes[rule], step), load(one, weights[rule], step)
            _integrate(t, weight, splits, start, count, passes, inverse, above, below, total, 0)
    for feature in range(features):
        found = 0.0
        for point in range(POINTS):
            found += total[feature * POINTS + point]
        out[feature] = found


@njit(cache=True, nogil=True)
def _together(
    splits: np.ndarray,
    first: np.ndarray,
    leaves: np.ndarray,
    categories: np.ndarray,
    points: np.ndarray,
    nodes: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the contributions of up to _ROWS `rows` (rows, features) into `out`: rows lie side by side.

    The same numbers meet in the same order as of a row alone, so a row has the same bits.
    """
    features = rows.shape[1]
    one = lanes_of(_ROWS, 1.0)
    passes = _room(first, _ROWS)
    inverse, above, below = np.ones_like(passes), np.ones_like(passes), np.ones_like(passes)
    facts, total = np.zeros((features + 1) * _ROWS), np.zeros(POINTS * features * _ROWS)
    for lane in range(rows.shape[0]):
        for feature in range(features):
            value = rows[lane, feature]
            facts[feature * _ROWS + lane] = 0.0 if abs(value) <= ZERO else value
    for tree in range(first.shape[0] - 1):
        start, count = first[tree], first[tree + 1] - first[tree]
        _follow(one, _ROWS, splits, start, count, categories, facts, passes)
        for leaf in range(count + 1):
            store(below, count + leaf, like(one, leaves[start + tree + leaf]))
        rule = points[tree]
        for step in range(rule):
            t, weight = like(one, nodes[rule, step]), like(one, weights[rule, step])
            slot = (step % POINTS) * features
            _integrate(t, weight, splits, start, count, passes, inverse, above, below, total, slot)
    for lane in range(rows.shape[0]):
        for feature in range(features):
            found = 0.0
            for point in range(POINTS):
                found += total[(point * features + feature) * _ROWS + lane]
            out[lane, feature] = found


@njit(cache=True, nogil=True)
def contributions(
    splits: np.ndarray,
    first: np.ndarray,
    leaves: np.ndarray,
    categories: np.ndarray,
    points: np.ndarray,
    nodes: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the contributions of `values` (rows, features) into `out` (rows, at least as many columns).

    `splits`, `first`, `leaves` and `categories` are those of trees.Trees; a tree's rule is so many `points`, and
    `nodes[points]` and `weights[points]` are its places and shares, padded with points that weigh nothing.
    """
    row = 0
    while row < values.shape[0]:
        after = min(row + _ROWS, values.shape[0])
        if after - row < _FEW:
            after = row + 1
            _alone(splits, first, leaves, categories, points, nodes, weights, values[row], out[row])
        else:
            _together(splits, first, leaves, categories, points, nodes, weights, values[row:after], out[row:after])
        row = after
