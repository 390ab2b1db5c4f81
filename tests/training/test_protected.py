"""The door to protected attributes: who belongs where, as known on the day, and what is refused."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.check import check_frame
from features.contracts import TABLES, Columns, to_day
from training.protected import UNKNOWN, groups_of, joined, newest_row_each

NOW = to_day(dt.date(2024, 1, 1))
ASKED = np.array(["b", "a", "nobody", "b"], object)


def recorded(*rows: tuple[str, str, str, str]) -> Columns:
    frame = pd.DataFrame(rows, columns=["customer_id", "recorded", "attribute", "group"])
    return check_frame(TABLES["protected"], frame, "here")


TWO = recorded(
    ("a", "2023-01-01", "sex", "female"), ("b", "2023-01-01", "sex", "male"), ("a", "2023-01-01", "age", "62 and over")
)


def test_each_row_has_the_group_of_its_customer_and_the_unrecorded_have_none() -> None:
    groups = groups_of(TWO, ASKED, NOW)
    assert groups["sex"].tolist() == ["male", "female", UNKNOWN, "male"]
    assert groups["age"].tolist() == [UNKNOWN, "62 and over", UNKNOWN, UNKNOWN]


@pytest.mark.parametrize(("now", "group"), [("2023-06-30", "single"), ("2023-07-01", "married")])
def test_what_was_known_last_counts(now: str, group: str) -> None:
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a"],
            "recorded": ["2023-01-01", "2023-01-01"],
            "attribute": "marriage",
            "group": ["single", "married"],
            "known_time": ["2023-01-01", "2023-07-01"],
        }
    )
    table = check_frame(TABLES["protected"], frame, "here")
    assert groups_of(table, np.array(["a"], object), to_day(dt.date.fromisoformat(now)))["marriage"].tolist() == [group]


def test_a_product_that_lists_the_table_needs_it() -> None:
    with pytest.raises(DataError, match="cards: lists the table 'protected', and the data hold none"):
        joined("cards", {}, ["debt"], ASKED, NOW)


def test_an_attribute_that_is_a_feature_too_is_refused() -> None:
    with pytest.raises(DataError, match="protected, and a feature too: sex; name it under `deny`"):
        joined("cards", {"protected": TWO}, ["debt", "Sex"], ASKED, NOW)


def test_a_customer_is_judged_once_by_the_newest_row() -> None:
    customers = np.array(["a", "b", "a", "b", "c"], object)
    assert newest_row_each(customers, np.array([5, 9, 7, 3, 1])).tolist() == [1, 2, 4]
