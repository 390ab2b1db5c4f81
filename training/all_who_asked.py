"""Default rate and AUC of all who asked, of whom the declined are known by their chance of default, or not at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training.validate import Interval

_95 = 1.959963984540054  # of the standard normal, two-sided


@dataclass(frozen=True, slots=True)
class Bound:
    """What holds whatever the declined would have done."""

    low: float
    high: float


def through_the_door(bad: np.ndarray, chance: np.ndarray) -> Interval:
    """Default rate of all who asked, the declined counted by their `chance`.

    Its 95 % prediction interval holds the luck of the declined, sum p (1 - p), and a level known no better than the
    accepted defaults D allow, (sum p)^2 / D, both over all rows squared.
    """
    rows, defaults = len(bad) + len(chance), int(bad.sum())
    level = chance.sum() ** 2 / defaults if defaults else math.inf
    spread = _95 * math.sqrt(float((chance * (1 - chance)).sum() + level)) / rows
    rate = (defaults + float(chance.sum())) / rows
    return Interval(rate, rate - spread, rate + spread)


def expected_auc(accepted: np.ndarray, bad: np.ndarray, declined: np.ndarray, chance: np.ndarray) -> float:
    """AUC among all, each declined row bad with its `chance`: expected concordant over expected mixed pairs.

    A row is never a pair with itself.
    """
    score, weight = np.concatenate([accepted, declined]), np.concatenate([bad.astype(float), chance])
    place = np.unique(score, return_inverse=True)[1]
    bads, goods = np.bincount(place, weight), np.bincount(place, 1 - weight)
    below = goods.cumsum() - goods / 2
    itself = float((weight * (1 - weight)).sum())
    return float(((bads * below).sum() - itself / 2) / (bads.sum() * goods.sum() - itself))


def auc_bounds(accepted: np.ndarray, bad: np.ndarray, declined: np.ndarray) -> Bound:
    """The least and the largest AUC among all, whatever the declined would have done.

    For any number of bads among them the AUC is largest where they are those that score worst, so only as many cases
    as there are declined need trying; the least AUC is 1 less the largest of the opposite score.
    """
    return Bound(1 - _largest_auc(-accepted, bad, -declined), _largest_auc(accepted, bad, declined))


def _largest_auc(accepted: np.ndarray, bad: np.ndarray, declined: np.ndarray) -> float:
    worst_first = -np.sort(-declined)
    bads, goods = np.sort(accepted[bad]), np.sort(accepted[~bad])
    below = _share_below(goods, worst_first) * len(goods)  # goods of the accepted that each declined bad outscores
    above = (1 - _share_below(bads, worst_first)) * len(bads)  # bads of the accepted that outscore each declined good
    k = np.arange(len(declined) + 1)
    concordant = _share_below(goods, bads).sum() * len(goods)
    concordant += np.concatenate([[0.0], below.cumsum()]) + np.concatenate([[0.0], above[::-1].cumsum()])[::-1]
    concordant += k * (len(declined) - k) - _ties_across(worst_first) / 2
    pairs = (len(bads) + k) * (len(goods) + len(declined) - k)
    return float((concordant / np.maximum(pairs, 1))[pairs > 0].max())


def _share_below(values: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The share of sorted `values` below each score, ties half; 0 where there are none."""
    both = np.searchsorted(values, score, side="left") + np.searchsorted(values, score, side="right")
    return both / 2 / max(len(values), 1)


def _ties_across(worst_first: np.ndarray) -> np.ndarray:
    """For each cut k (0 to n): how many pairs of equal scores it parts."""
    k = np.arange(1, len(worst_first))
    ascending = -worst_first
    first = np.searchsorted(ascending, ascending[1:], side="left")
    last = np.searchsorted(ascending, ascending[1:], side="right")
    parted = np.where(ascending[1:] == ascending[:-1], (k - first) * (last - k), 0)
    return np.concatenate([[0], parted, [0]])
