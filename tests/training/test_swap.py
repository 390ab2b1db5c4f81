"""Swap sets: counted by hand, and Fisher's exact test as scipy computes it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import fisher_exact

from training.swap import SwapSet, swap_sets, worse_p


def test_rows_are_counted_by_what_the_two_would_do() -> None:
    challenger, champion = np.array([0.01, 0.01, 0.2, 0.2, 0.01]), np.array([0.02, 0.3, 0.02, 0.3, 0.3])
    found = swap_sets(challenger, champion, np.array([False, True, True, True, False]), 0.1)
    assert {one.name: (one.rows, one.defaults) for one in found} == {
        "approved by both": (1, 0),
        "newly approved": (2, 1),
        "no more approved": (1, 1),
        "approved by neither": (1, 1),
    }


def test_a_pd_on_the_cut_off_is_not_approved() -> None:
    found = swap_sets(np.array([0.1]), np.array([0.1]), np.array([True]), 0.1)
    assert next(one.rows for one in found if one.name == "approved by neither") == 1


def test_an_empty_set_has_no_rate() -> None:
    assert swap_sets(np.array([0.1]), np.array([0.1]), np.array([True]), 0.5)[1].default_rate is None


def test_the_p_value_is_fishers() -> None:
    newly, no_more = SwapSet("newly approved", 40, 9, None), SwapSet("no more approved", 60, 4, None)
    expected = fisher_exact([[9, 31], [4, 56]], alternative="greater").pvalue
    assert worse_p(newly, no_more) == pytest.approx(expected, rel=1e-9)


def test_without_a_swap_there_is_nothing_to_test() -> None:
    assert math.isnan(worse_p(SwapSet("newly approved", 0, 0, None), SwapSet("no more approved", 9, 1, None)))
