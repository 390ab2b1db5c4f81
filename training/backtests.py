"""Do defaults agree with the PDs that foretold them? Tests of level, by grade, by row and over periods; all pure."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import beta, binom, chi2, norm


def jeffreys_p(default_probability: float, defaults: int, rows: int) -> float:
    """P(true PD <= the PD used), prior Beta(1/2, 1/2): small says the PD is too low (ECB 2019, 2.5.3.1)."""
    return float(beta.cdf(default_probability, defaults + 0.5, rows - defaults + 0.5))


def jeffreys_interval(defaults: int, rows: int) -> tuple[float, float]:
    """Two-sided 95 % interval of a default rate, prior Beta(1/2, 1/2) (Brown, Cai and DasGupta, 2001)."""
    low, high = beta.ppf([0.025, 0.975], defaults + 0.5, rows - defaults + 0.5)
    return float(low), float(high)


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted for being many, step down (Holm, 1979); missing stay missing and do not count."""
    adjusted = np.full(len(p_values), np.nan)
    order = np.argsort(p_values, kind="stable")[: int((~np.isnan(p_values)).sum())]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def binomial_p(default_probability: float, defaults: int, rows: int) -> float:
    """P(as many defaults or more) were all rows independent with this PD (Basel WP14, 2005, ch. V, binomial test)."""
    return float(binom.sf(defaults - 1, rows, default_probability))


def vasicek_bound(default_probability: float, asset_correlation: float, confidence: float) -> float:
    """The default rate of a large grade that is not passed with `confidence` when defaults share one factor.

    Phi((Phi^-1(PD) + sqrt(rho) Phi^-1(q)) / sqrt(1 - rho)) (Vasicek, 2002; Basel CRE31).
    """
    shifted = norm.ppf(default_probability) + math.sqrt(asset_correlation) * norm.ppf(confidence)
    return float(norm.cdf(shifted / math.sqrt(1 - asset_correlation)))


def vasicek_p(default_probability: float, default_rate: float, asset_correlation: float) -> float:
    """P(a default rate this high or higher) of a large grade with this PD: the inverse of `vasicek_bound`."""
    apart = math.sqrt(1 - asset_correlation) * norm.ppf(default_rate) - norm.ppf(default_probability)
    return float(norm.sf(apart / math.sqrt(asset_correlation)))


def normal_test(default_rates: np.ndarray, mean_pds: np.ndarray, minimum_periods: int) -> tuple[float, float]:
    """z and one-sided p of rates above their PDs over periods (periods,) (Basel WP14, 2005, ch. V, normal test).

    z = sum(d_t - p_t) / (sqrt(T) tau), tau the standard deviation of d_t - p_t. Missing with fewer periods than
    asked for, or where the differences do not vary. Overlapping outcome windows are dependent: then p is too small.
    """
    apart = default_rates - mean_pds
    spread = float(apart.std(ddof=1)) if len(apart) >= max(2, minimum_periods) else 0.0
    if not spread:
        return math.nan, math.nan
    z = float(apart.sum() / (math.sqrt(len(apart)) * spread))
    return z, float(norm.sf(z))


def hosmer_lemeshow(rows: np.ndarray, defaults: np.ndarray, mean_pds: np.ndarray) -> tuple[float, float]:
    """Chi-squared and p over groups (groups,) of rows that did not fit the model: as many degrees as groups.

    sum((n p - d)^2 / (n p (1 - p))) (Hosmer and Lemeshow, 1980; chi2_k out of sample: Hosmer et al., 2013, 5.2.2).
    """
    filled = rows > 0
    n, d, p = rows[filled], defaults[filled], mean_pds[filled]
    value = float(((n * p - d) ** 2 / (n * p * (1 - p))).sum())
    return value, float(chi2.sf(value, len(n)))


def spiegelhalter(default_probability: np.ndarray, bad: np.ndarray) -> tuple[float, float]:
    """z and two-sided p of the Brier score against what the PDs (rows,) themselves expect (Spiegelhalter, 1986).

    z = sum((y - p)(1 - 2p)) / sqrt(sum((1 - 2p)^2 p (1 - p))); missing where every PD is 1/2.
    """
    slope = 1 - 2 * default_probability
    variance = float((slope**2 * default_probability * (1 - default_probability)).sum())
    if not variance:
        return math.nan, math.nan
    z = float(((bad - default_probability) * slope).sum()) / math.sqrt(variance)
    return z, float(2 * norm.sf(abs(z)))
