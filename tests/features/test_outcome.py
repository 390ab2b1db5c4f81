"""The label clock, on dates worked by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.check import check_frame
from features.contracts import TABLES, to_day
from features.outcome import Labels, matured, window_end


def day(text: str) -> int:
    return to_day(dt.date.fromisoformat(text))


def labels(now: str, *rows: dict[str, Any], months: int = 12) -> Labels:
    plain = {"customer_id": "a", "defaulted": 0, "observed_until": None, "known_time": None}
    frame = pd.DataFrame([{**plain, **row} for row in rows])
    return matured(check_frame(TABLES["outcomes"], frame, "here"), months, day(now))


@pytest.mark.parametrize(
    ("as_of", "months", "last_day"),
    [
        ("2023-01-31", 12, "2024-01-31"),
        ("2023-02-28", 12, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2023-01-15", 12, "2024-01-15"),
        ("2023-01-30", 1, "2023-02-28"),
        ("2023-04-30", 1, "2023-05-31"),
        ("2005-09-30", 1, "2005-10-31"),
    ],
)
def test_a_window_ends_on_the_day_worked_by_hand(as_of: str, months: int, last_day: str) -> None:
    assert window_end(np.array([day(as_of)], np.int32), months).tolist() == [day(last_day)]


@pytest.mark.parametrize(
    ("as_of", "months", "eve"),
    [
        ("2023-01-31", 12, "2024-01-30"),
        ("2023-02-28", 12, "2024-02-28"),  # the window ends on the 29th
        ("2023-04-30", 1, "2023-05-30"),  # on the 31st
        ("2023-01-15", 12, "2024-01-14"),
        ("2023-01-30", 1, "2023-02-27"),
    ],
)
def test_an_outcome_matures_on_the_last_day_of_its_window_not_before(as_of: str, months: int, eve: str) -> None:
    end = (dt.date.fromisoformat(eve) + dt.timedelta(1)).isoformat()
    found = [len(labels(now, {"as_of": as_of}, months=months)) for now in (eve, end)]
    assert found == [0, 1]


def test_an_early_default_waits_for_its_vintage() -> None:
    row = {"as_of": "2023-01-31", "defaulted": 1, "observed_until": "2023-03-01"}
    assert [len(labels(now, row)) for now in ("2023-12-31", "2024-01-31")] == [0, 1]


def test_a_good_outcome_not_observed_to_the_end_is_no_label() -> None:
    assert len(labels("2025-01-31", {"as_of": "2023-01-31", "observed_until": "2024-01-30"})) == 0


def test_a_good_outcome_observed_to_the_end_is_a_label() -> None:
    assert len(labels("2025-01-31", {"as_of": "2023-01-31", "observed_until": "2024-01-31"})) == 1


def test_a_default_need_not_be_observed_longer() -> None:
    row = {"as_of": "2023-01-31", "observed_until": "2023-06-30", "defaulted": 1}
    assert labels("2025-01-31", row).defaulted.tolist() == [1]


def test_an_outcome_not_known_yet_is_no_label() -> None:
    row = {"as_of": "2023-01-31", "known_time": "2024-03-01"}
    assert [len(labels(now, row)) for now in ("2024-02-29", "2024-03-01")] == [0, 1]


def test_what_still_waits_is_counted() -> None:
    rows = [{"as_of": "2023-01-31"}, {"as_of": "2023-06-30"}, {"as_of": "2023-12-31"}]
    found = labels("2024-06-30", *rows)
    assert (len(found), found.immature) == (2, 1)


def test_a_restated_outcome_is_one_label_the_last_known() -> None:
    rows = [
        {"as_of": "2023-01-31", "defaulted": 0, "known_time": "2024-01-31"},
        {"as_of": "2023-01-31", "defaulted": 1, "known_time": "2024-06-30"},
    ]
    before, after = labels("2024-06-29", *rows), labels("2024-06-30", *rows)
    assert (before.defaulted.tolist(), after.defaulted.tolist()) == ([0], [1])
    assert (before.immature, after.immature) == (0, 0)


def test_customers_and_dates_keep_their_own_labels() -> None:
    rows = [{"customer_id": c, "as_of": d} for c in "ab" for d in ("2022-01-31", "2022-02-28")]
    assert len(labels("2024-01-31", *rows)) == 4


@given(as_of=st.integers(-10_000, 40_000), months=st.integers(1, 36), wait=st.integers(0, 1500))
def test_a_label_once_matured_stays_matured(as_of: int, months: int, wait: int) -> None:
    end = window_end(np.array([as_of], np.int32), months)[0]
    assert as_of + 28 * months <= end <= as_of + 31 * months + 3
    assert end <= window_end(np.array([as_of + wait], np.int32), months)[0]
