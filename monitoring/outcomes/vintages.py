"""Vintages that are told of in part: who defaulted is told at once, who did not often months later, or never yet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.outcome import Labels

_FEW = 20  # decisions of a month: with fewer, the share known says nothing


def whole(labels: Labels, asked: np.ndarray, share: float) -> Labels:
    """Those outcomes whose month is known about `share` as fully as the best-known month, or more fully.

    `asked` (rows,) are the as_of of every decision, those of `labels` among them, days since 1970. A month whose
    defaults alone are told would read as one in which everybody defaulted. What is declined is never known; that is why
    months are held against each other.
    """
    if not len(labels):
        return labels
    months, of_asked = np.unique(_months(asked), return_inverse=True)
    asked_each = np.bincount(of_asked, minlength=len(months))
    place = np.searchsorted(months, _months(labels.as_of))
    known = np.bincount(place, minlength=len(months))
    covered = known / asked_each
    many = asked_each >= _FEW
    best = covered[many].max() if many.any() else 0.0
    kept = ((covered >= share * best) | ~many)[place]
    return replace(
        labels,
        customer_id=labels.customer_id[kept],
        as_of=labels.as_of[kept],
        defaulted=labels.defaulted[kept],
    )


def _months(days: np.ndarray) -> np.ndarray:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
