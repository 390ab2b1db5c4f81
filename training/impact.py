"""How near groups are to one approve rate: the pair farthest apart, the gain of a model over another, the front."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from training.fairness import largest_group
from training.protected import UNKNOWN
from training.validate import Interval

_BLOCK = 50  # bootstrap draws held in memory at a time


def adverse_pair(approved: np.ndarray, labels: np.ndarray, smallest_cell: int) -> tuple[str, str] | None:
    """(group, against): of all groups compared with the largest, the pair whose approve rates lie farthest apart.

    The group is the one approved less. None where fewer than two groups have `smallest_cell` rows.
    """
    ratios = impact_ratios(approved, labels, smallest_cell)
    if not ratios:
        return None
    reference = largest_group(labels)
    assert reference is not None
    name = min(ratios, key=lambda group: nearness(ratios[group]))
    return (name, reference) if ratios[name] <= 1 else (reference, name)


def impact_ratios(approved: np.ndarray, labels: np.ndarray, smallest_cell: int) -> dict[str, float]:
    """The impact ratio of each group with enough rows against the largest."""
    reference = largest_group(labels)
    enough = [name for name in sorted(set(labels) - {UNKNOWN}) if (labels == name).sum() >= smallest_cell]
    if reference not in enough:
        return {}
    base = float(approved[labels == reference].mean())
    return {
        name: float(approved[labels == name].mean()) / base if base else math.inf
        for name in enough
        if name != reference
    }


def nearness(ratio: float) -> float:
    """How near a ratio is to 1, either way: 0.8 for 0.8 and for 1.25."""
    return min(ratio, 1 / ratio) if ratio > 0 else 0.0


def pareto_front(auc: Sequence[float], near: Sequence[float]) -> list[bool]:
    """Which models no other one equals or betters in both while bettering one."""
    points = list(zip(auc, near, strict=True))
    return [not any(a >= x and b >= y and (a > x or b > y) for a, b in points) for x, y in points]


def impact_differences(
    approved: np.ndarray, group: np.ndarray, against: np.ndarray, customer_id: np.ndarray, draws: int, seed: int
) -> list[Interval]:
    """How much nearer to 1 each model's impact ratio is than the first model's, with its percentile interval.

    `approved` (rows, models), `group` and `against` (rows,) bool. Customers are drawn, not rows (Efron and
    Tibshirani, 1993, 13.3). Missing where a draw has nobody to compare with.
    """
    customers, place = np.unique(customer_id.astype(str), return_inverse=True)
    sums = np.zeros((len(customers), 2, approved.shape[1] + 1))
    for side, member in enumerate((group, against)):
        np.add.at(sums[:, side, :-1], place[member], approved[member])
        np.add.at(sums[:, side, -1], place[member], 1)
    observed = _gained(sums.sum(0)[None])[0]
    drawn = np.concatenate(
        [_gained(np.tensordot(weights, sums, 1)) for weights in _weights(len(customers), draws, seed)]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return [Interval(*map(float, values)) for values in zip(observed, low, high, strict=True)]


def _weights(customers: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each customer is drawn, (draws of a block, customers)."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _BLOCK):
        yield rng.multinomial(customers, np.full(customers, 1 / customers), min(_BLOCK, draws - start)).astype(float)


def _gained(sums: np.ndarray) -> np.ndarray:
    """(draws, models): nearness of each ratio minus that of the first, out of (draws, 2, models + 1) counts."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = sums[:, :, :-1] / sums[:, :, -1:]
        ratios = rates[:, 0] / rates[:, 1]
        near = np.minimum(ratios, 1 / ratios)
    return near - near[:, :1]
