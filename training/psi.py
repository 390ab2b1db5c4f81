"""Population stability of counts: edges fixed by the reference, every bin kept, and what chance alone would give."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2


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
