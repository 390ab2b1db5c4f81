"""Of a month whose defaults alone are told nothing is believed yet."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.outcome import Labels
from monitoring.outcomes.vintages import whole

JANUARY, FEBRUARY = 19_750, 19_780


def labels(*parts: tuple[int, int, int]) -> Labels:
    """So many goods and so many bads asked about on each day."""
    days = np.concatenate([np.full(goods + bads, day, np.int32) for day, goods, bads in parts])
    bad = np.concatenate([np.repeat([0, 1], [goods, bads]) for _, goods, bads in parts]).astype(np.int8)
    return Labels(np.array([f"c{place}" for place in range(len(days))], object), days, bad, 0)


def asked(january: int, february: int) -> np.ndarray:
    return np.repeat(np.array([JANUARY, FEBRUARY], np.int32), [january, february])


def test_a_month_of_which_only_defaults_are_told_waits() -> None:
    found = whole(labels((JANUARY, 95, 5), (FEBRUARY, 0, 6)), asked(100, 100), 0.8)
    assert found.as_of.tolist() == [JANUARY] * 100
    assert found.defaulted.mean() == 0.05


def test_declined_applicants_of_whom_nothing_is_ever_known_hold_nothing_up() -> None:
    # Of either month six in ten are approved and known.
    assert len(whole(labels((JANUARY, 57, 3), (FEBRUARY, 52, 4)), asked(100, 100), 0.8)) == 116


def test_a_month_of_few_decisions_is_not_judged_by_its_share() -> None:
    assert len(whole(labels((JANUARY, 95, 5), (FEBRUARY, 3, 1)), asked(100, 10), 0.8)) == 104


def test_where_nothing_is_known_nothing_is_left_out() -> None:
    none = labels((JANUARY, 0, 0))
    assert len(whole(none, asked(10, 10), 0.8)) == 0


@given(st.integers(0, 100), st.integers(0, 100))
def test_the_best_known_month_is_always_used(january: int, february: int) -> None:
    found = whole(labels((JANUARY, january, 0), (FEBRUARY, february, 0)), asked(100, 100), 0.8)
    assert len(found) >= max(january, february)
