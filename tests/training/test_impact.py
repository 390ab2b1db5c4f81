"""How near groups are to one approve rate: by hand, and against the exact spread of a bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.impact import adverse_pair, impact_differences, nearness, pareto_front
from training.parity import impact_ratio
from training.protected import UNKNOWN


def approvals(**groups: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Approved and labels of groups given as (approved, rows)."""
    approved = np.concatenate([np.arange(rows) < count for count, rows in groups.values()])
    return approved, np.repeat(np.array(list(groups), object), [rows for _, rows in groups.values()])


def test_the_pair_farthest_apart_names_the_one_approved_less_first() -> None:
    assert adverse_pair(*approvals(a=(80, 100), b=(30, 50), c=(35, 50)), 30) == ("b", "a")
    assert adverse_pair(*approvals(a=(40, 100), b=(45, 50), c=(19, 50)), 30) == ("a", "b")


def test_groups_too_small_or_not_recorded_make_no_pair() -> None:
    assert adverse_pair(*approvals(a=(80, 100), b=(1, 29)), 30) is None
    assert adverse_pair(*approvals(**{UNKNOWN: (0, 90), "a": (80, 100)}), 30) is None


def test_a_ratio_is_as_near_to_one_either_way() -> None:
    assert (nearness(0.8), nearness(1.25), nearness(0.0), nearness(1.0)) == (0.8, 0.8, 0.0, 1.0)


def test_the_front_holds_whom_nobody_betters_in_both() -> None:
    auc, near = [0.80, 0.79, 0.78, 0.79, 0.80], [0.70, 0.80, 0.75, 0.80, 0.60]
    assert pareto_front(auc, near) == [True, True, False, True, False]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_the_front_is_never_empty_and_covers_everybody(points: list[tuple[int, int]]) -> None:
    auc, near = ([float(value) for value in axis] for axis in zip(*points, strict=True))
    front = [point for point, on in zip(points, pareto_front(auc, near), strict=True) if on]
    assert all(any(a >= x and b >= y for a, b in front) for x, y in points)


def test_a_gain_is_the_difference_of_the_ratios() -> None:
    first, labels = approvals(a=(80, 100), b=(40, 80))
    second, _ = approvals(a=(80, 100), b=(60, 80))
    customers = np.arange(180).astype(str)
    own, other = impact_differences(np.column_stack([first, second]), labels == "b", labels == "a", customers, 300, 1)
    assert (own.value, own.low, own.high) == (0.0, 0.0, 0.0)
    assert other.value == pytest.approx(0.75 / 0.8 - 0.5 / 0.8)
    assert 0 < other.low < other.value < other.high


def test_the_bootstrap_spreads_as_katz_says() -> None:
    # Against a model that approves everybody (ratio 1 in each draw) the gain is the ratio less 1.
    approved, labels = approvals(a=(1400, 2000), b=(500, 1000))
    both = np.column_stack([np.ones(3000, bool), approved])
    got = impact_differences(both, labels == "b", labels == "a", np.arange(3000).astype(str), 2000, 1)[1]
    katz = impact_ratio(500, 1000, 1400, 2000)
    assert (got.low + 1, got.high + 1) == pytest.approx((katz.low, katz.high), abs=0.006)


def test_rows_of_one_customer_are_drawn_together() -> None:
    approved, labels = approvals(a=(700, 1000), b=(250, 500))
    both = np.column_stack([np.ones(1500, bool), approved])
    alone = impact_differences(both, labels == "b", labels == "a", np.arange(1500).astype(str), 1000, 1)[1]
    fours = np.concatenate([np.arange(1000) // 4, 250 + np.arange(500) // 4]).astype(str)
    together = impact_differences(both, labels == "b", labels == "a", fours, 1000, 1)[1]
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(2.0, rel=0.15)


def test_a_model_that_approves_nobody_has_no_gain() -> None:
    approved, labels = approvals(a=(70, 100), b=(25, 50))
    both = np.column_stack([approved, np.zeros(150, bool)])
    assert math.isnan(impact_differences(both, labels == "b", labels == "a", np.arange(150).astype(str), 100, 1)[1].low)
