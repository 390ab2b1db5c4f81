"""What another model would have been worth under the same policy, in money, with a bound that chance is held against.

A decision grants a limit. Of a good customer the lender earns margin x exposure, of a bad one it loses loss given
default x exposure at default; what is declined earns and loses nothing. Models are compared at equal exposure: a model
with lower PDs lends more under any policy, and to lend more is the policy's decision, not the model's merit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.settings import Product
from configs.watching import Worth as WorthSettings
from features import matrix
from features.catalogue import compile_program, features_named
from features.contracts import Columns
from monitoring.drift.grants import granted
from monitoring.drift.windows import Asked
from serving.price import price
from training.scaling import make_scale
from training.validate import Interval


@dataclass(frozen=True, slots=True)
class Decided:
    """What the policy grants on the PDs of one model, (rows,) each: the limit times how likely it is granted.

    `margin` is earned on a unit of exposure of a good, within the outcome window.
    """

    decision: np.ndarray
    limit: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True, slots=True)
class Worth:
    """The value of one model's decisions in place of another's, in money over `horizon_months` at today's volume.

    `value` with its bounds is at equal exposure; `as_granted` leaves each model the exposure the policy gives it, which
    changes by the share `exposure_change`. `changed` of the rows came out otherwise, in kind or in limit. `volume` is
    the decisions expected in the horizon.
    """

    rows: int
    defaults: int
    changed: int
    volume: float
    horizon_months: int
    value: float
    low: float
    high: float
    confidence: float
    as_granted: float
    exposure_change: float
    cost: float

    @property
    def pays(self) -> bool:
        """Whether the change is worth more than it costs, beyond doubt."""
        return self.low > self.cost


def decided(product: Product, default_probability: np.ndarray, reads: np.ndarray, settings: WorthSettings) -> Decided:
    """The policy applied to PDs (rows,) and `reads` (rows, features the policy looks at, in the order of its `reads`).

    Nobody asked for an amount: the limit is what the policy would grant. A referral is granted with the stated share.
    """
    unsaid = np.full(len(default_probability), np.nan)
    asked = Asked(unsaid, unsaid, np.ones(len(default_probability), bool))
    features = dict(zip(product.policy.reads(), reads.T, strict=True))
    grade = make_scale(product.scaling, product.grades).grade_index(default_probability)
    book = granted(product, default_probability, grade, features, asked)
    return Decided(
        np.where(book.approved, "approve", np.where(book.referred, "refer", "decline")).astype(object),
        book.limit * np.where(book.referred, settings.referred_share, 1.0),
        _margin(product, default_probability, settings),
    )


def _margin(product: Product, default_probability: np.ndarray, settings: WorthSettings) -> np.ndarray:
    pricing = product.policy.pricing
    if pricing is None:
        return np.full(len(default_probability), settings.margin)
    window, loss = product.outcome.window_months, product.policy.loss_given_default
    rates = np.array([price(pricing, one, loss, window)[0].rate for one in default_probability.tolist()])
    return (rates - pricing.funding_rate - pricing.operating_cost_rate) * window / 12


def profit(product: Product, made: Decided, bad: np.ndarray, settings: WorthSettings) -> np.ndarray:
    """What each decision earned or lost, (rows,), in currency, given what became of the customers (rows,)."""
    earned = np.where(bad.astype(bool), -product.policy.loss_given_default, made.margin)
    return np.asarray(settings.exposure_share * made.limit * earned)


def compare(
    product: Product,
    champion: Decided,
    challenger: Decided,
    bad: np.ndarray,
    customer_id: np.ndarray,
    yearly: float,
    settings: WorthSettings,
) -> Worth | None:
    """The challenger's decisions in place of the champion's on the same rows, with outcomes (rows,) known.

    `yearly` decisions are expected in twelve months. The bounds come from a paired bootstrap that draws customers with
    all their rows. None where too few defaults are known to value anything.
    """
    if int(bad.sum()) < settings.minimum_defaults:
        return None
    sides = (champion, challenger)
    profits = [profit(product, made, bad, settings) for made in sides]
    columns = np.column_stack([*profits, *(made.limit for made in sides)])
    volume = yearly * settings.horizon_months / 12
    means = columns.mean(0)
    drawn = _at_equal_exposure(bootstrap_means(columns, customer_id, settings.draws, settings.seed)) * volume
    low, high = np.quantile(drawn, [1 - settings.confidence, settings.confidence])
    changed = (challenger.decision != champion.decision) | (challenger.limit != champion.limit)
    return Worth(
        rows=len(bad),
        defaults=int(bad.sum()),
        changed=int(changed.sum()),
        volume=volume,
        horizon_months=settings.horizon_months,
        value=float(_at_equal_exposure(means[None])[0]) * volume,
        low=float(low),
        high=float(high),
        confidence=settings.confidence,
        as_granted=float(means[1] - means[0]) * volume,
        exposure_change=float(means[3] / means[2] - 1) if means[2] else 0.0,
        cost=settings.cost_of_change,
    )


def _at_equal_exposure(means: np.ndarray) -> np.ndarray:
    """Challenger's profit, its exposure scaled to the champion's, less the champion's; nothing lent earns nothing.

    `means` (samples, 4): profit of champion and challenger, limits of champion and challenger.
    """
    lends = means[:, 3] > 0
    scale = np.divide(means[:, 2], means[:, 3], out=np.zeros(len(means)), where=lends)
    return np.asarray(means[:, 1] * scale - means[:, 0])


def misstated(
    product: Product,
    made: Decided,
    default_probability: np.ndarray,
    bad: np.ndarray,
    customer_id: np.ndarray,
    yearly: float,
    settings: WorthSettings,
) -> Interval:
    """The loss beyond what the PDs foretold on what was granted, money over the horizon, with its two-sided bounds.

    Sum of loss given default x exposure x (bad - PD), (rows,): above 0 the lender loses more than it set out to.
    """
    loss = product.policy.loss_given_default * settings.exposure_share * made.limit * (bad - default_probability)
    volume = yearly * settings.horizon_months / 12
    drawn = bootstrap_means(loss[:, None], customer_id, settings.draws, settings.seed)[:, 0] * volume
    low, high = np.quantile(drawn, [1 - settings.confidence, settings.confidence])
    return Interval(float(loss.mean()) * volume, float(low), float(high))


def bootstrap_means(columns: np.ndarray, customer_id: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The means of `columns` (rows, columns) in samples of customers with replacement, (draws, columns).

    The rows of a customer stay together (cluster bootstrap: Davison and Hinkley, 1997, 3.8).
    """
    rng = np.random.default_rng(seed)
    codes, customers = pd.factorize(customer_id)
    sums = np.column_stack([np.bincount(codes, column, minlength=len(customers)) for column in columns.T])
    rows = np.bincount(codes, minlength=len(customers))
    means = np.empty((draws, columns.shape[1]))
    for place in range(draws):
        times = np.bincount(rng.integers(0, len(customers), len(customers)), minlength=len(customers))
        means[place] = times @ sums / (times @ rows)
    return means


