"""The label clock: which outcomes may train or judge a model at a given day, and how many may not yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.contracts import NEVER, Columns
from features.history import replaced_on
from features.matrix import window_starts


@dataclass(frozen=True, slots=True)
class Labels:
    """Matured outcomes: one per (customer, as_of); `immature` is how many wait for their window to close."""

    customer_id: np.ndarray
    as_of: np.ndarray
    defaulted: np.ndarray
    immature: int

    def __len__(self) -> int:
        return len(self.as_of)


def matured(outcomes: Columns, window_months: int, now: int) -> Labels:
    """The outcomes that may be used at `now` (days since 1970).

    A row is matured when its outcome window has closed by `now` and it was observed that long. A default inside the
    window that is known already still waits for the window of its whole vintage: taking bads early and goods late
    would train on too many bads. `observed_until` missing means observed to the window's end. Of an outcome that
    was restated, the version known last at `now` counts.
    """
    as_of = outcomes["as_of"]
    end = window_end(as_of, window_months)
    observed = outcomes["observed_until"]
    whole = (observed == NEVER) | (observed >= end) | (outcomes["defaulted"] > 0)
    codes = outcomes["customer_id"].codes
    replaced = replaced_on(outcomes, ("as_of",), codes)
    current = (outcomes["known_time"] <= now) & (replaced > now)
    usable = (end <= now) & whole & current
    asked = len(np.unique(np.stack([codes, as_of]), axis=1).T)
    return Labels(
        outcomes["customer_id"].take(usable).to_objects(),
        as_of[usable],
        outcomes["defaulted"][usable].astype(np.int8),
        int(asked - usable.sum()),
    )


def window_end(as_of: np.ndarray, months: int) -> np.ndarray:
    """The last day of the outcome window that opens at each as_of (month ends go to month ends)."""
    return window_starts(as_of, (-months,))[0]
