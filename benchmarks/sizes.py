"""How often do our tests and intervals err? True size of the Jeffreys test, coverage of 95 % intervals.

Size, exact: the chance that a right PD is called too low at a nominal 5 %, defaults independent or bound by one factor
(Vasicek, 2002), the factor integrated by Gauss-Hermite quadrature; no draws. Coverage: samples of a simulated portfolio
whose true PDs are known, outcomes drawn anew from them; AUC by DeLong, default rate by Jeffreys, against what holds in
the whole portfolio. Run: python -m benchmarks.sizes [--customers 8000] [--samples 500]
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, logit
from scipy.stats import binom, norm, rankdata
from tqdm import trange

from benchmarks.common import begun, keep
from features.simulate import Scenario, simulate
from training.backtests import jeffreys_interval, jeffreys_p
from training.validate import auc_interval

NOMINAL = 0.05
_NODES = 80
_SAMPLE = 1_500


def jeffreys_size(default_probability: float, rows: int, asset_correlation: float) -> float:
    """P(the Jeffreys test rejects at 5 %) though the PD is right, its `rows` bound by `asset_correlation`."""
    fewest = _fewest_that_reject(default_probability, rows)
    if not asset_correlation:
        return float(binom.sf(fewest - 1, rows, default_probability))
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    apart = norm.ppf(default_probability) - np.sqrt(asset_correlation) * nodes
    given = norm.cdf(apart / np.sqrt(1 - asset_correlation))
    return float(weights @ binom.sf(fewest - 1, rows, given) / weights.sum())


def _fewest_that_reject(default_probability: float, rows: int) -> int:
    """The test's p falls with the defaults, so it is found by halving."""
    low, high = 0, rows
    while low < high:
        middle = (low + high) // 2
        if jeffreys_p(default_probability, middle, rows) < NOMINAL:
            high = middle
        else:
            low = middle + 1
    return low


def expected_auc(score: np.ndarray, true_pd: np.ndarray) -> float:
    """The AUC of `score` (rows,) in a population of which each row defaults with `true_pd`: pairs weighed by both."""
    order = np.argsort(score, kind="stable")
    rank = rankdata(score, "min")[order].astype(int) - 1, rankdata(score, "max")[order].astype(int)
    good = np.concatenate([[0.0], np.cumsum(1 - true_pd[order])])
    below, tied = good[rank[0]], good[rank[1]] - good[rank[0]]
    return float(true_pd[order] @ (below + tied / 2) / (true_pd.sum() * (1 - true_pd).sum()))


def coverage(true_pd: np.ndarray, score: np.ndarray, samples: int, seed: int, steps: Callable[[int], Any]) -> Any:
    """The share of samples whose interval holds what is true of all rows: of the AUC, and of the default rate."""
    rng = np.random.default_rng(seed)
    auc, rate = expected_auc(score, true_pd), float(true_pd.mean())
    held = np.zeros(2)
    for _ in steps(samples):
        rows = rng.integers(0, len(true_pd), _SAMPLE)
        bad = rng.random(_SAMPLE) < true_pd[rows]
        ranked = auc_interval(score[rows], bad)
        low, high = jeffreys_interval(int(bad.sum()), _SAMPLE)
        held += [ranked.low <= auc <= ranked.high, low <= rate <= high]
    return dict(zip(("auc_delong", "default_rate_jeffreys"), (held / samples).tolist(), strict=True))


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=8_000)
    parser.add_argument("--samples", type=int, default=500)
    arguments = parser.parse_args()
    run = begun(dt.datetime.now(dt.UTC), (9_100, 1, 2), f"sizes exact; coverage of {arguments.samples} samples")
    sizes = [
        {"pd": pd, "rows": rows, **{f"rho_{rho:g}": jeffreys_size(pd, rows, rho) for rho in (0.0, 0.04, 0.12)}}
        for pd in (0.005, 0.02, 0.1)
        for rows in (200, 1_000, 10_000)
    ]
    for row in sizes:
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
    portfolio = simulate(Scenario(customers=arguments.customers, seed=9_100, months=24, base_hazard=-5.4))
    true_pd = portfolio.outcomes([3, 9])["true_pd"].to_numpy()
    true_pd = np.clip(true_pd, 1e-9, 1 - 1e-9)
    # A model that sees the truth through noise, as any model does.
    score = expit(logit(true_pd) + np.random.default_rng(1).normal(0, 1, len(true_pd)))
    covered = coverage(true_pd, score, arguments.samples, 2, trange)
    print("  ".join(f"{name} {value:.3f}" for name, value in covered.items()))
    values = {"jeffreys_nominal": NOMINAL, "sizes": sizes, "sample": _SAMPLE, "coverage_of_95": covered}
    print(keep("sizes", values | {"samples": arguments.samples}, run))


if __name__ == "__main__":
    main()
