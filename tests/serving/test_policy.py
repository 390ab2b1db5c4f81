"""The policy over every shipped product, plain and with all a policy may say: more risk never earns more."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.policy import Decision, Grade, KnockOut, Policy, Pricing, grade_of, policy_problems
from configs.settings import Band, ColumnSpec, Product, flat_product, load_product, product_names
from serving.knock_outs import Applicant
from serving.policy import Grant, grant
from serving.price import Price

NOWHERE = Path("/nonexistent")
SHIPPED = [load_product(name, NOWHERE) for name in product_names(NOWHERE)]
SHIPPED.append(flat_product("flat", "A flat table", (ColumnSpec(name="income"),)))
RULE = {"operator": ">", "reason": "Too much", "reason_zh": "过多"}
MILDEST_FIRST = get_args(Decision)

pds = st.floats(0, 1) | st.floats(-7, 0).map(lambda power: 10.0**power)
riskier = st.tuples(pds, pds).map(sorted)
amounts = st.none() | st.floats(0, 1e9)
rates = st.floats(0, 0.3)
pricings = st.none() | st.builds(
    Pricing,
    funding_rate=rates,
    operating_cost_rate=rates,
    margin_rate=rates,
    maximum_rate=st.none() | st.floats(0.6, 2),
)
shares_of = [st.lists(st.floats(0, 1.5), min_size=n, max_size=n).map(sorted) for n in range(10)]
below_minimum = st.sampled_from([None, "refer", "decline"])
widths = st.none() | st.floats(0, 0.9)
numbers = st.none() | st.floats(-1e9, 1e9)


@st.composite
def products(draw: st.DrawFn) -> Product:
    """A shipped product, as it is or with everything a policy may say added to it."""
    product = draw(st.sampled_from(SHIPPED))
    if draw(st.booleans()):
        return product
    worst = len([grade for grade in product.grades if grade.decision != "decline"])
    shares = draw(shares_of[worst])
    grades = [
        grade.model_copy(update={"collateral_share": share})
        for grade, share in zip_longest(product.grades, shares, fillvalue=None)
    ]
    rules = draw(knock_outs(product.policy.capacity_feature))
    policy = product.policy.model_copy(
        update={
            "minimum_limit": draw(st.floats(0, 1e4)),
            "below_minimum": draw(below_minimum),
            "referral_band": _band_around_the_cut_off(product, draw(widths)),
            "knock_outs": tuple(rule.model_copy(update={"name": f"rule_{n}"}) for n, rule in enumerate(rules)),
            "pricing": draw(pricings),
        }
    )
    assert policy_problems(policy, tuple(grades)) == []
    return product.model_copy(update={"policy": policy, "grades": tuple(grades)})


def _band_around_the_cut_off(product: Product, width: float | None) -> Band | None:
    """From somewhere below where approval ends to somewhere above."""
    if width is None:
        return None
    end = max(grade.pd_below for grade in product.grades if grade.decision == "approve" and grade.pd_below)
    return Band(low=end * (1 - width), high=end + (1 - end) * width + 1e-9)


@cache
def knock_outs(feature: str | None) -> st.SearchStrategy[list[KnockOut]]:
    """At most two rules, on the request or the product's capacity feature."""
    fields = [{"request": "requested_amount"}, {"request": "group_exposure"}]
    on = st.sampled_from([*fields, {"feature": feature}] if feature else fields)
    drawn = st.tuples(
        on, st.floats(-1e6, 1e6), st.sampled_from(["refer", "decline"]), st.sampled_from(["pass", "refer"])
    )
    rule = drawn.map(
        lambda parts: KnockOut(name="rule", bound=parts[1], decision=parts[2], missing=parts[3], **parts[0], **RULE)
    )
    return st.lists(rule, max_size=2)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Product, Applicant]:
    """A product and somebody who asks."""
    product = draw(products())
    features = {name: draw(numbers) for name in product.policy.reads()}
    return product, Applicant(draw(amounts), draw(amounts), features, draw(st.booleans()))


