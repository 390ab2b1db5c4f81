"""Two policies over four applicants whose outcomes are worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.policy import Grade, Policy, Pricing
from configs.settings import Product, load_product
from serving.compare import Case, Comparison, compare, differences
from serving.compare_table import table, told_differences
from serving.knock_outs import Applicant

BASE = load_product("consumer_platform", Path("/nonexistent"))


def product(cut_off: float, cap: float, **policy: Any) -> Product:
    """Approves up to `cap` below `cut_off`, declines above; loss given default 50 %."""
    grades = (
        Grade(name="A", pd_below=cut_off, decision="approve", terms_days=30, limit_cap=cap, capacity_multiple=0.0),
        Grade(name="B", decision="decline", terms_days=0, limit_cap=0.0, capacity_multiple=0.0),
    )
    made = Policy(loss_given_default=0.5, loss_budget=1e9, **policy)
    return BASE.model_copy(update={"grades": grades, "policy": made})


STRICT, LOOSE = product(0.10, 1000.0), product(0.25, 800.0)
CASES = [
    Case("d-1", 0.02, Applicant()),
    Case("d-2", 0.08, Applicant(requested_amount=500.0)),
    Case("d-3", 0.20, Applicant()),
    Case("d-4", 0.40, Applicant()),
]


@pytest.fixture
def loosened() -> Comparison:
    return compare(STRICT, LOOSE, CASES)


def test_decisions_are_counted_under_both(loosened: Comparison) -> None:
    assert loosened.before.decisions == {"approve": 2, "refer": 0, "decline": 2}
    assert loosened.after.decisions == {"approve": 3, "refer": 0, "decline": 1}


def test_limits_and_expected_loss_are_those_of_approvals(loosened: Comparison) -> None:
    # before 1000 x 2 % x 50 % + 500 x 8 % x 50 % = 10 + 20; after 800 at 2 %, 500 at 8 %, 800 at 20 %: 8 + 20 + 80
    assert (loosened.before.limits, loosened.before.expected_loss) == pytest.approx((1500, 30))
    assert (loosened.after.limits, loosened.after.expected_loss) == pytest.approx((2100, 108))
    assert loosened.before.expected_loss_rate == pytest.approx(0.02)


def test_swap_sets_hold_who_changes_sides(loosened: Comparison) -> None:
    swapped = loosened.swapped_in
    assert (swapped.count, swapped.mean_default_probability, swapped.limits_after) == (1, 0.2, 800)
    assert (swapped.expected_loss_before, swapped.expected_loss_after) == pytest.approx((0, 80))
    assert (loosened.swapped_out.count, loosened.swapped_out.mean_default_probability) == (0, None)


def test_the_other_way_round_the_swap_sets_change_places(loosened: Comparison) -> None:
    turned = compare(LOOSE, STRICT, CASES)
    assert (turned.swapped_out.count, turned.swapped_in.count) == (loosened.swapped_in.count, 0)
    assert turned.swapped_out.limits_before == loosened.swapped_in.limits_after


def test_who_is_approved_both_times_is_told_by_how_the_limit_moves(loosened: Comparison) -> None:
    assert (loosened.kept.count, loosened.limits_raised, loosened.limits_lowered) == (2, 0, 1)


def test_what_bound_the_limits_is_counted(loosened: Comparison) -> None:
    assert loosened.after.binding_constraints == {"cap": 2, "need": 1, "grade": 1}


def test_every_changed_decision_is_named(loosened: Comparison) -> None:
    assert loosened.changed == ("d-3",)


def test_every_move_is_counted(loosened: Comparison) -> None:
    assert loosened.moves["decline"] == {"approve": 1, "refer": 0, "decline": 1}


def test_the_rate_is_weighted_by_limit() -> None:
    pricing = Pricing(funding_rate=0.03, operating_cost_rate=0.02, margin_rate=0.01)
    priced = compare(STRICT, product(0.10, 1000.0, pricing=pricing), CASES)
    # 1000 at 6 % + 1 %, 500 at 6 % + 4 %: (70 + 50) / 1500 = 8 %
    assert (priced.before.rate, priced.after.rate) == (None, pytest.approx(0.08))


@given(st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 1e6)), max_size=20))
def test_a_policy_against_itself_changes_nothing(drawn) -> None:
    cases = [Case(str(place), pd, Applicant(requested)) for place, (pd, requested) in enumerate(drawn)]
    same = compare(LOOSE, LOOSE, cases)
    assert (same.changed, same.limits_raised, same.limits_lowered, same.before) == ((), 0, 0, same.after)


@given(st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 1e6)), max_size=20))
def test_kept_and_swapped_sets_add_up_to_the_approvals_of_each_side(drawn) -> None:
    cases = [Case(str(place), pd, Applicant(requested)) for place, (pd, requested) in enumerate(drawn)]
    made = compare(STRICT, LOOSE, cases)
    assert made.kept.count + made.swapped_out.count == made.before.decisions["approve"]
    assert made.kept.count + made.swapped_in.count == made.after.decisions["approve"]
    assert made.kept.limits_after + made.swapped_in.limits_after == pytest.approx(made.after.limits)


def test_differences_are_told_by_key_and_grade() -> None:
    found = differences(STRICT, LOOSE)
    assert found == [("grades.A.pd_below", 0.10, 0.25), ("grades.A.limit_cap", 1000.0, 800.0)]


def test_a_key_only_one_side_says_is_told_as_not_said() -> None:
    told = told_differences(differences(STRICT, product(0.10, 1000.0, below_minimum="decline")))
    assert told.split() == ["policy.below_minimum", "(not", "said)", "->", "decline"]


def test_what_only_one_side_has_is_told_in_one_line() -> None:
    pricing = Pricing(funding_rate=0.03, operating_cost_rate=0.02, margin_rate=0.01)
    told = told_differences(differences(product(0.10, 1000.0, pricing=pricing), STRICT))
    says = "funding_rate 0.03, operating_cost_rate 0.02, margin_rate 0.01"
    assert told == f"{'policy.pricing':<34} {says} -> (not said)"


def test_a_grade_put_in_between_is_one_difference() -> None:
    between = Grade(name="X", pd_below=0.2, decision="refer", terms_days=0, limit_cap=0.0, capacity_multiple=0.0)
    more = STRICT.model_copy(update={"grades": (STRICT.grades[0], between, STRICT.grades[1])})
    assert [key for key, *_ in differences(STRICT, more)] == ["grades.X"]


def test_equal_policies_say_the_same() -> None:
    assert told_differences(differences(STRICT, STRICT)) == "the two say the same"


def test_the_table_tells_approvals_and_the_change(loosened: Comparison) -> None:
    lines = {line[:26].strip(): line[26:].split() for line in table(loosened, "EUR").splitlines()}
    assert lines["approval rate"] == ["50.00%", "75.00%", "+25.00%"]
    assert lines["expected loss, EUR"] == ["30", "108", "+78"]
    assert lines["only after (swapped in)"] == ["1", "20.00%", "0", "800", "0", "80"]
    assert lines["mean rate, by limit"] == ["-", "-", "-"]


def test_the_table_of_no_cases_is_a_table() -> None:
    assert "0 recorded decisions" in table(compare(STRICT, LOOSE, []), "EUR")
