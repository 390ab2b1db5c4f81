"""Longer payment terms, and limits that they need, only where they pay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.customers import ReviewRules, TradeRules
from monitoring.customers.limits import step
from monitoring.customers.trade import extended, needed, worth

OFFERED = (60, 45, 30, 30, 14, 0)
PAYS = TradeRules(margin_share=0.1, funding_rate=0.06, sales_gain=0.08)
DEAR = TradeRules(margin_share=0.1, funding_rate=0.06, sales_gain=0.04)


def at(earned: int, before: int, loss_rate: float, rules: TradeRules) -> int:
    return int(extended(np.array([earned]), np.array([before]), np.array([loss_rate]), OFFERED, rules)[0])


def test_the_worth_of_terms_is_that_of_the_worked_example() -> None:
    # By hand, sales of 120,000: margin 0.1 x 9,600 = 960; debtors (129,600 x 60 - 120,000 x 30) / 365 = 11,441.10,
    # at 0.06 + 0.02 x 0.45 = 0.069 they cost 789.44.
    value = worth(np.array([30.0]), np.array([60.0]), np.array([0.02 * 0.45]), PAYS)
    assert value[0] * 120_000 == pytest.approx(170.56, abs=0.01)


def test_terms_are_extended_where_margin_beats_funding_and_loss() -> None:
    assert at(60, 30, 0.009, PAYS) == 60
    assert at(60, 30, 0.009, DEAR) == 30


def test_where_the_longest_terms_do_not_pay_the_next_shorter_may() -> None:
    rules = PAYS.model_copy(update={"sales_gain": 0.063})
    assert worth(np.array([30.0]), np.array([60.0]), np.array([0.009]), rules)[0] < 0
    assert at(60, 30, 0.009, rules) == 45


def test_terms_shorten_at_once_and_first_terms_are_those_of_the_grade() -> None:
    assert at(14, 60, 0.3, PAYS) == 14
    assert at(45, -1, 0.3, DEAR) == 45
    assert at(45, 0, 0.3, DEAR) == 45


RULES = st.builds(
    TradeRules,
    margin_share=st.floats(0, 0.5),
    funding_rate=st.floats(0, 0.3),
    sales_gain=st.floats(0, 0.5),
    late_days=st.floats(0, 60),
)
LADDER = np.array([60, 45, 30, 30, 14, 0])  # what each grade earns, best first


@settings(deadline=None)
@given(RULES, st.sampled_from([-1, 0, 14, 30, 45, 60]), st.lists(st.floats(0, 1), min_size=2, max_size=8), st.data())
def test_a_higher_pd_never_earns_longer_terms(rules: TradeRules, before: int, pds: list[float], data) -> None:
    rising = np.sort(pds)
    grades = np.sort(data.draw(st.lists(st.integers(0, 5), min_size=len(pds), max_size=len(pds))))
    terms = extended(LADDER[grades], np.full(len(pds), before), rising * 0.45, OFFERED, rules)
    assert (np.diff(terms) <= 0).all()
    assert (terms <= LADDER[grades]).all()


def limit_for(purchases: float, terms: int, loss_rate: float, rules: TradeRules) -> float:
    return float(needed(np.array([purchases]), np.array([terms]), np.array([loss_rate]), OFFERED, rules)[0])


def test_a_limit_covers_what_the_terms_need_while_that_pays() -> None:
    rules = PAYS.model_copy(update={"late_days": 15.0})
    assert limit_for(10_000, 30, 0.009, rules) == 18_750
    # By hand: 12 x 0.1 of margin less 0.06 x 1.5 of funding leave 1.11 for the loss of 1.875 months: a rate of 0.592.
    assert limit_for(10_000, 30, 0.5919, rules) == 18_750
    assert limit_for(10_000, 30, 0.5921, rules) == np.floor(10_000 * 29 / 30 * 1.25)  # what 14 days need still pays
    assert limit_for(np.nan, 30, 0.009, rules) == 0
    assert limit_for(10_000, 0, 0.009, rules) == 0


@settings(deadline=None)
@given(RULES, st.sampled_from([-1, 0, 14, 30, 45, 60]), st.lists(st.floats(0, 1), min_size=2, max_size=8), st.data())
def test_a_higher_pd_never_ends_with_a_higher_limit(rules: TradeRules, before: int, pds: list[float], data) -> None:
    rising, rows = np.sort(pds) * 0.45, len(pds)
    grades = np.sort(data.draw(st.lists(st.integers(0, 5), min_size=rows, max_size=rows)))
    terms = extended(LADDER[grades], np.full(rows, before), rising, OFFERED, rules)
    need = needed(np.full(rows, data.draw(st.floats(0, 1e6))), terms, rising, OFFERED, rules)
    no, last = np.zeros(rows, bool), np.full(rows, data.draw(st.integers(0, 100_000).map(float)))
    limit, _ = step(np.minimum(need, np.array([9e5, 6e5, 3e5, 9e4, 3e4, 0])[grades]), last, no, no, ReviewRules())
    assert (np.diff(limit) <= 0).all()