def granted(question: tuple[Product, Applicant], pd: float) -> Grant:
    product, applicant = question
    return grant(product, grade_of(product.grades, pd), pd, applicant)


def bounds(question: tuple[Product, Applicant], pd: float) -> dict[str, float]:
    """The documented bounds, worked out anew: cap and appetite, and need and capacity where there are such."""
    product, applicant = question
    grade, policy = grade_of(product.grades, pd), product.policy
    found = {"cap": grade.limit_cap}
    if pd * policy.loss_given_default > 0:
        taken = applicant.group_exposure or 0
        found["appetite"] = max(0, policy.loss_budget / (pd * policy.loss_given_default) - taken)
    if applicant.requested_amount is not None:
        found["need"] = applicant.requested_amount
    if policy.capacity_feature is not None and (room := applicant.features[policy.capacity_feature]) is not None:
        found["capacity"] = max(room, 0) * grade.capacity_multiple
    return found


@given(questions(), riskier)
def test_a_higher_pd_never_earns_a_higher_limit(question, pds) -> None:
    better, worse = (granted(question, pd) for pd in pds)
    assert worse.limit <= better.limit


@given(questions(), riskier)
def test_a_higher_pd_never_earns_longer_terms(question, pds) -> None:
    better, worse = (granted(question, pd) for pd in pds)
    assert worse.terms_days <= better.terms_days


@given(questions(), riskier)
def test_a_higher_pd_never_earns_a_milder_decision(question, pds) -> None:
    better, worse = (granted(question, pd) for pd in pds)
    assert MILDEST_FIRST.index(worse.decision) >= MILDEST_FIRST.index(better.decision)


@given(questions(), riskier)
def test_a_higher_pd_never_earns_a_lower_price(question, pds) -> None:
    better, worse = (granted(question, pd) for pd in pds)
    if better.price is not None and worse.price is not None:
        assert worse.price.rate >= better.price.rate


@given(questions(), riskier)
def test_a_higher_pd_never_pledges_a_smaller_share(question, pds) -> None:
    better, worse = (granted(question, pd) for pd in pds)
    if better.collateral is not None and worse.collateral is not None:
        rounding = 0.01 * (better.limit + worse.limit)
        assert worse.collateral * better.limit >= better.collateral * worse.limit - rounding


@given(questions(), st.floats(0, 1e6), pds)
def test_more_exposure_to_the_group_never_earns_a_higher_limit(question, more, pd) -> None:
    product, applicant = question
    deeper = replace(applicant, group_exposure=(applicant.group_exposure or 0) + more)
    assert granted((product, deeper), pd).limit <= granted(question, pd).limit


@given(questions(), pds)
def test_a_limit_exceeds_none_of_cap_need_capacity_and_appetite(question, pd) -> None:
    assert granted(question, pd).limit <= min(bounds(question, pd).values())


@given(questions(), pds)
def test_the_named_constraint_is_the_one_that_binds(question, pd) -> None:
    made = granted(question, pd)
    if made.binding_constraint not in ("grade", "knock_out", "no_records"):
        found = bounds(question, pd)
        assert found[made.binding_constraint] == min(found.values())
        if "limit_below_minimum" not in made.flags:
            assert made.limit == math.floor(found[made.binding_constraint])


@given(questions(), pds)
def test_nothing_is_approved_without_a_limit_of_at_least_the_minimum(question, pd) -> None:
    made = granted(question, pd)
    assert made.decision != "approve" or made.limit >= max(question[0].policy.minimum_limit, 1)


@given(questions(), pds)
def test_a_limit_is_nothing_or_at_least_the_minimum(question, pd) -> None:
    limit = granted(question, pd).limit
    assert limit == 0 or limit >= question[0].policy.minimum_limit


@given(questions(), pds)
def test_whoever_is_declined_gets_no_limit_terms_price_or_call_for_collateral(question, pd) -> None:
    made = granted(question, pd)
    if made.decision == "decline":
        assert (made.limit, made.terms_days, made.price, made.collateral) == (0, 0, None, None)


