"""A certificate that risk moves as declared, from the saved trees alone: proved, or a pair of rows that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from configs.errors import BundleError
from features.declaration import Feature

ABOUT = (
    "Values of one feature up to 1e300 either way, every other feature fixed at any value or missing. What a missing "
    "value of the feature itself scores is no part of it, nor are categories: they have no order."
)
_ZERO = float(np.float32(1e-35))  # LightGBM scores whatever lies this near to 0 as 0 (kZeroThreshold, meta.h)
_LARGEST = 1e300  # LightGBM's largest threshold (Common::AvoidInf): it parts all numbers from what is missing
_STARTS, _SWEEPS, _POINTS = 2, 2, 24  # of the search for the worst violation, which is bounded


@dataclass(frozen=True, slots=True)
class Violation:
    """Two rows that differ in one feature and score the wrong way round, by `size` log-odds; missing is null."""

    size: float
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]

    def rows(self) -> np.ndarray:
        """Both rows, (2, features), as the Booster scores them."""
        return np.array([self.low, self.high], float)


@dataclass(frozen=True, slots=True)
class Finding:
    """One declared direction: proved, or the worst violation found and `at_most`, which none exceeds (log-odds)."""

    feature: str
    risk: str
    proved: bool
    at_most: float
    violation: Violation | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the trees do with every feature that has a declared direction."""

    trees: int
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether every declared direction is proved."""
        return all(finding.proved for finding in self.findings)

    @property
    def worst(self) -> float:
        """The largest violation found, log-odds; 0 where there is none."""
        return max((finding.violation.size for finding in self.findings if finding.violation), default=0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain values, with what the certificate is about."""
        return {"about": ABOUT, "holds": self.holds, "worst": self.worst, **asdict(self)}


def certify(booster: lgb.Booster, features: Sequence[Feature]) -> Certificate:
    """Prove each declared direction tree by tree, exactly; a sum of monotone trees is monotone, rounding included.

    Two leaves of a tree compare where one is reached from a lower value than the other and all other features can be
    alike. A tree is monotone if and only if no two such leaves are the wrong way round. Where a tree is not, others
    may make up for it: then the rows with the worst violation of the whole model are searched for, from the worst
    leaves, one feature at a time. A direction without proof and without violation is not certified either.
    Raises BundleError for trees this cannot read (linear leaves, zero as missing, several classes).
    """
    trees = [_boxes(tree) for tree in _structures(booster)]
    directed = [place for place, feature in enumerate(features) if feature.direction and not feature.categories]
    findings = []
    for place in directed:
        starts, at_most = _wrong_pairs(trees, place, features[place].direction, len(features))
        violation = _worst(booster, trees, place, features[place].direction, starts) if starts else None
        findings.append(Finding(features[place].name, features[place].risk, not starts, at_most, violation))
    return Certificate(len(trees), tuple(findings))


@dataclass(frozen=True, slots=True)
class _Boxes:
    """A tree as its leaves: `value` (leaves,); for each feature it splits on, `points` (cells,) and `holds`.

    The thresholds of the tree cut a feature into cells that no split divides; one or two values stand for a cell, and
    the last stands for missing. `holds` (leaves, cells) says from which cells a leaf can be reached.
    """

    value: np.ndarray
    points: Mapping[int, np.ndarray]
    holds: Mapping[int, np.ndarray]


def _structures(booster: lgb.Booster) -> Iterator[dict[str, Any]]:
    dumped = booster.dump_model()
    if dumped["num_tree_per_iteration"] != 1:
        raise BundleError("several classes: a direction of risk needs a model of one score")
    for number, tree in enumerate(dumped["tree_info"]):
        for node in _nodes(tree["tree_structure"]):
            if node.get("missing_type") == "Zero" or "leaf_coeff" in node:
                raise BundleError(
                    f"tree {number}: linear leaves or zero as missing; the certificate reads neither. "
                    "Train without linear_tree and zero_as_missing"
                )
        yield tree["tree_structure"]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    if "split_feature" in node:
        yield from _nodes(node["left_child"])
        yield from _nodes(node["right_child"])


def _boxes(tree: dict[str, Any]) -> _Boxes:
    splits = [node for node in _nodes(tree) if "split_feature" in node]
    points = {
        place: _cells([node for node in splits if node["split_feature"] == place])
        for place in sorted({node["split_feature"] for node in splits})
    }
    leaves = list(_leaves(tree, points, {place: np.ones(len(cells), bool) for place, cells in points.items()}))
    holds = {place: np.array([reached[place] for _, reached in leaves]) for place in points}
    return _Boxes(np.array([value for value, _ in leaves]), points, holds)


