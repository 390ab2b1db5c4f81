"""Connected customers share one cap; commitments count by their CCF; breaches are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.customers import Exposure, ReviewRules
from configs.errors import ConfigError
from configs.settings import Product, parse
from monitoring.customers import reviewed
from monitoring.customers.caps import Drawn, capped
from monitoring.customers.limits import HOLDS, exposure, within_groups
from monitoring.customers.review import committed
from tests.monitoring.customers.kept import joined

MONEY = st.integers(0, 10_000).map(float)
BOOKS = st.lists(st.tuples(MONEY, MONEY, st.floats(0.001, 0.9), st.integers(0, 4)), min_size=1, max_size=30)


def book(limit: list[float], drawn: list[float], pd: list[float], group: list[str]) -> reviewed.Reviewed:
    ids = np.array([f"c{i}" for i in range(len(limit))], object)
    said = {"limit": np.array(limit), "drawn": np.array(drawn), "default_probability": np.array(pd)}
    return replace(reviewed.blank(ids), **said, group_id=np.array(group, object))


def cut(part: reviewed.Reviewed, rules: ReviewRules) -> tuple[list[float], list[str], list[dict[str, object]]]:
    drawn = Drawn()
    halves = [part.take(np.arange(2)), part.take(np.arange(2, len(part)))]
    for half in halves:
        drawn.add(half)
    after = joined(capped(iter(halves), *drawn.cut(rules)))
    held = [HOLDS[place] if place >= 0 else "" for place in after.held_by.tolist()]
    return after.limit.tolist(), held, drawn.breaches(rules)


def test_a_group_shares_one_cap_and_the_best_pd_is_served_first() -> None:
    part = book([100, 100, 100, 100], [0, 40, 0, 0], [0.03, 0.02, 0.01, 0.01], ["g", "g", "", "g"])
    limit, held, breaches = cut(part, ReviewRules(exposure_feature="x", group_cap=150.0))
    # Of 150, 40 are drawn; 100 free go to the lowest PD, 10 to the next. Who stands alone has a cap alone.
    assert limit == [0.0, 50.0, 100.0, 100.0]
    assert held == ["group", "group", "", ""]
    assert breaches == []


def test_a_group_that_has_drawn_more_than_its_cap_is_told() -> None:
    part = book([100, 100, 100], [90, 80, 10], [0.03, 0.02, 0.01], ["g", "g", "h"])
    limit, _, breaches = cut(part, ReviewRules(exposure_feature="x", group_cap=150.0))
    assert limit == [90.0, 80.0, 100.0]
    assert breaches == [{"group": "g", "customers": 2, "drawn": 170.0}]


def test_the_cap_on_the_book_holds_after_those_of_groups() -> None:
    part = book([100, 100, 100], [0, 0, 0], [0.03, 0.02, 0.01], ["g", "g", ""])
    limit, held, _ = cut(part, ReviewRules(exposure_feature="x", group_cap=150.0, portfolio_cap=120.0))
    assert limit == [0.0, 20.0, 100.0]
    assert held == ["portfolio", "portfolio", ""]


@settings(deadline=None)
@given(BOOKS, st.integers(0, 20_000))
def test_no_group_exceeds_its_cap_by_more_than_was_drawn(rows, cap: int) -> None:
    limit, drawn, pd, group = (np.array(column) for column in zip(*rows, strict=True))
    after, short = within_groups(limit, drawn, pd, group, cap)
    sums, owed = np.bincount(group, exposure(after, drawn)), np.bincount(group, drawn)
    assert (sums <= np.maximum(cap, owed) + 1e-6).all()
    assert (after <= limit).all()
    assert (short == (after < limit)).mean() > 0 or not short.any()
    for one in set(group.tolist()):
        own = group == one
        alone, _ = within_groups(limit[own], drawn[own], pd[own], group[own], cap)
        np.testing.assert_allclose(after[own], alone, atol=1.0 + 1e-6)


def test_commitments_count_by_their_credit_conversion_factor() -> None:
    rules = ReviewRules(
        exposure_feature="open",
        exposures=(Exposure(name="backlog", feature="b"), Exposure(name="guarantees", feature="g", factor=0.5)),
    )
    facts = {"open": np.array([100, np.nan, np.nan]), "b": np.array([20, 5, np.nan]), "g": np.array([10, -4, np.nan])}
    np.testing.assert_array_equal(committed(rules, facts, 3), [125, 5, np.nan])


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"group_cap": 5.0}, "group_cap needs exposure_feature"),
        ({"cycle_months": {"A": 12}}, r"cycle_months.B: missing"),
        ({"cycle_months": dict(zip("ABCDEF", (1, 2, 1, 1, 1, 1), strict=True))}, "reviewed less often than A"),
        ({"events": [{"name": "x", "table": "t", "column": "c"}]}, "column and says belong together"),
    ],
)
def test_rules_that_do_not_hold_together_are_refused(shipped, rules: dict[str, object], told: str) -> None:
    values = {**shipped("trade_credit").model_dump(), "customers": {"review": rules}}
    with pytest.raises(ConfigError, match=told):
        parse(Product, values, "p")