@given(questions(), pds)
def test_a_decision_that_is_harsher_than_the_grades_says_why(question, pd) -> None:
    made, grade = granted(question, pd), grade_of(question[0].grades, pd)
    assert made.decision == grade.decision or made.flags or made.knock_outs


@given(questions(), pds)
def test_expected_loss_stays_within_the_budget(question, pd) -> None:
    product, applicant = question
    if limit := granted(question, pd).limit:
        loss = pd * product.policy.loss_given_default * (limit + (applicant.group_exposure or 0))
        assert loss <= product.policy.loss_budget * (1 + 1e-9)


@given(questions(), pds)
def test_a_capacity_that_should_be_known_and_is_not_is_never_approved(question, pd) -> None:
    feature = question[0].policy.capacity_feature
    if feature is not None and question[1].features[feature] is None:
        assert granted(question, pd).decision != "approve"


@given(questions(), pds)
def test_a_customer_without_any_record_gets_no_limit_and_is_never_approved(question, pd) -> None:
    made = granted((question[0], replace(question[1], known=False)), pd)
    assert (made.limit, made.decision != "approve") == (0, True)


@given(questions())
def test_a_declined_grade_grants_nothing(question) -> None:
    band = question[0].policy.referral_band
    if band is None or not band.holds(1.0):
        made = granted(question, 1.0)
        assert (made.decision, made.limit, made.binding_constraint, made.terms_days) == ("decline", 0.0, "grade", 0)


@given(questions(), pds)
def test_a_knock_out_that_declines_declines(question, pd) -> None:
    made = granted(question, pd)
    if any(hit.decision == "decline" for hit in made.knock_outs):
        assert made.decision == "decline"


@given(questions(), pds)
def test_a_knock_out_that_refers_is_not_approved(question, pd) -> None:
    made = granted(question, pd)
    assert not made.knock_outs or made.decision != "approve"


GOOD = Grade(name="A", pd_below=0.1, decision="approve", terms_days=30, limit_cap=1000.0, capacity_multiple=2.0)
BAD = Grade(name="B", decision="decline", terms_days=0, limit_cap=0.0, capacity_multiple=0.0)
POLICY = Policy(loss_given_default=0.5, loss_budget=10.0, capacity_feature="income", minimum_limit=50.0)
PRODUCT = SHIPPED[0].model_copy(update={"policy": POLICY, "grades": (GOOD, BAD)})


def made_with(pd: float, requested: float | None, capacity: float | None, **changed: Any) -> Grant:
    """What a product of two grades grants, with `changed` keys of its policy."""
    product = PRODUCT.model_copy(update={"policy": POLICY.model_copy(update=changed)})
    return granted((product, Applicant(requested, features={"income": capacity})), pd)


@pytest.mark.parametrize(
    ("default_probability", "requested", "capacity", "limit", "binding"),
    [
        (0.001, None, 5000.0, 1000.0, "cap"),  # appetite 10 / (0.001 x 0.5) = 20,000
        (0.04, None, 5000.0, 500.0, "appetite"),  # 10 / (0.04 x 0.5)
        (0.001, None, 120.7, 241.0, "capacity"),  # 241.4 rounded down
        (0.001, 99.99, 5000.0, 99.0, "need"),
        (0.0, None, 5000.0, 1000.0, "cap"),  # no loss expected, so no appetite binds
        (0.001, 50.0, 5000.0, 50.0, "need"),  # the minimum itself is enough
    ],
)
def test_the_limit_of_a_hand_worked_case(default_probability, requested, capacity, limit, binding) -> None:
    made = made_with(default_probability, requested, capacity)
    assert (made.decision, made.limit, made.binding_constraint) == ("approve", limit, binding)


@pytest.mark.parametrize(("requested", "binding"), [(0.0, "need"), (0.7, "need"), (20.0, "need"), (None, "capacity")])
def test_a_limit_below_the_minimum_is_referred_without_a_limit(requested, binding) -> None:
    made = made_with(0.001, requested, 20.0)
    told = (made.decision, made.limit, made.binding_constraint, made.flags)
    assert told == ("refer", 0.0, binding, ("limit_below_minimum",))


