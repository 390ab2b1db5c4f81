"""The PSI by hand, its bins, and its bound against chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from training.psi import chance_bound, counts, edges_of, psi

tallies = arrays.arrays(np.int64, st.integers(2, 12), elements=st.integers(0, 10_000))


def test_the_psi_of_two_bins_by_hand() -> None:
    # Half a row is added to each bin: 30.5 and 70.5 of 101 now, 50.5 and 50.5 of 101 then.
    by_hand = (30.5 - 50.5) / 101 * math.log(30.5 / 50.5) + (70.5 - 50.5) / 101 * math.log(70.5 / 50.5)
    assert psi(np.array([30, 70]), np.array([50, 50])) == pytest.approx(by_hand, rel=1e-12)
    assert by_hand == pytest.approx(0.165918, abs=5e-7)


def test_the_psi_nears_the_textbook_value_where_rows_are_many() -> None:
    # Siddiqi's arithmetic for shares 30/70 against 50/50: -0.2 ln 0.6 + 0.2 ln 1.4 = 0.169460.
    assert psi(np.array([3_000_000, 7_000_000]), np.array([5_000_000, 5_000_000])) == pytest.approx(0.169460, abs=1e-6)


def test_equal_shares_give_nothing() -> None:
    assert psi(np.array([100, 200, 300]), np.array([100, 200, 300])) == 0


@given(st.data())
def test_the_psi_is_never_negative_and_always_finite(data: st.DataObject) -> None:
    now = data.draw(tallies)
    then = data.draw(arrays.arrays(np.int64, len(now), elements=st.integers(0, 10_000)))
    assert 0 <= psi(now, then) < math.inf


@given(st.data())
def test_of_counts_neither_side_is_privileged(data: st.DataObject) -> None:
    now = data.draw(tallies)
    then = data.draw(arrays.arrays(np.int64, len(now), elements=st.integers(0, 10_000)))
    assert psi(now, then) == pytest.approx(psi(then, now), rel=1e-9)


@given(tallies, st.randoms(use_true_random=False))
def test_the_order_of_the_bins_does_not_matter(now: np.ndarray, random) -> None:
    order = random.sample(range(len(now)), len(now))
    then = now[::-1]
    assert psi(now[order], then[order]) == pytest.approx(psi(now, then), rel=1e-9, abs=1e-15)


def test_the_edges_are_the_references_quantiles() -> None:
    assert edges_of(np.arange(1.0, 101), 4).tolist() == [25, 50, 75]


def test_the_edges_do_not_see_missing_values() -> None:
    reference = np.append(np.arange(1.0, 101), np.full(50, np.nan))
    assert edges_of(reference, 4).tolist() == [25, 50, 75]


def test_a_tie_gives_one_edge() -> None:
    assert edges_of(np.array([0.0] * 90 + [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 10).tolist() == [0]


@pytest.mark.parametrize("reference", [np.empty(0), np.full(5, np.nan), np.full(5, 7.0)])
def test_a_reference_without_spread_has_no_edge(reference: np.ndarray) -> None:
    assert edges_of(reference, 10).tolist() == []


def test_a_value_on_an_edge_counts_below_it() -> None:
    assert counts(np.array([25.0, 25.1]), np.array([25.0, 50, 75])).tolist() == [1, 1, 0, 0, 0]


def test_the_missing_have_a_bin_of_their_own() -> None:
    assert counts(np.array([np.nan, 1, np.nan]), np.array([25.0])).tolist() == [1, 0, 2]


@given(arrays.arrays(float, st.integers(0, 80), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_every_row_is_counted_once(values: np.ndarray) -> None:
    assert counts(values, np.array([-1.0, 0, 1])).sum() == len(values)


def test_a_bin_that_empties_is_kept() -> None:
    # validmind drops the empty bins and finds 0.35 here; ten bins kept give a number nobody overlooks.
    reference = np.linspace(0, 1, 1000)
    found = psi(*(counts(side, edges_of(reference, 10)) for side in (reference[:500], reference)))
    assert 2.5 < found < 10


def test_the_bound_is_the_chi_squared_quantile_of_the_tables() -> None:
    # chi-squared, 9 degrees, 99 %: 21.666 in any table.
    tally = np.full(10, 100)
    assert chance_bound(tally, tally, 0.99) == pytest.approx(21.666 * (1 / 1000 + 1 / 1000), rel=1e-4)


def test_a_bin_empty_on_both_sides_costs_no_degree_of_freedom() -> None:
    tally = np.append(np.full(10, 100), 0)
    assert chance_bound(tally, tally, 0.99) == pytest.approx(21.666 * 2 / 1000, rel=1e-4)


@pytest.mark.parametrize("now", [[0, 0, 0], [5, 0, 0]])
def test_the_bound_of_rows_all_in_one_bin_warns_of_nothing(now: list[int]) -> None:
    assert chance_bound(np.array(now), np.array([9, 0, 0]), 0.99) in (0.0, math.inf)
