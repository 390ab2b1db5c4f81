"""What is counted in one pass is what counting column by column gives, chunk by chunk or at once."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from configs.settings import Monitoring
from features.declaration import Constant, Feature
from monitoring.drift.tally import Grid, Tally, grid_of, tally
from training.psi import counts, edges_of

NUMBERS = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, -0.0, 1.0, 2.0, np.nan]))


def gridded(then: np.ndarray, bounds: Monitoring, low: float = -np.inf, high: float = np.inf) -> Grid:
    column = Feature("f", "column", Constant(0.0), "", "", "unknown", "", "", low, high)
    return grid_of([column] * then.shape[1], then, bounds)


def same(one: Tally, other: Tally) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Tally))


@settings(max_examples=40, deadline=None)  # the first example compiles
@given(
    now=arrays(np.float64, st.tuples(st.integers(0, 40), st.just(2)), elements=NUMBERS),
    then=arrays(np.float64, (30, 2), elements=st.floats(-3, 3, width=16) | st.just(np.nan)),
    cut=st.integers(0, 40),
)
def test_chunks_add_up_to_all_rows_and_bins_are_those_of_the_psi(bounds: Monitoring, now, then, cut: int) -> None:
    grid = gridded(then, bounds)
    whole = tally(now, grid)
    assert same(tally(now[:cut], grid) + tally(now[cut:], grid), whole)
    for place in range(2):
        edges = edges_of(then[:, place], bounds.psi_bins)
        assert whole.by_psi_bin(place, grid).tolist() == counts(now[:, place], edges).tolist()


def test_every_kind_of_value_by_hand(bounds: Monitoring) -> None:
    grid = gridded(np.linspace(0, 10, 101)[:, None], bounds, low=0, high=10)
    found = tally(np.array([[np.nan], [np.inf], [-np.inf], [-1.0], [0.0], [10.0], [11.0]]), grid)
    assert (found.rows, found.missing[0], found.infinite[0], found.finite[0]) == (7, 1, 2, 4)
    assert found.outside[0] == 4
    assert (found.lowest[0], found.highest[0]) == (-1.0, 11.0)


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 1e9])
def test_the_median_of_positive_values_is_within_an_eighth(bounds: Monitoring, scale: float) -> None:
    values = np.random.default_rng(3).lognormal(size=5001) * scale
    positive, median = tally(values[:, None], gridded(values[:, None], bounds)).positive_median(0)
    assert positive == 5001
    assert median == pytest.approx(np.median(values), rel=1 / 7)


def test_without_a_positive_value_there_is_no_median(bounds: Monitoring) -> None:
    values = np.array([[0.0], [-1.0], [np.nan]])
    positive, median = tally(values, gridded(values, bounds)).positive_median(0)
    assert positive == 0
    assert np.isnan(median)


def test_a_reference_without_a_value_counts_all_the_same(bounds: Monitoring) -> None:
    grid = gridded(np.full((20, 1), np.nan), bounds)
    found = tally(np.array([[1.0], [np.nan]]), grid)
    assert found.by_psi_bin(0, grid).tolist() == [1, 1]
