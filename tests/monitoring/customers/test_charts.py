"""Small figures: what stands on their scales."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.customers.charts import bars


def scale(counts: list[float]) -> list[str]:
    """What is written at the lines, from the bottom up."""
    drawn = str(bars([""] * len(counts), {"now": counts}))
    return re.findall(r'text-anchor="end">([^<]+)<', drawn)


@given(st.lists(st.integers(0, 800), min_size=1, max_size=7))
def test_counts_stand_beside_a_scale_of_whole_numbers_that_holds_them(counts: list[int]) -> None:
    low, middle, high = (int(told) for told in scale(list(counts)))
    assert (low, 2 * middle) == (0, high)
    assert max(counts) <= high <= max(2 * max(counts), 2)


@pytest.mark.parametrize(
    ("highest", "told"),
    [
        (0, ["0", "1", "2"]),
        (3, ["0", "2", "4"]),
        (23, ["0", "15", "30"]),
        (220, ["0", "125", "250"]),
        (2100, ["0", "1.25 k", "2.5 k"]),
        (0.23, ["0", "0.125", "0.25"]),
        (23.0, ["0", "12.5", "25"]),
    ],
)
def test_a_scale_ends_with_the_next_round_number(highest: float, told: list[str]) -> None:
    assert scale([highest]) == told
