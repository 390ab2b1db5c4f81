"""The price by hand, and what must hold of any price."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from configs.policy import Pricing
from serving.price import break_even, over_months, price

PRICING = Pricing(funding_rate=0.035, operating_cost_rate=0.02, margin_rate=0.02)
rates = st.floats(0, 0.5)
default_probabilities = st.floats(0, 1)
pricings = st.builds(
    Pricing, funding_rate=rates, operating_cost_rate=rates, margin_rate=rates, maximum_rate=st.none() | st.floats(1, 2)
)
windows = st.sampled_from([1, 6, 12, 24])


def test_the_price_of_a_hand_worked_case() -> None:
    # 3.5 % funding + 2 % cost + 3 % x 45 % expected loss + 2 % margin = 8.85 %; (8.85 - 5.5) / 45 = 7.4444 %
    made, held_down = price(PRICING, 0.03, 0.45, 12)
    assert (made.rate, made.break_even_default_probability, held_down) == (0.0885, 0.074444, False)


def test_the_price_of_a_pd_within_one_month_is_that_of_a_year() -> None:
    # (1 - 0.01)^12 = 0.886385: 11.3615 % within a year; 5.5 % + 0.5 x 11.3615 % + 2 % = 13.180744 %
    made, _ = price(PRICING, 0.01, 0.5, 1)
    assert made.rate == pytest.approx(0.131808, abs=1e-6)


def test_the_break_even_pd_is_in_the_window_of_the_pd() -> None:
    # without a margin the break-even PD is the PD itself, whatever the window
    bare = PRICING.model_copy(update={"margin_rate": 0.0})
    assert price(bare, 0.01, 0.5, 1)[0].break_even_default_probability == pytest.approx(0.01, abs=1e-6)


def test_a_rate_is_held_down_to_the_highest_allowed_and_says_so() -> None:
    # covering: 5.5 % + 20 % x 45 % + 2 % = 16.5 %; at 12 % the PD that pays is (12 - 5.5) / 45 = 14.4444 % < 20 %
    capped = PRICING.model_copy(update={"maximum_rate": 0.12})
    made, held_down = price(capped, 0.2, 0.45, 12)
    assert (made.rate, made.break_even_default_probability, held_down) == (0.12, 0.144444, True)


def test_where_nothing_can_be_lost_any_pd_pays() -> None:
    assert break_even(PRICING, 0.1, 0.0, 12) == 1.0


def test_two_years_at_a_constant_hazard() -> None:
    assert over_months(0.19, 12, 24) == pytest.approx(0.1)  # 0.9 x 0.9 = 0.81


@given(pricings, st.tuples(default_probabilities, default_probabilities).map(sorted), st.floats(0, 1), windows)
def test_a_higher_pd_never_earns_a_lower_price(pricing, pds, loss_given_default, months) -> None:
    better, worse = (price(pricing, pd, loss_given_default, months)[0] for pd in pds)
    assert worse.rate >= better.rate


@given(pricings, default_probabilities, st.floats(0.01, 1), windows)
@example(Pricing(funding_rate=0.0, operating_cost_rate=0.0, margin_rate=0.0, maximum_rate=None), 0.5, 0.375, 1)
def test_a_price_that_is_not_held_down_pays_at_the_pd_it_was_made_for(pricing, pd, loss_given_default, months) -> None:
    made, held_down = price(pricing, pd, loss_given_default, months)
    paid = made.break_even_default_probability
    in_pd = paid - pd + 1e-6 + 1e-6 / loss_given_default * months
    # Where PD and annual PD hardly move together, the sixth digit of the one is many digits of the other.
    in_rate = (over_months(paid, 12, months) - over_months(pd, 12, months)) * loss_given_default + 13e-6
    assert held_down or in_pd >= 0 or in_rate >= 0


@given(pricings, st.floats(0, 0.2), st.floats(0.1, 1), windows)
def test_at_its_break_even_pd_a_price_earns_nothing(pricing, pd, loss_given_default, months) -> None:
    made, _ = price(pricing, pd, loss_given_default, months)
    loss = over_months(made.break_even_default_probability, 12, months) * loss_given_default
    earned = made.rate - pricing.funding_rate - pricing.operating_cost_rate - loss
    if made.break_even_default_probability < 0.5:
        assert earned == pytest.approx(0, abs=2e-5)
