"""A raw score by walking a model's trees ourselves: the bits LightGBM gives, without its cost of asking for one row."""

from __future__ import annotations

import numpy as np
from numba import njit

from serving.trees import Trees

ZERO = 1.0000000180025095e-35  # what LightGBM takes for zero: 1e-35 as a float, which is a little more


def raw_scores(trees: Trees, values: np.ndarray) -> np.ndarray:
    """The sum of the leaves, tree after tree as LightGBM adds them, of `values` (rows, features): (rows,)."""
    found = np.ascontiguousarray(values, np.float64)
    if found.ndim != 2 or found.shape[1] != trees.features:
        raise ValueError(f"expected (rows, {trees.features}) values, got shape {found.shape}")
    out = np.empty(len(found))
    _walk(trees.splits, trees.first, trees.leaves, trees.categories, found, out)
    return out


@njit(cache=True, nogil=True)
def _walk(
    splits: np.ndarray,
    first: np.ndarray,
    leaves: np.ndarray,
    categories: np.ndarray,
    values: np.ndarray,
    out: np.ndarray,
) -> None:
    for row in range(values.shape[0]):
        total = 0.0
        for tree in range(first.shape[0] - 1):
            start, count = first[tree], first[tree + 1] - first[tree]
            node = 0
            while node < count:
                split = splits[start + node]
                value = values[row, split.feature]
                if split.categorical:
                    left = False
                    if -1.0 < value < 32.0 * split.words:  # NaN and negative numbers go right
                        category = int(value)
                        word = categories[split.first_word + (category >> 5)]
                        left = (word >> (category & 31)) & 1 == 1
                elif np.isnan(value):
                    left = split.nan_left == 1
                elif abs(value) <= ZERO:
                    left = split.zero_left == 1
                else:
                    left = value <= split.threshold
                node = split.left if left else split.right
            total += leaves[start + tree + node - count]
        out[row] = total
