"""Raw scores to PDs, on rows the tuner never saw; how, those rows themselves decide out of sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, log_expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

Kind = Literal["intercept", "platt", "beta", "isotonic"]
_FOLDS = 5
_ISOTONIC_DEFAULTS = 1000  # fewer make steps of chance


@dataclass(frozen=True, slots=True)
class Calibration:
    """Log-odds of default from a raw score s; rising, so it keeps every rank.

    intercept + slope x s + bend x (ln p + ln(1 - p)), p = expit(s). Without bend this is Platt's (1999) line; with it
    the beta calibration of Kull, Silva Filho and Flach (2017, eq. 5), a = slope + bend, b = slope - bend, neither
    negative. With `knots` (raw score, log-odds), s is first put through the broken line they make.
    """

    intercept: float
    slope: float
    bend: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()
    kind: Kind = "platt"

    def log_odds(self, raw_score: np.ndarray) -> np.ndarray:
        """Log-odds of default, (rows,)."""
        score = _through(self.knots, raw_score) if self.knots else raw_score
        line = self.intercept + self.slope * score
        return line + self.bend * (log_expit(score) + log_expit(-score)) if self.bend else line

    def default_probability(self, raw_score: np.ndarray) -> np.ndarray:
        """PD, (rows,), between 0 and 1."""
        return expit(self.log_odds(raw_score))

    def through(self, intercept: float, slope: float) -> Calibration:
        """The calibration whose log-odds are intercept + slope x these: a rising line keeps every rank."""
        line = intercept + slope * self.intercept
        return replace(self, intercept=line, slope=slope * self.slope, bend=slope * self.bend)

    def slope_between(self, one: float, other: float) -> float:
        """Log-odds of default for each unit of raw score on the way between two raw scores: of a line, its slope."""
        if not self.knots and not self.bend:
            return self.slope
        if abs(one - other) < 1e-6:  # a secant this short is noise: take the tangent
            one, other = one - 1e-3, one + 1e-3
        low, high = self.log_odds(np.array([one, other]))
        return float((high - low) / (other - one))


def calibration_from_json(values: Mapping[str, Any]) -> Calibration:
    """A calibration as `asdict` and JSON left it."""
    return Calibration(**{**values, "knots": tuple((float(x), float(y)) for x, y in values["knots"])})


@dataclass(frozen=True, slots=True)
class Candidate:
    """How one kind did out of sample: mean log-loss, by how much it is worse than the best one, and the error of that.

    The standard error is of the paired difference, customers being the independent units.
    """

    kind: Kind
    log_loss: float
    worse_by: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """A calibration and what it was chosen among, simplest first; the long-run rate it was moved to, if any."""

    calibration: Calibration
    candidates: tuple[Candidate, ...]
    long_run_default_rate: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values for the record of the run."""
        return asdict(self)


def choose(
    raw_score: np.ndarray,
    defaulted: np.ndarray,
    customer_id: np.ndarray,
    seed: int,
    long_run_default_rate: float | None = None,
) -> Chosen:
    """The simplest calibration within one standard error of the best (Breiman et al., 1984, 3.4.3), by log-loss.

    Judged by cross-validation by customer inside the rows given, (rows,) each; fitted on all of them. Where either
    class has too few customers to fold, there is no evidence for more than the level: an intercept shift. With
    `long_run_default_rate` the intercept is moved at last, until the mean PD of these rows equals it.
    """
    candidates = _judged(raw_score, defaulted, customer_id, seed)
    kind: Kind = next((one.kind for one in candidates if one.worse_by <= one.standard_error), "intercept")
    made = _FITS[kind](raw_score, defaulted)
    if long_run_default_rate is not None:
        made = moved_to(made, raw_score, long_run_default_rate)
    return Chosen(made, candidates, long_run_default_rate)


def _judged(raw_score: np.ndarray, defaulted: np.ndarray, customer_id: np.ndarray, seed: int) -> tuple[Candidate, ...]:
    _, customer = np.unique(customer_id.astype(str), return_inverse=True)
    ever_bad = np.bincount(customer, defaulted) > 0
    if min(ever_bad.sum(), (~ever_bad).sum()) < 2 * _FOLDS:
        return ()
    fold = _folds(ever_bad, seed)[customer]
    few = defaulted.sum() < _ISOTONIC_DEFAULTS
    kinds: list[Kind] = [kind for kind in _FITS if not (few and kind == "isotonic")]
    losses = {kind: np.zeros(len(raw_score)) for kind in kinds}
    for number in range(_FOLDS):
        learn, judge = fold != number, fold == number
        for kind in kinds:
            log_odds = _FITS[kind](raw_score[learn], defaulted[learn]).log_odds(raw_score[judge])
            losses[kind][judge] = -log_expit(np.where(defaulted[judge] == 1, log_odds, -log_odds))
    best = min(losses.values(), key=lambda loss: float(loss.mean()))
    return tuple(
        Candidate(kind, float(loss.mean()), float((loss - best).mean()), standard_error(loss - best, customer))
        for kind, loss in losses.items()
    )


