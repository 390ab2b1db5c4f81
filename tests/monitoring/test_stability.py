"""What the monitor says of a column that moved: only beyond what chance explains."""

from __future__ import annotations

import math

import numpy as np
import pytest

from configs.settings import Monitoring
from monitoring.stability import stabilities, stability
from training.psi import chance_bound, counts, edges_of, psi


def test_swapping_two_windows_of_values_changes_the_psi_because_the_edges_are_the_references(
    bounds: Monitoring,
) -> None:
    rng = np.random.default_rng(1)
    wide, narrow = rng.normal(0, 2, 1000), rng.normal(0, 1, 1000)
    assert stability("x", wide, narrow, bounds).psi != stability("x", narrow, wide, bounds).psi


def test_values_that_go_missing_move_the_psi(bounds: Monitoring) -> None:
    reference = np.random.default_rng(2).normal(size=2000)
    gone = np.where(np.arange(2000) < 600, np.nan, reference)
    assert stability("x", gone, reference, bounds).level == "red"


def test_no_row_is_no_drift(bounds: Monitoring) -> None:
    found = stability("x", np.empty(0), np.linspace(0, 1, 100), bounds)
    assert (found.level, found.bound) == ("green", math.inf)


@pytest.mark.parametrize("rows", [200, 1000, 10_000])
def test_chance_passes_its_bound_as_often_as_stated(rows: int, bounds: Monitoring) -> None:
    # 2000 unshifted windows, each with a reference of its own: at 99 %, 20 false alarms expected, sd 4.4.
    rng = np.random.default_rng(rows)

    def drawn(size: int) -> np.ndarray:
        return np.where(rng.random(size) < 0.05, np.nan, rng.lognormal(size=size))

    alarms = 0
    for _ in range(2000):
        reference = drawn(2000)
        edges = edges_of(reference, bounds.psi_bins)
        now, then = counts(drawn(rows), edges), counts(reference, edges)
        alarms += psi(now, then) > chance_bound(now, then, bounds.confidence)
    assert 20 - 4 * 4.4 < alarms < 20 + 4 * 4.4


def test_a_shift_of_half_a_deviation_is_seen_in_two_hundred_rows(bounds: Monitoring) -> None:
    rng = np.random.default_rng(5)
    seen = [stability("x", rng.normal(0.5, 1, 200), rng.normal(size=2000), bounds).level != "green" for _ in range(50)]
    assert np.mean(seen) > 0.9


def test_many_rows_do_not_make_a_small_shift_alarming(bounds: Monitoring) -> None:
    rng = np.random.default_rng(6)
    found = stability("x", rng.normal(0.1, 1, 200_000), rng.normal(size=20_000), bounds)
    assert found.psi > found.bound
    assert found.level == "green"


def test_a_large_psi_within_chance_stays_green(bounds: Monitoring) -> None:
    found = stability("x", np.random.default_rng(3).normal(size=20), np.linspace(-2, 2, 2000), bounds)
    assert found.psi > bounds.psi_watch
    assert found.level == "green"


def test_the_most_moved_comes_first(bounds: Monitoring) -> None:
    rng = np.random.default_rng(4)
    then = rng.normal(size=(2000, 3))
    now = rng.normal([0, 2, 1], 1, (1000, 3))
    assert [item.name for item in stabilities(["a", "b", "c"], now, then, bounds)] == ["b", "c", "a"]
