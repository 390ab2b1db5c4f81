"""The policy over a whole book at once: what `serving.policy.grant` decides one by one, for monitoring's what-ifs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from configs.policy import KnockOut, Policy
from configs.settings import Product
from monitoring.drift.windows import Asked
from serving.knock_outs import HOLDS
from serving.price import covering_rate


@dataclass(frozen=True, slots=True)
class Book:
    """What a policy makes of a book, (rows,) each: PD, whether approved or referred, and the limit, 0 if declined."""

    default_probability: np.ndarray
    approved: np.ndarray
    referred: np.ndarray
    limit: np.ndarray


def granted(
    product: Product,
    default_probability: np.ndarray,
    grade: np.ndarray,
    features: dict[str, np.ndarray],
    asked: Asked,
) -> Book:
    """The grants of rows with these PDs, positions on the masterscale, and `features` that the policy reads.

    Row by row the same as `serving.policy.grant`, whose docstring gives the rules; a test holds the two equal.
    """
    policy = product.policy
    declined, stopped = _stopped(policy, features, asked)
    by_grade = np.array([one.decision for one in product.grades])[grade]
    in_band = _in_band(policy, default_probability)
    declined |= (by_grade == "decline") & ~in_band
    limit, capacity_unknown = _limit(product, default_probability, grade, features, asked)
    small = (limit < policy.minimum_limit) | (limit <= 0)
    limit = np.where(small, 0.0, limit)
    if policy.below_minimum == "decline":
        declined |= small & asked.known
    referred = (
        stopped
        | in_band
        | (by_grade == "refer")
        | small
        | capacity_unknown
        | ~asked.known
        | _above_maximum(product, default_probability)
    )
    limit = np.where(declined | ~asked.known, 0.0, limit)
    return Book(default_probability, ~declined & ~referred, ~declined & referred, limit)


def _stopped(policy: Policy, features: dict[str, np.ndarray], asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Rows that a knock-out declines, and rows that any knock-out stops."""
    declined, stopped = np.zeros(len(asked.known), bool), np.zeros(len(asked.known), bool)
    for rule in policy.knock_outs:
        value = _value(rule, features, asked)
        missing = np.isnan(value)
        holds = ~missing & HOLDS[rule.operator](value, rule.bound)
        stopped |= holds | (missing & (rule.missing == "refer"))
        declined |= holds & (rule.decision == "decline")
    return declined, stopped


def _value(rule: KnockOut, features: dict[str, np.ndarray], asked: Asked) -> np.ndarray:
    if rule.feature is not None:
        return features[rule.feature]
    return asked.requested_amount if rule.request == "requested_amount" else asked.group_exposure


def _in_band(policy: Policy, default_probability: np.ndarray) -> np.ndarray:
    band = policy.referral_band
    if band is None:
        return np.zeros(len(default_probability), bool)
    return (band.low <= default_probability) & (default_probability <= band.high)


def _limit(
    product: Product,
    default_probability: np.ndarray,
    grade: np.ndarray,
    features: dict[str, np.ndarray],
    asked: Asked,
) -> tuple[np.ndarray, np.ndarray]:
    """The smallest bound of each row in whole units of currency, and where capacity is measured but unknown."""
    policy = product.policy
    cap, multiple = (np.array([getattr(one, name) for one in product.grades])[grade] for name in _EARNED)
    with np.errstate(divide="ignore"):
        whole = policy.loss_budget / (default_probability * policy.loss_given_default)
    appetite = np.maximum(0.0, whole - np.nan_to_num(asked.group_exposure))
    bound = np.fmin(np.minimum(cap, appetite), asked.requested_amount)
    unknown = np.zeros(len(grade), bool)
    if policy.capacity_feature is not None:
        capacity = features[policy.capacity_feature]
        unknown = np.isnan(capacity)
        bound = np.fmin(bound, np.maximum(0.0, capacity) * multiple)
    return np.floor(bound), unknown


_EARNED = ("limit_cap", "capacity_multiple")


def _above_maximum(product: Product, default_probability: np.ndarray) -> np.ndarray:
    """Where the rate that covers the risk lies above the highest allowed."""
    pricing = product.policy.pricing
    if pricing is None or pricing.maximum_rate is None:
        return np.zeros(len(default_probability), bool)
    loss, window = product.policy.loss_given_default, product.outcome.window_months
    rates = [covering_rate(pricing, one, loss, window) for one in default_probability.tolist()]
    return np.array(rates) > pricing.maximum_rate
