"""Population stability with edges fixed at training, every bin kept, and a bound that knows how small the window is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from configs.settings import Monitoring


@dataclass(frozen=True, slots=True)
class Stability:
    """The PSI of one column, and the largest PSI that chance alone gives at the stated confidence."""

    name: str
    psi: float
    bound: float
    level: str


def edges_of(reference: np.ndarray, bins: int) -> np.ndarray:
    """Inner bin edges: the quantiles of the reference's present values, each once."""
    present = reference[~np.isnan(reference)]
    if not len(present):
        return np.empty(0)
    inner = np.unique(np.quantile(present, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf"))
    # Values equal to an edge fall below it, so an edge at the largest value would leave an empty bin above.
    return inner[inner < present.max()]


def counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Rows by bin; the last bin holds the missing values."""
    missing = np.isnan(values)
    place = np.searchsorted(edges, values[~missing], side="left")
    return np.append(np.bincount(place, minlength=len(edges) + 1), missing.sum())


def psi(now: np.ndarray, then: np.ndarray) -> float:
    """Sum of (a - e) ln(a / e) over bins of counts, half a row added to each so that an empty bin stays finite."""
    share_now = (now + 0.5) / (now.sum() + 0.5 * len(now))
    share_then = (then + 0.5) / (then.sum() + 0.5 * len(then))
    return float(np.sum((share_now - share_then) * np.log(share_now / share_then)))


def chance_bound(now: np.ndarray, then: np.ndarray, confidence: float) -> float:
    """The PSI that chance alone stays below: chi-squared quantile, B - 1 degrees, x (1/n + 1/m) (Yurdakul, 2018).

    Infinite where either side has no row: nothing can be said.
    """
    if not now.sum() or not then.sum():
        return float("inf")
    filled = int(((now + then) > 0).sum())
    if filled < 2:
        return 0.0
    return float(chi2.ppf(confidence, filled - 1) * (1 / now.sum() + 1 / then.sum()))


def stability(name: str, now: np.ndarray, then: np.ndarray, settings: Monitoring) -> Stability:
    """The PSI of `now` (rows,) against `then` (rows,): red or amber only beyond what chance explains."""
    edges = edges_of(then, settings.psi_bins)
    here, before = counts(now, edges), counts(then, edges)
    value, bound = psi(here, before), chance_bound(here, before, settings.confidence)
    level = "green"
    if value > bound and value >= settings.psi_watch:
        level = "red" if value >= settings.psi_act else "amber"
    return Stability(name, value, bound, level)


def stabilities(names: Sequence[str], now: np.ndarray, then: np.ndarray, settings: Monitoring) -> list[Stability]:
    """One for each column of the matrices (rows, columns), the most moved first."""
    found = [stability(name, now[:, place], then[:, place], settings) for place, name in enumerate(names)]
    return sorted(found, key=lambda item: -item.psi)
