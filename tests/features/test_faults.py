"""Faults do what they say, from their day on, to their column, and to a copy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.faults import dead_feed, unit_error, zero_feed

SINCE = pd.Timestamp("2023-02-01")


@pytest.fixture
def table() -> pd.DataFrame:
    """One row before, one on, one after the day of the fault."""
    days = pd.to_datetime(["2023-01-31", "2023-02-01", "2023-03-31"])
    return pd.DataFrame({"month": days, "inflow": [1.0, 2.0, 3.0], "transactions": [1, 2, 3]})


def test_a_dead_feed_is_missing_from_its_day_on(table: pd.DataFrame) -> None:
    np.testing.assert_equal(dead_feed(table, "inflow", "month", SINCE)["inflow"].tolist(), [1.0, np.nan, np.nan])


def test_a_zero_feed_is_zero_from_its_day_on(table: pd.DataFrame) -> None:
    assert zero_feed(table, "inflow", "month", SINCE)["inflow"].tolist() == [1.0, 0.0, 0.0]


def test_a_unit_error_multiplies_from_its_day_on(table: pd.DataFrame) -> None:
    assert unit_error(table, "inflow", "month", SINCE)["inflow"].tolist() == [1.0, 200.0, 300.0]


def test_the_factor_of_a_unit_error_may_be_said(table: pd.DataFrame) -> None:
    assert unit_error(table, "inflow", "month", SINCE, 0.01)["inflow"].tolist() == [1.0, 0.02, 0.03]


@pytest.mark.parametrize("fault", [dead_feed, zero_feed, unit_error])
def test_a_fault_leaves_the_other_columns_alone(table: pd.DataFrame, fault) -> None:
    rest = fault(table, "inflow", "month", SINCE).drop(columns="inflow")
    pd.testing.assert_frame_equal(rest, table.drop(columns="inflow"))


@pytest.mark.parametrize("fault", [dead_feed, zero_feed, unit_error])
def test_a_fault_leaves_the_table_it_was_given_alone(table: pd.DataFrame, fault) -> None:
    before = table.copy(deep=True)
    fault(table, "inflow", "month", SINCE)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(("fault", "last"), [(dead_feed, np.nan), (zero_feed, 0), (unit_error, 300)])
def test_a_fault_can_be_planted_in_whole_numbers(table: pd.DataFrame, fault, last: float) -> None:
    np.testing.assert_equal(fault(table, "transactions", "month", SINCE)["transactions"].tolist()[-1], last)