def _folds(ever_bad: np.ndarray, seed: int) -> np.ndarray:
    """A fold for each customer, so that those who ever went bad are spread evenly over the folds."""
    order = np.random.default_rng(seed).permutation(len(ever_bad))
    fold = np.empty(len(ever_bad), np.intp)
    fold[order[np.argsort(ever_bad[order], kind="stable")]] = np.arange(len(ever_bad)) % _FOLDS
    return fold


def standard_error(difference: np.ndarray, customer: np.ndarray) -> float:
    """Of the mean of `difference` (rows,), whose sums by `customer` (rows,), numbered from 0, are independent."""
    sums = np.bincount(customer, difference - difference.mean())
    return float(np.sqrt((sums**2).sum())) / len(difference)


def logistic_line(score: np.ndarray, defaulted: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the maximum likelihood logistic line of `defaulted` on `score`, without penalty."""
    intercept, slopes = _logistic(score[:, None], defaulted)
    return intercept, float(slopes[0])


def _logistic(columns: np.ndarray, defaulted: np.ndarray) -> tuple[float, np.ndarray]:
    line = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(columns, defaulted)
    return float(line.intercept_[0]), line.coef_[0]


def platt(raw_score: np.ndarray, defaulted: np.ndarray) -> Calibration:
    """The calibration of held-back rows. Where the line does not rise (noise), only the level is set."""
    intercept, slope = logistic_line(raw_score, defaulted)
    return Calibration(intercept, slope) if slope > 0 else intercept_shift(raw_score, defaulted)


def intercept_shift(raw_score: np.ndarray, defaulted: np.ndarray) -> Calibration:
    """Slope 1 and the intercept at which the mean PD equals the default rate."""
    return moved_to(Calibration(0.0, 1.0, kind="intercept"), raw_score, float(defaulted.mean()))


def beta(raw_score: np.ndarray, defaulted: np.ndarray) -> Calibration:
    """Kull, Silva Filho and Flach (2017): a logistic line on ln p and -ln(1 - p), neither coefficient negative.

    Where one would be negative it is nought and the other is fitted alone; where neither rises, the level is set.
    """
    columns = np.column_stack([log_expit(raw_score), -log_expit(-raw_score)])
    intercept, both = _logistic(columns, defaulted)
    slopes, kept = np.zeros(2), both > 0
    if kept.all():
        slopes = both
    elif kept.any():
        intercept, slopes[kept] = _logistic(columns[:, kept], defaulted)
    a, b = map(float, slopes)
    if min(a, b) < 0 or a + b <= 0:
        return intercept_shift(raw_score, defaulted)
    return Calibration(intercept, (a + b) / 2, (a - b) / 2, kind="beta")


def isotonic(raw_score: np.ndarray, defaulted: np.ndarray) -> Calibration:
    """Centred isotonic regression (Oron and Flournoy, 2017): the pooled rates at the mean score of their pool.

    Straight lines between the pools, and of slope 1 outside them, tie no scores that were apart. A pool of goods
    alone at the lower end, or of bads alone at the upper, has no log-odds and joins its neighbour. Broken lines do
    not keep the level, so the intercept sets it at last.
    """
    rates = IsotonicRegression().fit_transform(raw_score, defaulted)
    pooled = np.unique(rates, return_inverse=True)[1]
    last = pooled.max()
    if rates.min() == 0:
        pooled = np.maximum(pooled, min(1, last))
    if rates.max() == 1:
        pooled = np.minimum(pooled, max(last - 1, pooled.min()))
    pools = [pooled == pool for pool in np.unique(pooled)]
    centres = [float(raw_score[pool].mean()) for pool in pools]
    shares = [float(defaulted[pool].mean()) for pool in pools]
    knots = tuple(zip(centres, [float(np.log(share / (1 - share))) for share in shares], strict=True))
    return moved_to(Calibration(0.0, 1.0, knots=knots, kind="isotonic"), raw_score, float(defaulted.mean()))


def _through(knots: tuple[tuple[float, float], ...], raw_score: np.ndarray) -> np.ndarray:
    x, y = np.array(knots).T
    return np.interp(raw_score, x, y) + (raw_score - np.clip(raw_score, x[0], x[-1]))


def moved_to(calibration: Calibration, raw_score: np.ndarray, mean: float) -> Calibration:
    """`calibration` with the intercept at which the mean PD of `raw_score` (rows,) equals `mean`, above 0, below 1."""
    log_odds = calibration.log_odds(raw_score)
    target = np.log(mean / (1 - mean))
    # At these ends every PD lies below, and above, the mean asked for.
    low, high = target - log_odds.max() - 1, target - log_odds.min() + 1
    shift = brentq(lambda shift: expit(log_odds + shift).mean() - mean, low, high, xtol=1e-13, rtol=1e-14)
    return replace(calibration, intercept=calibration.intercept + float(shift))


_FITS: dict[Kind, Callable[[np.ndarray, np.ndarray], Calibration]] = {
    "intercept": intercept_shift,
    "platt": platt,
    "beta": beta,
    "isotonic": isotonic,
}
