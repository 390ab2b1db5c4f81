"""What the monitor says of columns that moved: only beyond what chance explains, and how often it errs in a year."""

from __future__ import annotations

import math

import numpy as np
import pytest

from configs.settings import Monitoring
from features.declaration import Constant, Feature
from monitoring.drift.reference import make_reference
from monitoring.drift.stability import (
    Stability,
    budget_of,
    ks_chance,
    ks_distance,
    most_moved,
    psi_chance,
    stabilities,
)
from training.psi import chance_bound, counts, edges_of, psi


def test_swapping_two_windows_of_values_changes_the_psi_because_the_edges_are_the_references(
    bounds: Monitoring,
) -> None:
    rng = np.random.default_rng(1)
    wide, narrow = rng.normal(0, 2, 1000), rng.normal(0, 1, 1000)
    assert alone(wide, narrow, bounds).psi != alone(narrow, wide, bounds).psi


def test_values_that_go_missing_move_the_psi(bounds: Monitoring) -> None:
    reference = np.random.default_rng(2).normal(size=2000)
    gone = np.where(np.arange(2000) < 600, np.nan, reference)
    assert alone(gone, reference, bounds).level == "red"


def test_no_row_is_no_drift(bounds: Monitoring) -> None:
    found = alone(np.empty(0), np.linspace(0, 1, 100), bounds)
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
    seen = [alone(rng.normal(0.5, 1, 200), rng.normal(size=2000), bounds).level != "green" for _ in range(50)]
    assert np.mean(seen) > 0.9


def test_many_rows_do_not_make_a_small_shift_alarming(bounds: Monitoring) -> None:
    rng = np.random.default_rng(6)
    found = alone(rng.normal(0.1, 1, 200_000), rng.normal(size=20_000), bounds)
    assert found.psi > found.bound
    assert found.level == "green"


def test_a_large_psi_within_chance_stays_green(bounds: Monitoring) -> None:
    found = alone(np.random.default_rng(3).normal(size=20), np.linspace(-2, 2, 2000), bounds)
    assert found.psi > bounds.psi_watch
    assert found.level == "green"


def test_the_most_moved_comes_first(bounds: Monitoring) -> None:
    rng = np.random.default_rng(4)
    found = compared(rng.normal([0, 2, 1], 1, (1000, 3)), rng.normal(size=(2000, 3)), bounds)
    assert [item.name for item in most_moved(found)] == ["f1", "f2", "f0"]


def alone(now: np.ndarray, then: np.ndarray, bounds: Monitoring) -> Stability:
    """One feature."""
    return compared(now[:, None], then[:, None], bounds)[0]


def compared(
    now: np.ndarray, then: np.ndarray, bounds: Monitoring, customers: int | None = None, share: float = 1.0
) -> list[Stability]:
    """Features f0, f1, ... now against then; of so many customers now, and of that share of the rows then."""
    features = [Feature(f"f{i}", "column", Constant(0.0), "", "", "unknown", "", "") for i in range(then.shape[1])]
    flat = np.full(len(then), 0.03)
    reference = make_reference(features, then, flat, np.zeros(len(then)), share, bounds)
    counted = reference.count(now, np.full(len(now), 0.03))
    sizes = reference.sizes(len(now) if customers is None else customers)
    return stabilities(counted, reference.counted, reference.grid, sizes, bounds)[:-1]


@pytest.mark.parametrize("correlated", [0.0, 0.95])
def test_where_nothing_changed_no_more_runs_alarm_than_the_budget_allows(bounds: Monitoring, correlated: float) -> None:
    # 80 runs of 20 columns, each with a reference of its own; the bound is the budget and four of its deviations.
    allowed, alarms = budget_of(bounds).drift, 0
    for seed in range(80):
        rng = np.random.default_rng(seed)

        def drawn(rows: int, rng: np.random.Generator = rng) -> np.ndarray:
            own, shared = rng.normal(size=(rows, 20)), rng.normal(size=(rows, 1))
            values = np.sqrt(1 - correlated) * own + np.sqrt(correlated) * shared
            values[:, :5] = np.round(np.exp(values[:, :5]))  # counts, with many ties
            values[rng.random((rows, 20)) < 0.05] = np.nan
            return values

        alarms += any(item.moved for item in compared(drawn(400), drawn(1500), bounds))
    assert alarms <= 80 * allowed + 4 * math.sqrt(80 * allowed * (1 - allowed))


