"""From a PD to what is granted: a pure function of the product file's numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from configs.policy import Decision, Grade, Policy, harshest
from configs.settings import Product
from serving.knock_outs import Applicant, Hit, hits
from serving.price import Price, price


@dataclass(frozen=True, slots=True)
class Grant:
    """What the policy grants: the decision, the limit and the constraint that bound it, payment days, and why.

    `collateral` is what must be pledged, in currency, and `price` what the credit costs; None where the product asks
    for none, sets none, or nothing is granted. `knock_outs` are the rules that stood in the way.
    """

    decision: Decision
    limit: float
    binding_constraint: str
    terms_days: int
    flags: tuple[str, ...]
    collateral: float | None = None
    price: Price | None = None
    knock_outs: tuple[Hit, ...] = ()


def grant(product: Product, grade: Grade, default_probability: float, applicant: Applicant) -> Grant:
    """Limit = min(need, capacity, appetite, cap), whole units of currency, rounded down.

    need: what was asked for; capacity: the product's capacity feature x the grade's multiple; appetite: the loss
    budget over PD x loss given default, less what connected customers have already; cap: the grade's.
    The decision is the harshest of: the grade's, or a referral within the referral band; each knock-out that hits; a
    referral where nothing at all is known of the customer, where what is known is in doubt, where the product measures
    capacity and this customer's is unknown, or where the rate that covers the risk lies above the highest allowed; and
    what the product does with a limit below its minimum or of nothing: refer, or decline. What is declined is granted
    nothing.
    """
    policy = product.policy
    stopped = hits(policy.knock_outs, applicant)
    decision, flags = _decision_by_pd(policy, grade, default_probability)
    flags = (*flags, *applicant.doubts)
    if decision == "decline":
        return _declined("grade", applicant.doubts, stopped)
    if any(hit.decision == "decline" for hit in stopped):
        return _declined("knock_out", flags, stopped)
    if not applicant.known:
        return Grant("refer", 0.0, "no_records", grade.terms_days, (*flags, "no_records"), knock_outs=stopped)
    bounds = bounds_of(policy, grade, default_probability, applicant)
    if policy.capacity_feature is not None and "capacity" not in bounds:
        flags = (*flags, "capacity_unknown")
    binding = min(bounds, key=lambda name: bounds[name])
    limit = float(math.floor(bounds[binding]))
    if limit < policy.minimum_limit or limit <= 0:
        limit, flags = 0.0, (*flags, "limit_below_minimum")
        if policy.below_minimum == "decline":
            return _declined(binding, flags, stopped)
    cost, held_down = _price(product, default_probability)
    if held_down:
        flags = (*flags, "rate_at_maximum")
    return Grant(
        decision=harshest([decision, "refer"]) if flags or stopped else decision,
        limit=limit,
        binding_constraint=binding,
        terms_days=grade.terms_days,
        flags=flags,
        collateral=None if grade.collateral_share is None else round(limit * grade.collateral_share, 2),
        price=cost,
        knock_outs=stopped,
    )


def _declined(binding: str, flags: tuple[str, ...], stopped: tuple[Hit, ...]) -> Grant:
    return Grant("decline", 0.0, binding, 0, flags, knock_outs=stopped)


def _decision_by_pd(policy: Policy, grade: Grade, default_probability: float) -> tuple[Decision, tuple[str, ...]]:
    if policy.referral_band is not None and policy.referral_band.holds(default_probability):
        return "refer", ("referral_band",)
    return grade.decision, ()


def bounds_of(policy: Policy, grade: Grade, default_probability: float, applicant: Applicant) -> dict[str, float]:
    """What may bound a limit, by name; one that is not known or not said is left out."""
    bounds = {"cap": grade.limit_cap, "appetite": _appetite(policy, default_probability, applicant.group_exposure)}
    if policy.capacity_feature is not None:
        capacity = applicant.features[policy.capacity_feature]
        if capacity is not None:
            bounds["capacity"] = max(0.0, capacity) * grade.capacity_multiple
    if applicant.requested_amount is not None:
        bounds["need"] = applicant.requested_amount
    return bounds


def _appetite(policy: Policy, default_probability: float, group_exposure: float | None) -> float:
    loss_rate = default_probability * policy.loss_given_default
    whole = policy.loss_budget / loss_rate if loss_rate > 0 else math.inf
    return max(0.0, whole - (group_exposure or 0.0))


def _price(product: Product, default_probability: float) -> tuple[Price | None, bool]:
    if product.policy.pricing is None:
        return None, False
    months = product.outcome.window_months
    return price(product.policy.pricing, default_probability, product.policy.loss_given_default, months)
