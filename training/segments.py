"""The same numbers on slices of the rows: where a model is weak, and how it aged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import norm

from configs.settings import ValidationPolicy
from features.contracts import iso
from training.backtests import holm, jeffreys_p
from training.lights import Light, by_p, worst
from training.psi import edges_of
from training.validate import Interval, auc_and_variance, observed_to_expected


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the rows, judged alone. AUC, its expected value and p-value are missing with too few of either class.

    `auc_expected` is what the PDs themselves promise of these rows, `auc_p` small says they rank worse than that,
    `level_p` small says the PDs are too low or too high; both are Holm-adjusted for the number of slices.
    """

    column: str
    slice: str
    rows: int
    defaults: int
    mean_pd: float
    auc: Interval | None
    auc_expected: float | None
    auc_p: float | None
    observed_to_expected: Interval
    level_p: float | None
    light: Light


def quarters(values: np.ndarray, categories: Sequence[str]) -> np.ndarray:
    """The slice of each value (rows,) in words: its category, or its quarter; missing values have their own.

    No two slices share their words: a category may itself be called `missing`, and edges may be close.
    """
    missing = np.isnan(values)
    if categories:
        absent = "missing"
        while absent in categories:
            absent = f"({absent})"
        names = np.array([*categories, absent], object)
        place = np.where(missing, len(categories), np.nan_to_num(values)).astype(int)
        return names[place]
    edges = edges_of(values, 4)
    told = _apart(edges)
    between = [f"{low} to {high}" for low, high in pairwise(told)]
    ranges = [f"up to {told[0]}", *between, f"above {told[-1]}"] if told else ["present"]
    place = np.where(missing, len(ranges), np.searchsorted(edges, values, side="left"))
    return np.array([*ranges, "missing"], object)[place]


def _apart(edges: np.ndarray) -> list[str]:
    """Different numbers in six digits, or in as many as tell them apart: 17 do (IEEE 754)."""
    return next(
        told for digits in range(6, 18) if len(set(told := [f"{edge:.{digits}g}" for edge in edges])) == len(told)
    )


def months(as_of: np.ndarray) -> np.ndarray:
    """The calendar month of each day since 1970 (rows,), as in 2026-01."""
    days, place = np.unique(as_of, return_inverse=True)
    return np.array([iso(day)[:7] for day in days], object)[place]


def implied_auc(default_probability: np.ndarray) -> float:
    """The AUC that rows of these PDs have on average if the PDs are true (van Klaveren et al., 2016).

    Over pairs of different rows, each weighted by P(the one bad, the other good); ties count half. A slice whose
    risks are alike cannot be ranked well by anybody: this is the bar it is fairly held to.
    """
    p = np.sort(default_probability)
    first, last = np.searchsorted(p, p, side="left"), np.searchsorted(p, p, side="right")
    goods = np.append(0.0, np.cumsum(1 - p))
    itself = p * (1 - p)
    below, tied = goods[first], goods[last] - goods[first]
    won = (p * below).sum() + 0.5 * ((p * tied).sum() - itself.sum())
    return float(won / (p.sum() * goods[-1] - itself.sum()))


def judge_slices(
    columns: Mapping[str, np.ndarray],
    default_probability: np.ndarray,
    bad: np.ndarray,
    policy: ValidationPolicy,
    keep_small: bool,
) -> tuple[Slice, ...]:
    """Every slice of every column of names (rows,); those with too few rows are left out unless `keep_small`."""
    parts = [(column, name, labels == name) for column, labels in columns.items() for name in sorted(set(labels))]
    if not keep_small:
        parts = [part for part in parts if _enough(bad[part[2]], policy)]
    measured = [_measure(default_probability[rows], bad[rows], policy) for _, _, rows in parts]
    ranks, levels = (holm(np.array([one[place] for one in measured])) for place in (2, 3))
    made = []
    for (column, name, rows), one, rank, level in zip(parts, measured, ranks, levels, strict=True):
        lights = [by_p(p, policy.p_amber, policy.p_red) for p in (float(rank), float(level))]
        defaults, count = int(bad[rows].sum()), int(rows.sum())
        mean_pd = float(default_probability[rows].mean())
        ratio = observed_to_expected(defaults, count, mean_pd)
        tested = (_known(one[1]), _known(float(rank)), ratio, _known(float(level)))
        made.append(Slice(column, name, count, defaults, mean_pd, one[0], *tested, worst(lights)))
    return tuple(made)


def _enough(bad: np.ndarray, policy: ValidationPolicy) -> bool:
    defaults = int(bad.sum())
    return len(bad) >= policy.minimum_rows and min(defaults, len(bad) - defaults) >= policy.minimum_defaults


def _measure(
    default_probability: np.ndarray, bad: np.ndarray, policy: ValidationPolicy
) -> tuple[Interval | None, float, float, float]:
    """AUC, its expected value, p of ranking worse than expected, two-sided p of the level; missing where too few."""
    if not _enough(bad, policy):
        return None, np.nan, np.nan, np.nan
    auc, variance = auc_and_variance(default_probability, bad)
    expected = implied_auc(default_probability)
    low = jeffreys_p(float(default_probability.mean()), int(bad.sum()), len(bad))
    rank = float(norm.cdf((auc.value - expected) / np.sqrt(variance))) if variance > 0 else np.nan
    return auc, expected, rank, 2 * min(low, 1 - low)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