def test_one_column_among_sixty_that_moved_is_named_alone(bounds: Monitoring) -> None:
    rng = np.random.default_rng(9)
    now = rng.normal(size=(1000, 60))
    now[:, 17] += 0.4
    assert [item.name for item in compared(now, rng.normal(size=(3000, 60)), bounds) if item.moved] == ["f17"]


def test_rows_of_the_same_customers_tell_the_same_twice(bounds: Monitoring) -> None:
    # Each of 100 customers asked about ten times, with the same values: as rows they would alarm.
    rng = np.random.default_rng(10)
    now, then = np.repeat(rng.normal(0.15, 1, (100, 1)), 10, axis=0), rng.normal(size=(3000, 1))
    assert compared(now, then, bounds)[0].moved
    assert not compared(now, then, bounds, customers=100)[0].moved


def test_a_reference_of_few_customers_binds_less(bounds: Monitoring) -> None:
    rng = np.random.default_rng(11)
    now, then = rng.normal(0.2, 1, (2000, 1)), rng.normal(size=(2000, 1))
    assert compared(now, then, bounds)[0].q < compared(now, then, bounds, share=0.1)[0].q


def test_the_ks_distance_by_hand() -> None:
    # Shares below the edges: 0.1, 0.3, 1 now; 0.25, 0.75, 1 then.
    assert ks_distance(np.array([1, 2, 7]), np.array([1, 2, 1])) == pytest.approx(0.45)


def test_the_chance_of_a_ks_distance_is_that_of_the_tables() -> None:
    # Smirnov's (1948) table: the limit exceeds 1.3581 in 5 % of cases, 1.6276 in 1 %.
    assert ks_chance(1.3581 / math.sqrt(500), 1000, 1000) == pytest.approx(0.05, rel=1e-3)
    assert ks_chance(1.6276 / math.sqrt(500), 1000, 1000) == pytest.approx(0.01, rel=1e-3)


def test_the_chance_of_a_psi_is_that_of_chi_squared() -> None:
    # Ten bins, nine degrees of freedom: 16.919 is exceeded in 5 % of cases.
    then = np.full(10, 100_000)
    now = then + np.array([1, -1] * 5) * round(100_000 * math.sqrt(16.919 / 10 * (1 / 1e5 + 1 / 1e5)))
    assert psi_chance(now, then) == pytest.approx(0.05, rel=0.02)


def test_bins_too_thin_for_the_limit_are_put_together() -> None:
    # One row where none was before would pass for a proof, alone in its bin.
    assert psi_chance(np.array([500, 1, 0, 0]), np.array([5000, 0, 0, 0])) > 0.01


def test_no_column_has_no_chance() -> None:
    assert psi_chance(np.zeros(3), np.ones(3)) == ks_chance(1.0, 0, 10) == 1.0


def test_the_budget_of_a_year_is_shared_by_its_runs(bounds: Monitoring) -> None:
    monthly = bounds.model_copy(update={"runs_a_year": 12, "false_alarms_a_year": 0.6})
    assert budget_of(monthly).drift == pytest.approx(0.025)
    assert budget_of(monthly).false_alarms_a_year == pytest.approx(0.6)
    assert budget_of(monthly).told == "Where nothing changes, chance alarms in at most 0.6 of 12 runs a year"


def test_a_generous_budget_still_spares_four_runs_in_five(bounds: Monitoring) -> None:
    generous = bounds.model_copy(update={"runs_a_year": 2, "false_alarms_a_year": 9.0})
    assert budget_of(generous).false_alarms_a_year == pytest.approx(0.4)