def test_a_limit_of_nothing_is_not_approved_where_there_is_no_minimum() -> None:
    assert made_with(0.001, 0.0, 5000.0, minimum_limit=0.0).decision == "refer"


def test_a_product_may_decline_a_limit_below_its_minimum() -> None:
    made = made_with(0.001, 20.0, 5000.0, below_minimum="decline")
    assert (made.decision, made.limit, made.terms_days, made.binding_constraint) == ("decline", 0.0, 0, "need")


def test_a_negative_capacity_counts_as_none() -> None:
    assert made_with(0.001, None, -500.0).limit == 0


def test_an_unknown_capacity_is_referred_and_named() -> None:
    made = made_with(0.001, None, None)
    assert (made.decision, made.flags) == ("refer", ("capacity_unknown",))


def test_no_records_at_all_is_referred_and_named() -> None:
    made = granted((PRODUCT, Applicant(100.0, features={"income": None}, known=False)), 0.001)
    assert (made.decision, made.binding_constraint, made.flags) == ("refer", "no_records", ("no_records",))


def test_what_connected_customers_have_is_taken_from_the_appetite() -> None:
    # 10 / (0.04 x 0.5) = 500, less 180
    made = granted((PRODUCT, Applicant(None, 180.0, {"income": 5000.0})), 0.04)
    assert (made.limit, made.binding_constraint) == (320.0, "appetite")


def test_a_group_that_has_the_whole_appetite_leaves_nothing() -> None:
    made = granted((PRODUCT, Applicant(None, 1e6, {"income": 5000.0})), 0.04)
    assert (made.decision, made.limit, made.flags) == ("refer", 0.0, ("limit_below_minimum",))


@pytest.mark.parametrize(
    ("pd", "decision"),
    [(0.0799, "approve"), (0.08, "refer"), (0.0999, "refer"), (0.1, "refer"), (0.12, "refer"), (0.1201, "decline")],
)
def test_within_the_referral_band_a_person_decides_on_both_sides_of_the_cut_off(pd, decision) -> None:
    band = Band(low=0.08, high=0.12)
    made = made_with(pd, None, 5000.0, referral_band=band)
    assert (made.decision, "referral_band" in made.flags) == (decision, decision == "refer")


def test_a_rate_that_would_have_to_be_higher_than_allowed_is_referred_and_named() -> None:
    pricing = Pricing(funding_rate=0.03, operating_cost_rate=0.02, margin_rate=0.01, maximum_rate=0.07)
    made = made_with(0.04, None, 5000.0, pricing=pricing)  # 6 % + 4 % x 50 % = 8 %
    assert (made.decision, made.flags, made.price.rate) == ("refer", ("rate_at_maximum",), 0.07)


def test_collateral_is_the_grades_share_of_the_limit_to_the_cent() -> None:
    grade = GOOD.model_copy(update={"collateral_share": 0.333})
    made = grant(PRODUCT, grade, 0.04, Applicant(features={"income": 5000.0}))
    assert (made.limit, made.collateral) == (500.0, 166.5)


def test_a_product_that_says_nothing_new_prices_and_secures_nothing() -> None:
    made = made_with(0.001, None, 5000.0)
    assert (made.price, made.collateral, made.knock_outs) == (None, None, ())


def test_the_worked_example_of_the_documentation() -> None:
    # capacity 2,500 x 4; appetite 600 / (3 % x 50 %) - 30,000; rate 3 + 1.5 + 3 x 50 % + 2 = 8 %; (8 - 4.5) / 50 %
    bank = load_product("bank_lending", NOWHERE)
    features = {"inflow_mean_6m": 2500.0, "court_events_12m": 0.0}
    made = granted((bank, Applicant(12000.0, 30000.0, features)), 0.03)
    price = Price(rate=0.08, break_even_default_probability=0.07)
    assert made == Grant("approve", 10000.0, "appetite", 1080, (), 2500.0, price, ())
