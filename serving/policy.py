"""From a PD to what is granted: a pure function of the product file's numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from configs.settings import Decision, Grade, Policy


@dataclass(frozen=True, slots=True)
class Grant:
    """What the policy grants: the decision, the limit and the constraint that bound it, payment days, and why."""

    decision: Decision
    limit: float
    binding_constraint: str
    terms_days: int
    flags: tuple[str, ...]


def grant(
    grade: Grade,
    policy: Policy,
    default_probability: float,
    requested: float | None,
    capacity: float | None,
    known: bool = True,
) -> Grant:
    """Limit = min(need, capacity, appetite, cap), whole units of currency, rounded down.

    need: what was asked for; capacity: the product's capacity feature x the grade's multiple; appetite: the loss
    budget over PD x loss given default; cap: the grade's. Where the product measures capacity and this customer's
    is unknown, a person decides; so it does where the limit falls below the product's minimum, or where nothing at
    all is `known` of the customer. A declined grade grants nothing.
    """
    if grade.decision == "decline":
        return Grant("decline", 0.0, "grade", 0, ())
    if not known:
        return Grant("refer", 0.0, "no_records", grade.terms_days, ("no_records",))
    bounds = {"cap": grade.limit_cap, "appetite": _appetite(policy, default_probability)}
    flags: list[str] = []
    if policy.capacity_feature is not None:
        if capacity is None:
            flags.append("capacity_unknown")
        else:
            bounds["capacity"] = max(0.0, capacity) * grade.capacity_multiple
    if requested is not None:
        bounds["need"] = requested
    binding = min(bounds, key=lambda name: bounds[name])
    limit = float(math.floor(bounds[binding]))
    if binding != "need" and limit < policy.minimum_limit:
        flags.append("limit_below_minimum")
        limit = 0.0
    decision: Decision = "refer" if flags else grade.decision
    return Grant(decision, limit, binding, grade.terms_days, tuple(flags))


def _appetite(policy: Policy, default_probability: float) -> float:
    loss_rate = default_probability * policy.loss_given_default
    return policy.loss_budget / loss_rate if loss_rate > 0 else math.inf
