"""Why a score is what it is, in words a customer can use: exact contributions, grouped by reason, worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from features.declaration import Feature

Language = Literal["en", "zh"]


class Reason(msgspec.Struct, frozen=True):
    """One reason: the sentence, the points it cost against the average customer, the features behind it."""

    reason: str
    points: float
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which features (positions) are one reason, and what each must add to the raw score to be more than noise."""

    groups: tuple[tuple[int, ...], ...]
    least: tuple[float, ...]


def by_sentence(features: Sequence[Feature]) -> Grouping:
    """One reason for each sentence, none of them noise: all that is known of a version made before it was measured."""
    groups: dict[str, list[int]] = {}
    for place, feature in enumerate(features):
        groups.setdefault(feature.reason, []).append(place)
    return Grouping(tuple(map(tuple, groups.values())), (0.0,) * len(groups))


def grouping_of(features: Sequence[Feature], measured: Mapping[str, Any] | None) -> Grouping:
    """The grouping that training measured: its `groups` of sentences, the `least` of each."""
    if measured is None:
        return by_sentence(features)
    groups = tuple(
        tuple(place for place, feature in enumerate(features) if feature.reason in sentences)
        for sentences in measured["groups"]
    )
    return Grouping(groups, tuple(measured["least"]))


def principal_reasons(
    contributions: np.ndarray,
    features: Sequence[Feature],
    points_factor: float,
    most: int,
    language: Language,
    grouping: Grouping | None = None,
) -> tuple[Reason, ...]:
    """Up to `most` reasons that lowered the score, by the points they cost.

    `contributions` (features,) are TreeSHAP values in log-odds of default; `points_factor` turns them into points.
    Features of one group of `grouping` (by default: with the same sentence) are one reason: their contributions add,
    so a reason names a cause and not a column; it is told by the sentence that adds most. A reason whose sum does not
    lower the score is none, and neither is one within the noise; the worst is always told, because whoever is
    declined is owed a reason.
    """
    made = grouping or by_sentence(features)
    sums = [float(contributions[list(group)].sum()) for group in made.groups]
    costs = [added * points_factor for added in sums]
    worst = sorted((k for k, cost in enumerate(costs) if cost > 0), key=lambda k: -costs[k])
    told = [k for rank, k in enumerate(worst) if rank == 0 or sums[k] >= made.least[k]]
    return tuple(
        Reason(
            reason=_sentence(features[_speaker(contributions, features, made.groups[k])], language),
            points=round(costs[k], 2),
            features=_largest(contributions, features, made.groups[k]),
        )
        for k in told[:most]
    )


def _speaker(contributions: np.ndarray, features: Sequence[Feature], group: Sequence[int]) -> int:
    """The first feature of the sentence that adds most among those of a group."""
    sums: dict[str, float] = {}
    for place in group:
        sums[features[place].reason] = sums.get(features[place].reason, 0.0) + float(contributions[place])
    loudest = max(sums, key=lambda sentence: sums[sentence])
    return next(place for place in group if features[place].reason == loudest)


def _sentence(feature: Feature, language: Language) -> str:
    return feature.reason_zh if language == "zh" else feature.reason


def _largest(contributions: np.ndarray, features: Sequence[Feature], places: Sequence[int]) -> tuple[str, ...]:
    raising = [place for place in places if contributions[place] > 0]
    return tuple(features[place].name for place in sorted(raising, key=lambda place: -contributions[place])[:3])
