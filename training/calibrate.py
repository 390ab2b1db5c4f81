"""Raw scores to PDs, on rows the tuner never saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt's (1999): log-odds of default = intercept + slope x raw score; a positive slope keeps every rank."""

    intercept: float
    slope: float

    def log_odds(self, raw_score: np.ndarray) -> np.ndarray:
        """Log-odds of default, (rows,)."""
        return self.intercept + self.slope * raw_score

    def default_probability(self, raw_score: np.ndarray) -> np.ndarray:
        """PD, (rows,), between 0 and 1."""
        return expit(self.log_odds(raw_score))


def logistic_line(score: np.ndarray, defaulted: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the maximum likelihood logistic line of `defaulted` on `score`, without penalty."""
    line = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(score[:, None], defaulted)
    return float(line.intercept_[0]), float(line.coef_[0, 0])


def platt(raw_score: np.ndarray, defaulted: np.ndarray) -> Calibration:
    """The calibration of held-back rows. Where the line does not rise (noise), only the level is set."""
    intercept, slope = logistic_line(raw_score, defaulted)
    return Calibration(intercept, slope) if slope > 0 else intercept_shift(raw_score, defaulted)


def intercept_shift(raw_score: np.ndarray, defaulted: np.ndarray) -> Calibration:
    """Slope 1 and the intercept at which the mean PD equals the default rate (bisection to 1e-12)."""
    low, high = -30.0, 30.0
    target = defaulted.mean()
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (low, middle) if expit(raw_score + middle).mean() > target else (middle, high)
    return Calibration((low + high) / 2, 1.0)
