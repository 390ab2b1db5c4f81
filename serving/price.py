"""What credit must cost: a rate that covers funding, work and expected loss, and the PD at which it no longer pays."""

from __future__ import annotations

import math

import msgspec

from configs.policy import Pricing

_DECIMALS = 6


class Price(msgspec.Struct, frozen=True):
    """The rate, a share of the credit a year, and the PD (in the product's outcome window) at which it just pays."""

    rate: float
    break_even_default_probability: float


def over_months(default_probability: float, months: int, window_months: int) -> float:
    """The PD within `months` of a PD within `window_months`, at a constant hazard."""
    return float(1.0 - (1.0 - default_probability) ** (months / window_months))


def covering_rate(pricing: Pricing, default_probability: float, loss_given_default: float, window_months: int) -> float:
    """Funding + operating cost + annual PD x loss given default + margin, a share of the credit a year.

    Cost-plus pricing (Rose and Hudgins, Bank Management & Financial Services, "Cost-plus loan pricing"). With funding
    0.035, operating cost 0.02, margin 0.02, PD 0.03 within 12 months and loss given default 0.45 the rate is 0.0885.
    """
    expected_loss = over_months(default_probability, 12, window_months) * loss_given_default
    return pricing.funding_rate + pricing.operating_cost_rate + expected_loss + pricing.margin_rate


def break_even(pricing: Pricing, rate: float, loss_given_default: float, window_months: int) -> float:
    """The PD within `window_months` at which `rate` earns nothing: margin and expected loss are one.

    It solves rate = funding + operating cost + annual PD x loss given default; above example: 0.0335 / 0.45 = 0.0744.
    1 where the rate pays at any PD.
    """
    left = max(0.0, rate - pricing.funding_rate - pricing.operating_cost_rate)
    if left >= loss_given_default:
        return 1.0
    return over_months(left / loss_given_default, window_months, 12)


def price(
    pricing: Pricing, default_probability: float, loss_given_default: float, window_months: int
) -> tuple[Price, bool]:
    """The price of a PD, and whether it is held down by `maximum_rate` and so covers less than it should."""
    covering = covering_rate(pricing, default_probability, loss_given_default, window_months)
    most = math.inf if pricing.maximum_rate is None else pricing.maximum_rate
    rate = round(min(covering, most), _DECIMALS)
    return Price(rate, round(break_even(pricing, rate, loss_given_default, window_months), _DECIMALS)), covering > most
