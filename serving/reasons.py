"""Why a score is what it is, in words a customer can use: exact contributions, grouped by reason, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from features.declaration import Feature

Language = Literal["en", "zh"]


class Reason(msgspec.Struct, frozen=True):
    """One reason: the sentence, the points it cost against the average customer, the features behind it."""

    reason: str
    points: float
    features: tuple[str, ...]


def principal_reasons(
    contributions: np.ndarray,
    features: Sequence[Feature],
    points_factor: float,
    most: int,
    language: Language,
) -> tuple[Reason, ...]:
    """Up to `most` reasons that lowered the score, by the points they cost.

    `contributions` (features,) are TreeSHAP values in log-odds of default; `points_factor` turns them into points.
    Features with the same sentence are one reason: their contributions add, so a reason names a cause and not a
    column. A reason whose sum does not lower the score is none.
    """
    groups: dict[str, list[int]] = {}
    for place, feature in enumerate(features):
        groups.setdefault(feature.reason, []).append(place)
    costs = {reason: float(contributions[places].sum()) * points_factor for reason, places in groups.items()}
    worst = sorted((reason for reason, cost in costs.items() if cost > 0), key=lambda reason: -costs[reason])
    return tuple(
        Reason(
            reason=_sentence(features[groups[reason][0]], language),
            points=round(costs[reason], 2),
            features=_largest(contributions, features, groups[reason]),
        )
        for reason in worst[:most]
    )


def _sentence(feature: Feature, language: Language) -> str:
    return feature.reason_zh if language == "zh" else feature.reason


def _largest(contributions: np.ndarray, features: Sequence[Feature], places: list[int]) -> tuple[str, ...]:
    raising = [place for place in places if contributions[place] > 0]
    return tuple(features[place].name for place in sorted(raising, key=lambda place: -contributions[place])[:3])