def _cells(splits: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """At least one value of each cell that these splits of a feature make: rising, missing last."""
    if splits[0]["decision_type"] == "==":
        return np.array([*sorted(set().union(*map(_codes, splits))), np.nan])
    thresholds = np.array([node["threshold"] for node in splits])
    around_zero = (np.nextafter(-_ZERO, -np.inf), np.nextafter(_ZERO, np.inf))
    values = np.concatenate([thresholds, np.nextafter(thresholds, np.inf), around_zero])
    values = values[np.abs(values) <= _LARGEST]
    return np.append(np.unique(np.where(np.abs(values) <= _ZERO, 0.0, values)), np.nan)


def _codes(node: Mapping[str, Any]) -> set[float]:
    return {float(code) for code in str(node["threshold"]).split("||")}


def _leaves(
    node: dict[str, Any], points: Mapping[int, np.ndarray], reached: Mapping[int, np.ndarray]
) -> Iterator[tuple[float, Mapping[int, np.ndarray]]]:
    if "split_feature" not in node:
        yield float(node["leaf_value"]), reached
        return
    place = node["split_feature"]
    left = _goes_left(node, points[place])
    yield from _leaves(node["left_child"], points, {**reached, place: reached[place] & left})
    yield from _leaves(node["right_child"], points, {**reached, place: reached[place] & ~left})


def _goes_left(node: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    """LightGBM's decision (tree.h): a category that is not named goes right, a missing number as learned or like 0."""
    if node["decision_type"] == "==":
        return np.isin(values, list(_codes(node)))
    learned = node["missing_type"] == "NaN"
    at_missing = node["default_left"] if learned else node["threshold"] >= 0.0
    return np.where(np.isnan(values), at_missing, values <= node["threshold"])


def _wrong_pairs(
    trees: Sequence[_Boxes], place: int, direction: int, width: int
) -> tuple[list[tuple[float, np.ndarray]], float]:
    """The worst pair of leaves of each tree that breaks the direction: (size, rows (2, width)); and all sizes added."""
    found = []
    for tree in trees:
        if place not in tree.points:
            continue
        gaps = np.where(_compare(tree, place), direction * (tree.value[:, None] - tree.value[None, :]), 0.0)
        lower, upper = np.unravel_index(gaps.argmax(), gaps.shape)
        if gaps[lower, upper] > 0:
            found.append((float(gaps[lower, upper]), _pair(tree, place, int(lower), int(upper), width)))
    return sorted(found, key=lambda pair: -pair[0]), sum(size for size, _ in found)


def _compare(tree: _Boxes, place: int) -> np.ndarray:
    """(leaves, leaves): whether the first is reached from a lower value than the second, all else alike."""
    alike = np.ones((len(tree.value), len(tree.value)), bool)
    for other, holds in tree.holds.items():
        if other != place:
            alike &= (holds[:, None, :] & holds[None, :, :]).any(2)
    finite = tree.holds[place][:, :-1]
    first, last = finite.argmax(1), finite.shape[1] - 1 - finite[:, ::-1].argmax(1)
    reached = np.outer(finite.any(1), finite.any(1))
    return np.logical_and(alike & reached, np.less.outer(first, last))


def _pair(tree: _Boxes, place: int, lower: int, upper: int, width: int) -> np.ndarray:
    """Two rows that reach the leaves `lower` and `upper` and differ in one feature only; what is free is missing."""
    rows = np.full((2, width), np.nan)
    for other, holds in tree.holds.items():
        rows[:, other] = tree.points[other][(holds[lower] & holds[upper]).argmax()]
    finite = tree.holds[place][:, :-1]
    rows[0, place] = tree.points[place][finite[lower].argmax()]
    rows[1, place] = tree.points[place][np.flatnonzero(finite[upper])[-1]]
    return rows


def _worst(
    booster: lgb.Booster,
    trees: Sequence[_Boxes],
    place: int,
    direction: int,
    starts: Sequence[tuple[float, np.ndarray]],
) -> Violation | None:
    """The worst violation of the whole model that a climb from the worst leaves reaches."""

    def gaps(pairs: np.ndarray) -> np.ndarray:
        """How far each pair (n, 2, features) scores the wrong way round; a pair that does not rise, not at all."""
        flat = pairs.reshape(-1, pairs.shape[-1])
        score = np.asarray(booster.predict(flat, raw_score=True, num_threads=1)).reshape(-1, 2)
        rises = pairs[:, 0, place] < pairs[:, 1, place]
        return np.where(rises, direction * (score[:, 0] - score[:, 1]), -np.inf)

    values = {feature: _values(trees, feature) for feature in sorted(set().union(*(tree.points for tree in trees)))}
    climbed = [_climb(gaps, pair, place, values) for _, pair in starts[:_STARTS]]
    size, pair = max(climbed, key=lambda found: found[0])
    if size <= 0:
        return None
    low, high = (tuple(None if np.isnan(value) else float(value) for value in row) for row in pair)
    return Violation(size, low, high)


def _values(trees: Sequence[_Boxes], feature: int) -> np.ndarray:
    """What a feature is tried at: missing, and a value of every cell of the model, thinned where there are many."""
    every = np.unique(np.concatenate([tree.points[feature][:-1] for tree in trees if feature in tree.points]))
    taken = np.unique(np.linspace(0, len(every) - 1, min(len(every), _POINTS)).astype(int))
    return np.append(every[taken], np.nan)


def _climb(
    gaps: Callable[[np.ndarray], np.ndarray], pair: np.ndarray, place: int, values: Mapping[int, np.ndarray]
) -> tuple[float, np.ndarray]:
    """Change one feature of the pair at a time, to the best of its values, until none helps or the sweeps are over."""
    best = float(gaps(pair[None])[0])
    for _ in range(_SWEEPS):
        before = best
        for feature, tried in values.items():
            for side in ((0,), (1,)) if feature == place else ((0, 1),):
                pairs = np.repeat(pair[None], len(tried), axis=0)
                pairs[:, side, feature] = tried[:, None]
                found = gaps(pairs)
                if found.max() > best:
                    best, pair = float(found.max()), pairs[found.argmax()]
        if best == before:
            break
    return best, pair
