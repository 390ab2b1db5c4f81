"""AUC against outcomes that are only probable, and its bootstrap by customer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.validate import Interval


def weighted_auc(score: np.ndarray, bad_weight: np.ndarray, good_weight: np.ndarray) -> float:
    """The share of pairs in order, a bad and a good each counted by its weight, (rows,); ties count half.

    With weights of 0 and 1 the AUC of Mann and Whitney (1947). Missing where either side has no weight.
    """
    order = np.argsort(score, kind="stable")
    ranked, bad, good = score[order], bad_weight[order], good_weight[order]
    total = float(bad.sum() * good.sum())
    if not total > 0:
        return float("nan")
    last = np.append(ranked[1:] != ranked[:-1], True)
    cumulative = good.cumsum()[last]
    tied = np.diff(cumulative, prepend=0.0)
    bads = np.diff(bad.cumsum()[last], prepend=0.0)
    return float((bads * (cumulative - tied / 2)).sum() / total)


def weighted_auc_interval(
    score: np.ndarray, share_bad: np.ndarray, customer_id: np.ndarray, draws: int, seed: int
) -> Interval:
    """AUC of `score` where each row is bad with probability `share_bad`, (rows,) each; customers are resampled."""
    rng = np.random.default_rng(seed)
    codes, customers = pd.factorize(customer_id)
    value = weighted_auc(score, share_bad, 1 - share_bad)
    found = []
    for _ in range(draws):
        times = np.bincount(rng.integers(0, len(customers), len(customers)), minlength=len(customers))[codes]
        found.append(weighted_auc(score, share_bad * times, (1 - share_bad) * times))
    low, high = np.nanquantile(found, [0.025, 0.975])
    return Interval(value, float(low), float(high))
