"""Who would be approved newly, and who no more, were the challenger to decide in the champion's place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from training.backtests import jeffreys_interval
from training.validate import Interval


@dataclass(frozen=True, slots=True)
class SwapSet:
    """Rows by what the two models would do; the default rate (Jeffreys interval) is missing where there is no row."""

    name: str
    rows: int
    defaults: int
    default_rate: Interval | None


def swap_sets(
    challenger: np.ndarray, champion: np.ndarray, bad: np.ndarray, approve_below: float
) -> tuple[SwapSet, ...]:
    """The four sets at the policy's cut-off; both models' PDs are (rows,), approved are those below the cut-off."""
    new, old = challenger < approve_below, champion < approve_below
    parts = {
        "approved by both": new & old,
        "newly approved": new & ~old,
        "no more approved": ~new & old,
        "approved by neither": ~new & ~old,
    }
    return tuple(_swap_set(name, bad[rows]) for name, rows in parts.items())


def _swap_set(name: str, bad: np.ndarray) -> SwapSet:
    rows, defaults = len(bad), int(bad.sum())
    rate = Interval(defaults / rows, *jeffreys_interval(defaults, rows)) if rows else None
    return SwapSet(name, rows, defaults, rate)


def worse_p(newly: SwapSet, no_more: SwapSet) -> float:
    """p of the newly approved defaulting no more than those they replace (Fisher's exact test, one-sided)."""
    if not newly.rows or not no_more.rows:
        return float("nan")
    rows, defaults = newly.rows + no_more.rows, newly.defaults + no_more.defaults
    return float(hypergeom.sf(newly.defaults - 1, rows, defaults, newly.rows))
