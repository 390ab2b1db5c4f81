"""A LightGBM model as flat arrays, from its own text: checked, so that compiled code may walk them unguarded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

_ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2  # LightGBM's missing types, bits 2 and 3 of a decision type; 0 is none

# A node's slot is its place in its tree: splits in LightGBM's order, then leaves. `earlier` is the node below the last
# split on the same feature further up (0, the root, where there is none). A node's cover is the share of training
# rows that all splits on its parent's feature let pass on the way to it; a record is 64 bytes, a line of the cache.
SPLIT = np.dtype(
    [
        ("threshold", "f8"),
        ("cover", "f8"),
        ("left_cover", "f8"),
        ("right_cover", "f8"),
        ("earlier_cover", "f8"),
        ("left", "i2"),
        ("right", "i2"),
        ("parent", "i2"),
        ("earlier", "i2"),
        ("feature", "i4"),
        ("first_word", "i4"),
        ("words", "i4"),
        ("zero_left", "u1"),
        ("nan_left", "u1"),
        ("categorical", "u1"),
    ],
    align=True,
)


class NotCovered(Exception):
    """A model these arrays can not tell all of."""


@dataclass(frozen=True, slots=True)
class Trees:
    """All trees of a model: SPLIT records (splits,), where each tree's begin (trees + 1,), leaf values of tree after
    tree (splits + trees,), categories as words of 32 bits, and the most features on one path of each tree (trees,).

    `expected` is the model's average over its training rows by cover, LightGBM's last column of contributions.
    """

    features: int
    splits: np.ndarray
    first: np.ndarray
    leaves: np.ndarray
    categories: np.ndarray
    path_features: np.ndarray
    expected: float


def read(booster: lgb.Booster) -> Trees:
    """The trees `Booster.predict` uses. Raises NotCovered: averaged or linear trees, several classes, no covers."""
    header, *blocks = _blocks(booster.model_to_string())
    if "average_output" in header:
        raise NotCovered("its trees are averaged (random forest)")
    if header["num_tree_per_iteration"] != "1":
        raise NotCovered("it has several classes")
    features = int(header["max_feature_idx"]) + 1
    splits, leaves, words, paths, expected, stored = [], [], [], [], 0.0, 0
    for block in blocks:
        tree, path = _splits(block, features, stored)
        values = _floats(block, "leaf_value")
        if not len(values) == len(tree) + 1 == int(block["num_leaves"]) or not np.isfinite(values).all():
            raise NotCovered("a tree without a finite value for each leaf")
        splits.append(tree)
        leaves.append(values)
        paths.append(path)
        words.append(_integers(block, "cat_threshold"))
        stored += len(words[-1])
        covers = _integers(block, "leaf_count") / _integers(block, "internal_count")[0] if len(tree) else np.ones(1)
        expected += float(covers @ values)
    return Trees(
        features=features,
        splits=np.concatenate([np.empty(0, SPLIT), *splits]),
        first=np.concatenate([[0], np.cumsum([len(tree) for tree in splits])]).astype(np.int64),
        leaves=np.concatenate([np.empty(0), *leaves]),
        categories=np.concatenate([np.empty(0, np.int64), *words]).astype(np.uint32),
        path_features=np.array(paths, np.int64),
        expected=expected,
    )


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """The header and each tree as key -> value; a bare word is a key without a value."""
    for block in text.split("\nend of trees")[0].split("\nTree="):
        pairs = (line.partition("=") for line in block.splitlines())
        yield {key: value for key, _, value in pairs}


def _integers(block: Mapping[str, str], name: str) -> np.ndarray:
    return np.array(block.get(name, "").split(), np.int64)


def _floats(block: Mapping[str, str], name: str) -> np.ndarray:
    return np.array(block.get(name, "").split(), np.float64)


def _splits(block: Mapping[str, str], features: int, first_word: int) -> tuple[np.ndarray, int]:
    """The splits of one tree and the most different features on one of its paths."""
    if block.get("is_linear", "0") != "0":
        raise NotCovered("its leaves are linear")
    count = int(block["num_leaves"]) - 1
    if 2 * count > np.iinfo(SPLIT["left"]).max:
        raise NotCovered(f"a tree of {count + 1} leaves")
    tree = np.zeros(count, SPLIT)
    if not count:
        return tree, 0
    kinds = _integers(block, "decision_type")
    tree["categorical"] = kinds & 1
    tree["threshold"] = _floats(block, "threshold")
    _place_missing(tree, default_left=kinds >> 1 & 1, missing=kinds >> 2 & 3)
    tree["feature"] = _integers(block, "split_feature")
    for side in ("left", "right"):
        child = _integers(block, f"{side}_child")
        tree[side] = np.where(child < 0, count + ~child, child)
    _check(tree, features)
    _place_categories(tree, block, first_word)
    return tree, _follow_paths(tree, np.concatenate([_integers(block, f"{n}_count") for n in ("internal", "leaf")]))


def _place_missing(tree: np.ndarray, default_left: np.ndarray, missing: np.ndarray) -> None:
    """The side of zero and of NaN: what is missing takes the default, NaN that is not missing counts as zero."""
    if (missing > _NAN_IS_MISSING).any():
        raise NotCovered("a missing type LightGBM 4 does not have")
    tree["zero_left"] = np.where(missing == _ZERO_IS_MISSING, default_left, tree["threshold"] >= 0.0)
    tree["nan_left"] = np.where(missing == _NAN_IS_MISSING, default_left, tree["zero_left"])


def _check(tree: np.ndarray, features: int) -> None:
    """Every node but the root below exactly one split that comes before it; every feature one of the model's."""
    count = len(tree)
    children = np.concatenate([tree["left"], tree["right"]])
    if sorted(children.tolist()) != list(range(1, 2 * count + 1)):
        raise NotCovered("splits that form no tree")
    if (np.tile(np.arange(count), 2) >= children).any():
        raise NotCovered("a split that comes before its parent")
    if ((tree["feature"] < 0) | (tree["feature"] >= features)).any():
        raise NotCovered("a split on a feature it does not have")


