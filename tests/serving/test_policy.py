"""The policy over every shipped product: more risk never earns more, and no grant exceeds any of its bounds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.settings import ColumnSpec, Decision, Grade, Policy, Product, flat_product, load_product, product_names
from serving.policy import Grant, grant

NOWHERE = Path("/nonexistent")
PRODUCTS = [load_product(name, NOWHERE) for name in product_names(NOWHERE)]
PRODUCTS.append(flat_product("flat", "A flat table", (ColumnSpec(name="income"),)))

products = st.sampled_from(PRODUCTS)
default_probabilities = st.floats(0, 1) | st.floats(-7, 0).map(lambda power: 10.0**power)
amounts = st.none() | st.floats(0, 1e9)
capacities = st.none() | st.floats(-1e9, 1e9)


def grade_of(product: Product, default_probability: float) -> Grade:
    return next(g for g in product.grades if g.pd_below is None or default_probability < g.pd_below)


def granted(
    product: Product, default_probability: float, requested: float | None, capacity: float | None, known: bool = True
) -> Grant:
    grade = grade_of(product, default_probability)
    return grant(grade, product.policy, default_probability, requested, capacity, known)


def bounds(product: Product, pd: float, requested: float | None, capacity: float | None) -> list[float]:
    """The documented bounds, worked out anew: cap, appetite, and need and capacity where there are such."""
    grade, policy = grade_of(product, pd), product.policy
    least = [grade.limit_cap]
    if pd * policy.loss_given_default > 0:
        least.append(policy.loss_budget / (pd * policy.loss_given_default))
    if requested is not None:
        least.append(requested)
    if capacity is not None and policy.capacity_feature is not None:
        least.append(max(capacity, 0) * grade.capacity_multiple)
    return least


riskier = st.tuples(default_probabilities, default_probabilities).map(sorted)


@given(products, riskier, amounts, capacities, st.booleans())
def test_a_higher_pd_never_earns_a_higher_limit(product, pds, requested, capacity, known) -> None:
    better, worse = (granted(product, pd, requested, capacity, known) for pd in pds)
    assert worse.limit <= better.limit


@given(products, riskier, amounts, capacities, st.booleans())
def test_a_higher_pd_never_earns_longer_terms(product, pds, requested, capacity, known) -> None:
    better, worse = (granted(product, pd, requested, capacity, known) for pd in pds)
    assert worse.terms_days <= better.terms_days


@given(products, riskier, amounts, capacities, st.booleans())
def test_a_higher_pd_never_earns_a_milder_decision(product, pds, requested, capacity, known) -> None:
    mildest_first = get_args(Decision)
    better, worse = (granted(product, pd, requested, capacity, known) for pd in pds)
    assert mildest_first.index(worse.decision) >= mildest_first.index(better.decision)


@given(products, default_probabilities, amounts, capacities)
def test_a_limit_exceeds_none_of_cap_need_capacity_and_appetite(product, pd, requested, capacity) -> None:
    assert granted(product, pd, requested, capacity).limit <= min(bounds(product, pd, requested, capacity))


@given(products, default_probabilities, amounts, capacities)
def test_a_limit_that_is_granted_is_the_least_bound_rounded_down(product, pd, requested, capacity) -> None:
    made = granted(product, pd, requested, capacity)
    if made.decision != "decline" and "limit_below_minimum" not in made.flags:
        assert made.limit == math.floor(min(bounds(product, pd, requested, capacity)))


@given(products, default_probabilities, amounts, capacities)
def test_expected_loss_stays_within_the_budget(product, pd, requested, capacity) -> None:
    loss = pd * product.policy.loss_given_default * granted(product, pd, requested, capacity).limit
    assert loss <= product.policy.loss_budget * (1 + 1e-12)


@given(products, default_probabilities, amounts)
def test_a_capacity_that_should_be_known_and_is_not_is_never_approved(product, pd, requested) -> None:
    made = granted(product, pd, requested, None)
    if product.policy.capacity_feature is not None:
        assert made.decision != "approve"


@given(products, default_probabilities, amounts, capacities)
def test_a_customer_without_any_record_is_never_approved(product, pd, requested, capacity) -> None:
    assert granted(product, pd, requested, capacity, known=False).decision != "approve"


@given(products, default_probabilities, amounts, capacities)
def test_a_customer_without_any_record_gets_no_limit(product, pd, requested, capacity) -> None:
    assert granted(product, pd, requested, capacity, known=False).limit == 0


@given(products, amounts, capacities, st.booleans())
def test_a_declined_grade_grants_nothing(product, requested, capacity, known) -> None:
    assert granted(product, 1.0, requested, capacity, known) == Grant("decline", 0.0, "grade", 0, ())


@given(products, default_probabilities, amounts, capacities)
def test_a_limit_is_either_nothing_what_was_asked_or_at_least_the_minimum(product, pd, requested, capacity) -> None:
    limit = granted(product, pd, requested, capacity).limit
    assert limit == 0 or limit >= math.floor(product.policy.minimum_limit) or limit == math.floor(requested)


GOOD = Grade(name="A", decision="approve", terms_days=30, limit_cap=1000.0, capacity_multiple=2.0)
POLICY = Policy(loss_given_default=0.5, loss_budget=10.0, capacity_feature="income", minimum_limit=50.0)


@pytest.mark.parametrize(
    ("default_probability", "requested", "capacity", "limit", "binding"),
    [
        (0.001, None, 5000.0, 1000.0, "cap"),  # appetite 10 / (0.001 x 0.5) = 20,000
        (0.04, None, 5000.0, 500.0, "appetite"),  # 10 / (0.04 x 0.5)
        (0.001, None, 120.7, 241.0, "capacity"),  # 241.4 rounded down
        (0.001, 99.99, 5000.0, 99.0, "need"),
        (0.0, None, 5000.0, 1000.0, "cap"),  # no loss expected, so no appetite binds
        (0.001, 20.0, 5000.0, 20.0, "need"),  # asked for less than the minimum: that is enough
    ],
)
def test_the_limit_of_a_hand_worked_case(default_probability, requested, capacity, limit, binding) -> None:
    made = grant(GOOD, POLICY, default_probability, requested, capacity)
    assert (made.decision, made.limit, made.binding_constraint) == ("approve", limit, binding)


def test_a_limit_below_the_minimum_is_referred_without_a_limit() -> None:
    made = grant(GOOD, POLICY, 0.001, None, 20.0)
    assert (made.decision, made.limit, made.flags) == ("refer", 0.0, ("limit_below_minimum",))


def test_a_negative_capacity_counts_as_none() -> None:
    assert grant(GOOD, POLICY, 0.001, None, -500.0).limit == 0


def test_an_unknown_capacity_is_referred_and_named() -> None:
    made = grant(GOOD, POLICY, 0.001, None, None)
    assert (made.decision, made.flags) == ("refer", ("capacity_unknown",))


def test_no_records_at_all_is_referred_and_named() -> None:
    made = grant(GOOD, POLICY, 0.001, 100.0, None, known=False)
    assert (made.decision, made.binding_constraint, made.flags) == ("refer", "no_records", ("no_records",))
