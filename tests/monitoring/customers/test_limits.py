"""Limits that move in steps and within what the book may draw."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.customers import ReviewRules
from monitoring.customers.limits import HOLDS, exposure, step, within_groups

RULES = ReviewRules(limit_margin=0.1, limit_rise=0.5, limit_fall=0.25)
MONEY = st.integers(0, 10_000).map(float)
NO, YES = np.array([False]), np.array([True])


def stepped(earned: float, before: float, at_once: bool = False, referred: bool = False) -> tuple[float, str]:
    limit, held = step(np.array([earned]), np.array([before]), np.array([at_once]), np.array([referred]), RULES)
    return float(limit[0]), HOLDS[held[0]]


def test_a_first_limit_is_what_the_policy_grants() -> None:
    assert stepped(9000, np.nan) == (9000, "policy")
    assert stepped(9000, 0) == (9000, "policy")


def test_a_limit_rises_by_one_step() -> None:
    assert stepped(9000, 1000) == (1500, "rise")


def test_a_limit_falls_by_one_step() -> None:
    assert stepped(100, 1000) == (750, "fall")


def test_where_it_must_a_limit_falls_at_once() -> None:
    assert stepped(100, 1000, at_once=True) == (100, "policy")


def test_a_referred_limit_rises_only_by_a_person() -> None:
    assert stepped(1200, 1000, referred=True) == (1000, "person")
    assert stepped(850, 1000, referred=True) == (850, "policy")


def test_a_limit_that_would_hardly_change_stays() -> None:
    assert stepped(1099, 1000) == (1000, "margin")
    assert stepped(901, 1000) == (1000, "margin")
    assert stepped(1100, 1000) == (1100, "policy")


def test_a_limit_that_must_fall_falls_however_little() -> None:
    assert stepped(999, 1000, at_once=True) == (999, "policy")


@settings(deadline=None)
@given(st.lists(MONEY, min_size=2), st.one_of(st.just(np.nan), MONEY), st.booleans())
def test_a_larger_limit_earned_never_ends_as_a_smaller_one(earned: list[float], before: float, at_once: bool) -> None:
    rows = np.sort(earned)
    same = np.full(len(rows), before)
    no = np.zeros(len(rows), bool)
    limit, _ = step(rows, same, no | at_once, no, RULES)
    assert (np.diff(limit) >= 0).all()
    referred, _ = step(rows, same, no | at_once, ~no, RULES)
    assert (referred <= limit).all()


def within_portfolio(limit: np.ndarray, drawn: np.ndarray, pd: np.ndarray, cap: float) -> tuple[np.ndarray, np.ndarray]:
    """The whole book as one group."""
    return within_groups(limit, drawn, pd, np.zeros(len(limit), np.int64), cap)


BOOKS = st.lists(st.tuples(MONEY, MONEY, st.floats(0.001, 0.9)), min_size=1, max_size=30)


@settings(deadline=None)
@given(BOOKS, st.integers(0, 100_000))
def test_exposure_exceeds_the_cap_by_no_more_than_what_was_drawn(
    book: list[tuple[float, float, float]], cap: int
) -> None:
    limit, drawn, pd = (np.array(column) for column in zip(*book, strict=True))
    after, _ = within_portfolio(limit, drawn, pd, cap)
    assert exposure(after, drawn).sum() <= max(cap, drawn.sum()) + 1e-6
    assert (after <= limit).all()
    assert (after >= 0).all()


@settings(deadline=None)
@given(BOOKS)
def test_a_cap_that_is_not_reached_cuts_nothing(book: list[tuple[float, float, float]]) -> None:
    limit, drawn, pd = (np.array(column) for column in zip(*book, strict=True))
    after, cut = within_portfolio(limit, drawn, pd, float(exposure(limit, drawn).sum()))
    assert (after == limit).all()
    assert not cut.any()


@settings(deadline=None)
@given(BOOKS, st.integers(0, 100_000), st.floats(0.001, 0.9))
def test_under_a_cap_a_higher_pd_of_the_same_customer_never_earns_a_higher_limit(
    book: list[tuple[float, float, float]], cap: int, higher: float
) -> None:
    limit, drawn, pd = (np.array(column) for column in zip(*book, strict=True))
    worse = np.append(max(pd[0], higher), pd[1:])
    assert within_portfolio(limit, drawn, worse, cap)[0][0] <= within_portfolio(limit, drawn, pd, cap)[0][0]


def test_the_lowest_pd_is_served_first_and_what_is_drawn_stays() -> None:
    limit, drawn = np.array([100.0, 100.0, 100.0]), np.array([0.0, 60.0, np.nan])
    after, cut = within_portfolio(limit, drawn, np.array([0.03, 0.02, 0.01]), 180.0)
    assert after.tolist() == [0.0, 80.0, 100.0]
    assert cut.tolist() == [True, True, False]
