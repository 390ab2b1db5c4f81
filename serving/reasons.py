"""Why a score is what it is, in words a customer can use: exact contributions, grouped by reason, worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
from numba import njit

from features.declaration import Feature

Language = Literal["en", "zh"]
UNKNOWN: dict[Language, str] = {"en": "Too little about you is on record", "zh": "关于您的记录不足"}


class Reason(msgspec.Struct, frozen=True):
    """One reason: the sentence, the points it cost against the average customer, the features behind it."""

    reason: str
    points: float
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which features (positions) are one reason, and what each must add to the raw score to be more than noise.

    `places` are the groups one behind the other, `first` (groups + 1,) where each begins: what the kernel reads.
    """

    groups: tuple[tuple[int, ...], ...]
    least: tuple[float, ...]
    places: np.ndarray = field(compare=False)
    first: np.ndarray = field(compare=False)

    @classmethod
    def of(cls, groups: Sequence[tuple[int, ...]], least: Sequence[float]) -> Grouping:
        """The grouping of these groups."""
        places = np.array([place for group in groups for place in group], np.int64)
        first = np.cumsum([0, *map(len, groups)]).astype(np.int64)
        return cls(tuple(groups), tuple(least), places, first)


def by_sentence(features: Sequence[Feature]) -> Grouping:
    """One reason for each sentence, none of them noise: all that is known of a version made before it was measured."""
    groups: dict[str, list[int]] = {}
    for place, feature in enumerate(features):
        groups.setdefault(feature.reason, []).append(place)
    return Grouping.of([tuple(group) for group in groups.values()], (0.0,) * len(groups))


def grouping_of(features: Sequence[Feature], measured: Mapping[str, Any] | None) -> Grouping:
    """The grouping that training measured: its `groups` of sentences, the `least` of each."""
    if measured is None:
        return by_sentence(features)
    groups = [
        tuple(place for place, feature in enumerate(features) if feature.reason in sentences)
        for sentences in measured["groups"]
    ]
    return Grouping.of(groups, measured["least"])


def principal_reasons(
    contributions: np.ndarray,
    features: Sequence[Feature],
    points_factor: float,
    most: int,
    language: Language,
    grouping: Grouping | None = None,
    missing: Sequence[bool] | None = None,
) -> tuple[Reason, ...]:
    """Up to `most` reasons that lowered the score, by the points they cost.

    `contributions` (features,) are TreeSHAP values in log-odds of default; `points_factor` turns them into points.
    Features of one group of `grouping` (by default: with the same sentence) are one reason: their contributions add,
    so a reason names a cause and not a column; it is told by the sentence that adds most. A reason whose sum does not
    lower the score is none, and neither is one within the noise; the worst is always told, because whoever is
    declined is owed a reason.

    `missing` (features,) tells which features have no value. What such a one adds is no sign of what its sentence
    says: where that is most of what a group adds, it is told as `UNKNOWN`, one reason for all those groups.
    """
    made, added_by = grouping or by_sentence(features), contributions.tolist()
    silent = missing or (False,) * len(features)
    sums = group_sums(np.ascontiguousarray(contributions), made.places, made.first).tolist()
    costs = [added * points_factor for added in sums]
    worst = sorted((k for k, cost in enumerate(costs) if cost > 0), key=lambda k: -costs[k])
    told = [k for rank, k in enumerate(worst) if rank == 0 or sums[k] >= made.least[k]]
    causes = [_Cause(_speaker(added_by, features, made.groups[k], silent), costs[k], made.groups[k]) for k in told]
    return tuple(
        Reason(
            reason=UNKNOWN[language] if cause.speaker is None else _sentence(features[cause.speaker], language),
            points=round(cause.points, 2),
            features=_largest(added_by, features, cause.places),
        )
        for cause in _unknown_once(causes, silent)[:most]
    )


@dataclass(frozen=True, slots=True)
class _Cause:
    """What costs points: the feature whose sentence tells of it (None: there is no value to tell of), all behind it."""

    speaker: int | None
    points: float
    places: tuple[int, ...]


def _unknown_once(causes: list[_Cause], missing: Sequence[bool]) -> list[_Cause]:
    unknown = [cause for cause in causes if cause.speaker is None]
    if not unknown:
        return causes
    places = tuple(place for cause in unknown for place in cause.places if missing[place])
    together = _Cause(None, sum(cause.points for cause in unknown), places)
    known = [cause for cause in causes if cause.speaker is not None]
    return sorted([together, *known], key=lambda cause: -cause.points)


@njit(cache=True, nogil=True)
def group_sums(contributions: np.ndarray, places: np.ndarray, first: np.ndarray) -> np.ndarray:
    """What each group adds, (groups,), in the order in which numpy's `sum` adds up to 128 numbers.

    Reasons that were recorded were added so: another order would move a last bit, and a replay with it.
    """
    found = np.empty(first.shape[0] - 1)
    eight = np.empty(8)
    for group in range(found.shape[0]):
        low, high = first[group], first[group + 1]
        total = 0.0
        k = low
        if high - low >= 8:
            for lane in range(8):
                eight[lane] = contributions[places[low + lane]]
            k = low + 8
            while k + 8 <= high:
                for lane in range(8):
                    eight[lane] += contributions[places[k + lane]]
                k += 8
            total = ((eight[0] + eight[1]) + (eight[2] + eight[3])) + ((eight[4] + eight[5]) + (eight[6] + eight[7]))
        while k < high:
            total += contributions[places[k]]
            k += 1
        found[group] = total
    return found


def _speaker(
    contributions: Sequence[float], features: Sequence[Feature], group: Sequence[int], missing: Sequence[bool]
) -> int | None:
    """The first feature of the sentence that adds most among those of a group; None where those without a value do."""
    sums: dict[str | None, float] = {}
    for place in group:
        sentence = None if missing[place] else features[place].reason
        sums[sentence] = sums.get(sentence, 0.0) + contributions[place]
    loudest = max(sums, key=lambda sentence: sums[sentence])
    if loudest is None:
        return None
    return next(place for place in group if features[place].reason == loudest)


def _sentence(feature: Feature, language: Language) -> str:
    return feature.reason_zh if language == "zh" else feature.reason


def _largest(contributions: Sequence[float], features: Sequence[Feature], places: Sequence[int]) -> tuple[str, ...]:
    raising = [place for place in places if contributions[place] > 0]
    return tuple(features[place].name for place in sorted(raising, key=lambda place: -contributions[place])[:3])
