"""Every euro in exactly one bucket, and where it went from month to month."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from features import load
from features.contracts import to_day
from monitoring.customers import ageing
from monitoring.customers.ageing import Items, chance_of_loss, open_items, roll_shares

BOUNDS = (0, 30, 60, 90)


def day(text: str) -> int:
    return to_day(pd.Timestamp(text).date())


def items(*rows: tuple[str, float, int]) -> Items:
    keys, amounts, days = zip(*rows, strict=True)
    names = np.array(keys, object)
    return Items(names, names, np.array(amounts), np.array(days), np.zeros(len(rows), bool))


@pytest.mark.parametrize(("days", "bucket"), [(0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4)])
def test_a_bucket_holds_its_last_day(days: int, bucket: int) -> None:
    assert ageing.bucket_of(np.array([days]), BOUNDS)[0] == bucket


def test_buckets_are_named_by_their_days() -> None:
    assert ageing.bucket_names(BOUNDS) == ["current", "1-30", "31-60", "61-90", "91+"]


MONEY = st.integers(0, 10**9).map(lambda cents: cents / 100)
BOOKS = st.dictionaries(st.text(min_size=1, max_size=3), st.tuples(MONEY, st.integers(0, 400)), min_size=1, max_size=8)


@settings(deadline=None, max_examples=50)
@given(BOOKS, BOOKS)
def test_every_euro_is_in_exactly_one_bucket_today_and_a_month_on(before: dict, after: dict) -> None:
    then = items(*((key, *value) for key, value in before.items()))
    now = items(*((key, *value) for key, value in after.items()))
    assert ageing.ageing(then, BOUNDS).sum() == pytest.approx(then.amount.sum())
    moved = ageing.rolled(then, now, BOUNDS)
    np.testing.assert_allclose(moved.sum(1), ageing.ageing(then, BOUNDS))


def test_roll_and_cure_rates_by_hand() -> None:
    before = items(("a", 60.0, 10), ("b", 30.0, 10), ("c", 10.0, 10), ("d", 100.0, 0))
    after = items(("a", 60.0, 40), ("c", 10.0, 0), ("d", 100.0, 0))
    shares = roll_shares(ageing.rolled(before, after, BOUNDS))
    assert shares[1].tolist() == [0.1, 0.0, 0.6, 0.0, 0.0, 0.3]
    assert ageing.roll_rates(shares)[:2].tolist() == [0.0, 0.6]
    assert ageing.cure_rates(shares)[0] == pytest.approx(0.4)
    assert np.isnan(shares[3]).all()


def test_the_chance_of_loss_is_that_of_the_chain() -> None:
    shares = np.array([[0.5, 0.5, 0.0, 0.0], [0.2, 0.0, 0.4, 0.4], [0.0, 0.0, 1.0, 0.0]])
    assert chance_of_loss(shares, 1).tolist() == [0.0, 0.4, 1.0]
    assert chance_of_loss(shares, 2).tolist() == [0.5 * 0.4, 0.4 + 0.2 * 0.0, 1.0]


def test_a_bucket_never_seen_is_taken_to_roll_on() -> None:
    shares = np.array([[1.0, 0.0, 0.0, 0.0], [np.nan] * 4, [0.0, 0.0, 0.0, 1.0]])
    assert chance_of_loss(shares, 1).tolist() == [0.0, 1.0, 1.0]


def test_invoices_are_open_from_issue_to_payment_as_far_as_known(shipped) -> None:
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "b", "b"],
            "invoice_id": ["paid", "late", "young", "future", "late told"],
            "issued": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-03-20", "2024-05-01", "2024-01-01"]),
            "known_time": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-03-20", "2024-05-01", "2024-06-01"]),
            "due": pd.to_datetime(["2024-01-31", "2024-01-31", "2024-04-19", "2024-05-31", "2024-01-31"]),
            "paid": pd.to_datetime(["2024-03-31", "2024-04-05", None, None, None]),
            "amount": [1.0, 2.0, 4.0, 8.0, 16.0],
            "disputed": [0, 1, 0, 0, 0],
        }
    )
    tables = load.check_tables({"invoices": frame}, shipped("trade_credit"), "test")
    found = open_items(tables, day("2024-03-31"))
    assert found.amount.tolist() == [2.0, 4.0]
    assert found.days_past_due.tolist() == [60, 0]
    assert found.disputed.tolist() == [True, False]


def test_an_account_is_as_late_as_its_last_statement_and_later_where_it_fell_silent(shipped) -> None:
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "c"],
            "account_id": "x",
            "month": pd.to_datetime(["2024-02-29", "2024-03-31", "2024-02-29", "2024-03-31"]),
            "balance": [100.0, 80.0, 50.0, 0.0],
            "credit_limit": 100.0,
            "amount_due": 10.0,
            "amount_paid": 0.0,
            "days_past_due": [30.0, 0.0, 60.0, 30.0],
        }
    )
    tables = load.check_tables({"statements": frame}, shipped("consumer_platform"), "test")
    found = open_items(tables, day("2024-03-31"))
    assert found.customer_id.tolist() == ["a", "b"]
    assert found.amount.tolist() == [80.0, 50.0]
    assert found.days_past_due.tolist() == [0, 91]


def test_without_invoices_and_statements_nothing_is_said() -> None:
    with pytest.raises(InputError, match="invoices or statements"):
        open_items({}, 19_000)
