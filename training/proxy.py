"""Can the features tell a protected group apart? A model is trained to try; where it can, the features are proxies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from configs.settings import Fairness as Bounds
from features.declaration import Feature
from training import fit
from training.fairness import plain
from training.protected import UNKNOWN
from training.readings import Light
from training.validate import auc_interval

_FOLDS = 3
_ROUNDS = 60
_PARAMS = {"learning_rate": 0.1, "num_leaves": 8, "min_data_in_leaf": 20, "lambda_l2": 5.0}
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Proxy:
    """How well the features tell one group from the rest: out-of-fold AUC with its interval, and what tells most.

    `features` are the names with the largest shares of the gain, largest first, with these shares.
    """

    attribute: str
    group: str
    rows: int
    auc: float
    low: float
    high: float
    features: tuple[tuple[str, float], ...]
    light: Light

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return plain(asdict(self))


def proxy_test(
    matrix: np.ndarray,
    features: Sequence[Feature],
    customer_id: np.ndarray,
    groups: Mapping[str, np.ndarray],
    bounds: Bounds,
    seed: int,
    threads: int,
) -> tuple[Proxy, ...]:
    """Predict each group of each attribute from the features (rows, features), folds by customer.

    Of many rows `proxy_rows` are drawn. An attribute of two groups is predicted once, for its smaller group. A group
    of fewer than `smallest_cell` rows, or that leaves fewer, is left out. Red where the AUC exceeds `proxy_auc`.
    """
    rng = np.random.default_rng(seed)
    found = []
    for attribute, labels in groups.items():
        known = np.flatnonzero(labels != UNKNOWN)
        if len(known) > bounds.proxy_rows:
            known = np.sort(rng.choice(known, bounds.proxy_rows, replace=False))
        for group in _asked(labels[known], bounds.smallest_cell):
            member = labels[known] == group
            score, gains = _predicted(matrix[known], member, features, customer_id[known], seed, threads)
            auc = auc_interval(score, member)
            light: Light = "red" if auc.value > bounds.proxy_auc else "green"
            told = _largest(features, gains)
            found.append(Proxy(attribute, group, int(member.sum()), auc.value, auc.low, auc.high, told, light))
    return tuple(found)


def strongest(proxies: Sequence[Proxy], most: int) -> tuple[str, ...]:
    """The `most` features that tell most about groups that can be told apart: gain x (AUC - 1/2), summed."""
    total: dict[str, float] = {}
    for proxy in proxies:
        for name, gain in proxy.features:
            total[name] = total.get(name, 0.0) + gain * max(0.0, proxy.low - 0.5)
    ranked = sorted((name for name in total if total[name] > 0), key=lambda name: (-total[name], name))
    return tuple(ranked[:most])


def _asked(labels: np.ndarray, smallest_cell: int) -> list[str]:
    names, counts = np.unique(labels.astype(str), return_counts=True)
    enough = [
        str(name) for name, count in zip(names, counts, strict=True) if min(count, len(labels) - count) >= smallest_cell
    ]
    return [min(enough, key=lambda name: counts[names == name][0])] if len(names) == 2 and enough else enough


def _predicted(
    matrix: np.ndarray,
    member: np.ndarray,
    features: Sequence[Feature],
    customer_id: np.ndarray,
    seed: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Out-of-fold scores (rows,), and the gain of each feature summed over the folds."""
    score, gains = np.empty(len(member)), np.zeros(len(features))
    params = {**_PARAMS, "monotone_constraints": [0] * len(features)}  # risk's directions say nothing about a group
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    for learn, judge in folds.split(matrix, member, customer_id):
        booster = fit.fit(matrix[learn], member[learn].astype(np.int8), features, params, _ROUNDS, seed, threads)
        score[judge] = fit.raw_score(booster, matrix[judge], threads)
        gains += booster.feature_importance("gain")
    return score, gains


def _largest(features: Sequence[Feature], gains: np.ndarray) -> tuple[tuple[str, float], ...]:
    shares = gains / max(gains.sum(), 1e-300)
    order = np.argsort(-shares, kind="stable")[:_SHOWN]
    return tuple((features[place].name, float(shares[place])) for place in order if shares[place] > 0)
