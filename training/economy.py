"""How much the level of the defaults moves from vintage to vintage, beyond what chance explains: the economy's spread.

A vintage is the calendar month asked about. Against PDs out of fold its level is off by d = (observed - expected) /
sum p(1 - p), in log-odds (one Newton step). The variance of its true level between vintages is the method of moments
of DerSimonian and Laird (1986) with weights sum p(1 - p), in the general form of DerSimonian and Kacker (2007): what
chance alone gives is taken from the rows, by customer, because one default stands in every vintage whose window it
falls into, and vintages that share their defaults differ less by chance than independent ones.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.special import expit


def between_vintages(log_odds: np.ndarray, defaulted: np.ndarray, customer_id: np.ndarray, as_of: np.ndarray) -> float:
    """The standard deviation of the log-odds level between vintages, of (rows,) each; `as_of` in days since 1970.

    0 with a single vintage, or where vintages differ no more than by chance. It tells how far levels lay apart within
    these months; where their windows overlap, or all lie in one stretch of the economy, a later month may lie further.
    """
    month = as_of.astype("datetime64[D]").astype("datetime64[M]")
    vintages, vintage = np.unique(month, return_inverse=True)
    if len(vintages) < 2:
        return 0.0
    _, customer = np.unique(customer_id.astype(str), return_inverse=True)
    probability = expit(log_odds)
    residual = defaulted - probability
    weight = np.bincount(vintage, probability * (1 - probability))
    level = np.bincount(vintage, residual) / weight
    scores = coo_array((residual, (customer, vintage))).tocsr()  # repeated places add up
    noise = (scores.T @ scores).toarray() / np.outer(weight, weight)
    contrast = np.diag(weight) - np.outer(weight, weight) / weight.sum()
    excess = level @ contrast @ level - np.trace(contrast @ noise)
    return float(np.sqrt(max(0.0, excess / np.trace(contrast))))
