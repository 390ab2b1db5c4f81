"""How far PDs lie from the default rates they foretell: Brier skill, expected calibration error, the curve itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training.backtests import jeffreys_interval
from training.validate import Interval


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of like PD: how many, how many defaulted, mean PD, and the default rate with its Jeffreys interval."""

    rows: int
    defaults: int
    mean_pd: float
    default_rate: Interval


def brier_skill(default_probability: np.ndarray, bad: np.ndarray) -> float:
    """1 - Brier / Brier of the default rate told to all (Brier, 1950; Murphy, 1973); missing with one class only."""
    rate = float(bad.mean())
    if rate in (0.0, 1.0):
        return math.nan
    return 1 - float(np.mean((default_probability - bad) ** 2)) / (rate * (1 - rate))


def equal_bins(default_probability: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each row (rows,): as many rows in each as ties allow; equal PDs are never parted."""
    last = -(-np.arange(1, bins) * len(default_probability) // bins) - 1  # of each bin but the highest, in order
    inner = np.unique(np.sort(default_probability)[last])
    place = np.searchsorted(inner, default_probability, side="left")
    return np.unique(place, return_inverse=True)[1]


def curve(default_probability: np.ndarray, bad: np.ndarray, bins: int) -> tuple[Bin, ...]:
    """The calibration curve over equal-count bins, lowest PD first."""
    place = equal_bins(default_probability, bins)
    rows = np.bincount(place)
    defaults = np.bincount(place, bad).astype(int)
    means = np.bincount(place, default_probability) / rows
    return tuple(
        Bin(n, d, mean, Interval(d / n, *jeffreys_interval(d, n)))
        for n, d, mean in zip(rows.tolist(), defaults.tolist(), means.tolist(), strict=True)
    )


def expected_calibration_error(
    default_probability: np.ndarray, bad: np.ndarray, customer_id: np.ndarray, bins: int, draws: int, seed: int
) -> Interval:
    """Row-weighted mean of |default rate - mean PD| over equal-count bins (Naeini et al., 2015; Nguyen and O'Connor,
    2015), with the basic bootstrap interval over customers (Davison and Hinkley, 1997, 5.2).

    The error of a sample lies above the truth and its bootstrap lies higher still; the basic interval turns that
    around: 2 x the estimate less the upper and lower quantile of the draws, never below 0. Bins stay as found.
    """
    place = equal_bins(default_probability, bins)
    customer = np.unique(customer_id.astype(str), return_inverse=True)[1]
    customers = int(customer.max()) + 1
    # Of a customer only the sum of (outcome - PD) in each bin matters, and of a bin's error only its size.
    gap = np.zeros((customers, int(place.max()) + 1))
    np.add.at(gap, (customer, place), bad - default_probability)
    rows = np.bincount(customer).astype(float)
    rng = np.random.default_rng(seed)
    seen = np.empty(draws)
    for draw in range(draws):
        weight = np.bincount(rng.integers(0, customers, customers), minlength=customers).astype(float)
        # einsum, because a matrix product adds in an order that depends on the threads.
        seen[draw] = np.abs(np.einsum("c,cb->b", weight, gap)).sum() / (weight * rows).sum()
    value = float(np.abs(gap.sum(0)).sum() / len(bad))
    low, high = 2 * value - np.quantile(seen, [0.975, 0.025])
    return Interval(value, max(0.0, float(low)), max(0.0, float(high)))
