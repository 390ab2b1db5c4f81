"""What is known of decisions whose window has closed, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from features.outcome import Labels
from monitoring.outcomes.performance import performance
from training.validate import Interval

PROMISED = Interval(0.8, 0.75, 0.85)
DAY = 19_000


def known(*rows: tuple[str, int, int], immature: int = 0) -> Labels:
    customers, days, bad = zip(*rows, strict=True) if rows else ((), (), ())
    return Labels(np.array(customers, object), np.array(days, np.int32), np.array(bad, np.int8), immature)


@pytest.fixture
def four(window):
    """Four decisions on one day."""
    return window([0.0] * 4, as_of=DAY, customers=["a", "b", "c", "d"], pds=[0.1, 0.4, 0.35, 0.8])


def test_the_numbers_by_hand(four) -> None:
    # AUC: of the 4 pairs of a bad (0.35, 0.8) and a good (0.1, 0.4), 3 are in order. 2 defaults, expected 1.65.
    found = performance(four, known(("a", DAY, 0), ("b", DAY, 0), ("c", DAY, 1), ("d", DAY, 1)), PROMISED)
    assert found is not None
    assert (found.rows, found.defaults, found.auc.value, found.promised_auc) == (4, 2, 0.75, PROMISED)
    assert found.observed_to_expected.value == pytest.approx(2 / 1.65)


def test_only_decisions_whose_outcome_matured_are_judged(four) -> None:
    found = performance(four, known(("a", DAY, 0), ("d", DAY, 1)), PROMISED)
    assert found is not None
    assert (found.rows, found.defaults, found.auc.value) == (2, 1, 1.0)


def test_an_outcome_belongs_to_the_day_it_was_asked_about(four) -> None:
    found = performance(four, known(("a", DAY, 0), ("b", DAY - 1, 1), ("d", DAY, 1)), PROMISED)
    assert found is not None
    assert (found.rows, found.defaults) == (2, 1)


def test_outcomes_of_others_count_for_nothing(four) -> None:
    found = performance(four, known(("a", DAY, 0), ("d", DAY, 1), ("stranger", DAY, 1)), PROMISED)
    assert found is not None
    assert (found.rows, found.defaults) == (2, 1)


def test_a_customer_asked_about_twice_is_judged_twice(window) -> None:
    asked = window([0.0] * 3, as_of=[DAY, DAY + 30, DAY], customers=["a", "a", "b"], pds=[0.1, 0.5, 0.2])
    found = performance(asked, known(("a", DAY, 0), ("a", DAY + 30, 1), ("b", DAY, 0)), PROMISED)
    assert found is not None
    assert (found.rows, found.defaults, found.auc.value) == (3, 1, 1.0)


@pytest.mark.parametrize(
    "labels",
    [
        known(),
        known(immature=4),
        known(("a", DAY, 0), ("b", DAY, 0)),
        known(("c", DAY, 1), ("d", DAY, 1)),
        known(("a", DAY + 1, 0), ("d", DAY + 1, 1)),
    ],
    ids=["none", "all too young", "goods only", "bads only", "another day"],
)
def test_without_a_good_and_a_bad_nothing_is_said(four, labels: Labels) -> None:
    assert performance(four, labels, PROMISED) is None


def test_no_decision_no_performance(window) -> None:
    assert performance(window(), known(("a", DAY, 0), ("d", DAY, 1)), PROMISED) is None
