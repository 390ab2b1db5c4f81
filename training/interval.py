"""How far a PD may be off: the sampling error of its calibration and the turns of the economy, as a band around it.

Sampling: the band of a line of Cox (1958), default on the calibrated log-odds z, out of fold, on the rows that
calibrated. Its covariance is the sandwich of Liang and Zeger (1986), clustered by customer, because a customer's rows
are no independent evidence. The economy: the level of a vintage not yet seen has the spread s that the vintages of
these rows had (training.economy), or the setting's where that is more: a turn of the economy is not in the past. On the
scale of log-odds the band is z +- q sqrt(V00 + 2 z V01 + z^2 V11 + s^2), q the normal quantile.

It covers the default rate of all customers who score alike, in a month like those or turned by as much. It does not
cover what the score does not see of this one customer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
from scipy.special import expit, logit

from configs.certainty import Explanation
from training.dataset import Dataset
from training.economy import between_vintages


class PDInterval(msgspec.Struct, frozen=True):
    """The interval that holds the default rate of customers who score alike, at this confidence.

    It holds the doubt about the sample that calibrated and, of versions that measured it, about where the economy
    stands; not what the score does not see of this customer.
    """

    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The covariance of intercept and slope of default on calibrated log-odds, and what it was estimated from.

    `economy_spread` is the standard deviation of a vintage's level, in log-odds, that the interval counts with, and
    `economy_found` what the vintages of these rows showed of it: both 0 of a version made before they were measured.
    """

    intercept_variance: float
    covariance: float
    slope_variance: float
    confidence: float
    rows: int
    customers: int
    defaults: int
    economy_spread: float = 0.0
    economy_found: float = 0.0

    def around(self, log_odds: float) -> PDInterval:
        """The interval around the PD of calibrated `log_odds`; it always holds that PD."""
        variance = self.intercept_variance + 2 * log_odds * self.covariance + log_odds**2 * self.slope_variance
        half = NormalDist().inv_cdf(0.5 + self.confidence / 2) * math.sqrt(max(variance, 0.0) + self.economy_spread**2)
        return PDInterval(float(expit(log_odds - half)), float(expit(log_odds + half)), self.confidence)

    def of_sampling(self) -> Uncertainty:
        """The same without the economy: what another sample of the same months could say."""
        return replace(self, economy_spread=0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain values for training.json."""
        return asdict(self)


def uncertainty_from_json(values: Mapping[str, Any] | None) -> Uncertainty | None:
    """What `to_json` gave; None of a version that was made without."""
    return None if values is None else Uncertainty(**values)


def measure(rows: Dataset, default_probability: np.ndarray, wanted: Explanation) -> Uncertainty | None:
    """The uncertainty of PDs out of fold (rows,) on the rows they were calibrated on.

    None where the rows tell it not: one class alone, or PDs that are all the same.
    """
    log_odds = logit(default_probability)
    sampled = of_line(log_odds, rows.defaulted, rows.customer_id, wanted.pd_confidence)
    if sampled is None:
        return None
    found = between_vintages(log_odds, rows.defaulted, rows.customer_id, rows.as_of)
    return replace(sampled, economy_spread=max(found, wanted.economy_spread), economy_found=found)


def of_line(
    log_odds: np.ndarray, defaulted: np.ndarray, customer_id: np.ndarray, confidence: float
) -> Uncertainty | None:
    """The sampling error alone of the line through calibrated `log_odds` (rows,)."""
    if len(np.unique(defaulted)) < 2 or np.ptp(log_odds) <= 0:
        return None
    design = np.column_stack([np.ones(len(log_odds)), log_odds])
    probability = expit(log_odds)
    bread = np.linalg.inv(design.T @ (design * (probability * (1 - probability))[:, None]))
    _, customer = np.unique(customer_id.astype(str), return_inverse=True)
    scores = design * (defaulted - probability)[:, None]
    sums = np.column_stack([np.bincount(customer, scores[:, k]) for k in range(2)])
    few = len(sums) / (len(sums) - 1)  # clusters are a sample: Cameron and Miller (2015)
    covariance = few * bread @ (sums.T @ sums) @ bread
    return Uncertainty(
        float(covariance[0, 0]),
        float(covariance[0, 1]),
        float(covariance[1, 1]),
        confidence,
        len(log_odds),
        len(sums),
        int(defaulted.sum()),
    )
