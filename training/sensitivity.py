"""What a model's PDs do when one feature moves and all else stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from features.declaration import Feature
from training.scaling import Scale


@dataclass(frozen=True, slots=True)
class Move:
    """One feature moved in every row: the mean PD, its mean and largest change, the share of rows in a new grade."""

    feature: str
    move: str
    mean_pd: float
    mean_change: float
    largest_change: float
    new_grade_share: float


def sensitivity(
    values: np.ndarray,
    features: Sequence[Feature],
    moved: Sequence[str],
    default_probability: Callable[[np.ndarray], np.ndarray],
    scale: Scale,
) -> tuple[Move, ...]:
    """Each named feature of the matrix (rows, features) to missing, to its 1st and 99th percentile, by +-1 sd.

    A step stays within the feature's declared range and leaves missing values missing; a category only goes missing.
    """
    before = default_probability(values)
    grade = scale.grade_index(before)
    names = [item.name for item in features]
    made = []
    for name in moved:
        place = names.index(name)
        for move, column in _moves(values[:, place], features[place]).items():
            changed = values.copy()
            changed[:, place] = column
            after = default_probability(changed)
            apart = after - before
            made.append(
                Move(
                    feature=name,
                    move=move,
                    mean_pd=float(after.mean()),
                    mean_change=float(apart.mean()),
                    largest_change=float(apart[np.argmax(np.abs(apart))]),
                    new_grade_share=float((scale.grade_index(after) != grade).mean()),
                )
            )
    return tuple(made)


def _moves(column: np.ndarray, feature: Feature) -> dict[str, np.ndarray]:
    gone = {"missing": np.full(len(column), np.nan)}
    present = column[~np.isnan(column)]
    if feature.categories or not len(present):
        return gone
    step = float(present.std())
    low, high = np.quantile(present, [0.01, 0.99], method="inverted_cdf")
    return {
        "-1 sd": np.clip(column - step, feature.low, feature.high),
        "+1 sd": np.clip(column + step, feature.low, feature.high),
        "to p1": np.full(len(column), low),
        "to p99": np.full(len(column), high),
        **gone,
    }