def policy_reads(
    product: Product, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: np.ndarray
) -> np.ndarray:
    """What the policy looks at, (rows, features), in the order of its `reads`, of each (customer_id, as_of)."""
    names = product.policy.reads()
    if not names:
        return np.empty((len(as_of), 0))
    columns = {column.name: column for column in product.columns}
    described = [
        columns[name].model_dump() | {"group": "column", "categories": ()} if name in columns else _declared(name)
        for name in names
    ]
    return matrix.build(compile_program(features_named(described)), tables, customer_id, as_of)


def _declared(name: str) -> dict[str, object]:
    return {"name": name, "group": ""}


def reads_of(names: Sequence[str], product: Product, values: np.ndarray) -> np.ndarray:
    """The same out of a model's own matrix (rows, features) with these column names."""
    return values[:, [list(names).index(name) for name in product.policy.reads()]]


def yearly_volume(as_of: np.ndarray, decisions: int) -> float:
    """Decisions in twelve months at the pace of those asked on `as_of` (rows,), days since 1970.

    A single date is a whole book looked at once: as many a year as there are rows.
    """
    days = int(np.ptp(as_of)) if len(as_of) else 0
    return float(decisions) if days < 28 else decisions * 365.25 / (days + _pace(as_of))


def _pace(as_of: np.ndarray) -> float:
    """The usual gap between dates, which the last of them stands for too."""
    dates = np.unique(as_of)
    return float(np.median(np.diff(dates))) if len(dates) > 1 else 1.0