def _place_categories(tree: np.ndarray, block: Mapping[str, str], first_word: int) -> None:
    """A categorical split's threshold is the place of its bitset."""
    bounds, stored = _integers(block, "cat_boundaries"), len(_integers(block, "cat_threshold"))
    of_category = tree["categorical"] == 1
    place = tree["threshold"][of_category].astype(np.int64)
    if not len(place):
        return
    if place.min() < 0 or place.max() + 1 >= len(bounds) or bounds[-1] != stored or (np.diff(bounds) < 0).any():
        raise NotCovered("a categorical split without its categories")
    tree["first_word"][of_category] = first_word + bounds[place]
    tree["words"][of_category] = bounds[place + 1] - bounds[place]


def _follow_paths(tree: np.ndarray, counts: np.ndarray) -> int:
    """Fill in parents, earlier splits and covers from the training rows of each node; the most features on a path."""
    if len(counts) != 2 * len(tree) + 1 or counts.min() <= 0:
        raise NotCovered("a node that no training row reached, so it has no cover")
    parent, cover, different = [0] * len(counts), [1.0] * len(counts), [0] * len(counts)
    features, left, right = tree["feature"].tolist(), tree["left"].tolist(), tree["right"].tolist()
    for n, feature in enumerate(features):
        node = n
        while node and features[parent[node]] != feature:
            node = parent[node]
        for child in (left[n], right[n]):
            parent[child] = n
            cover[child] = cover[node] * float(counts[child]) / float(counts[n])
            different[child] = different[n] + (node == 0)
        tree["parent"][n], tree["earlier"][n], tree["earlier_cover"][n] = parent[n], node, cover[node]
    tree["cover"] = cover[: len(tree)]
    tree["left_cover"], tree["right_cover"] = np.array(cover)[left], np.array(cover)[right]
    return max(different)
