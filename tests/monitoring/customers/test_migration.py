"""Grades that move: never for a tremor, always for a fact, and never up for a higher PD."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.customers import ReviewRules
from monitoring.customers.migration import CAUSES, NEW, Standing, matrix, move

UPPER = np.array([0.01, 0.02, 0.04, 0.08])
RULES = ReviewRules(margin_share=0.2, up_after=3, down_after=2)
PDS = st.floats(1e-5, 0.9)


def by_pd(pds: np.ndarray) -> np.ndarray:
    return np.searchsorted(UPPER, pds, side="right").astype(np.int8)


def reviewed(pds: list[float], start: int = NEW, forced: list[int] | None = None) -> tuple[list[int], list[str]]:
    """One customer through reviews with these PDs: grades and causes."""
    standing = Standing(np.array([start], np.int8), np.zeros(1, np.int16), np.zeros(1, np.int16))
    grades, causes = [], []
    for place, pd in enumerate(pds):
        value = np.array([pd])
        force = np.array([NEW if forced is None else forced[place]], np.int8)
        standing, cause = move(value, by_pd(value), standing, force, UPPER, RULES)
        grades.append(int(standing.grade[0]))
        causes.append(CAUSES[cause[0]])
    return grades, causes


def test_a_new_customer_gets_the_grade_of_the_pd() -> None:
    assert reviewed([0.03]) == ([2], ["first"])


def test_a_pd_clearly_beyond_the_edge_moves_the_grade_at_once() -> None:
    assert reviewed([0.0121], start=0) == ([1], ["margin"])
    assert reviewed([0.0079], start=1) == ([0], ["margin"])


def test_a_pd_just_beyond_the_edge_moves_a_grade_down_only_at_the_second_review() -> None:
    assert reviewed([0.011, 0.011], start=0) == ([0, 1], ["none", "persistence"])


def test_a_pd_just_beyond_the_edge_moves_a_grade_up_only_at_the_third_review() -> None:
    assert reviewed([0.009, 0.009, 0.009], start=1) == ([1, 1, 0], ["none", "none", "persistence"])


def test_a_return_into_the_band_starts_the_count_anew() -> None:
    assert reviewed([0.011, 0.009, 0.011, 0.009], start=0)[0] == [0, 0, 0, 0]


def test_a_trigger_moves_the_grade_at_once_and_no_further_than_it_says() -> None:
    assert reviewed([0.005], start=0, forced=[3]) == ([3], ["trigger"])
    assert reviewed([0.9], start=4, forced=[3]) == ([4], ["none"])


def test_after_a_trigger_the_grade_rises_only_after_reviews_without_one() -> None:
    grades, causes = reviewed([0.005] * 5, start=0, forced=[3, NEW, NEW, NEW, NEW])
    assert grades == [3, 3, 3, 3, 0]
    assert causes == ["trigger", "none", "none", "none", "margin"]


def test_a_trigger_that_comes_and_goes_does_not_make_a_grade_flap() -> None:
    assert reviewed([0.005] * 8, start=0, forced=[3, NEW] * 4)[0] == [3] * 8


@settings(deadline=None)
@given(st.sampled_from(range(4)), st.lists(st.floats(-0.99, 0.99), min_size=1, max_size=40))
def test_within_the_margin_of_an_edge_moves_lie_as_far_apart_as_their_reviews(edge: int, tremor: list[float]) -> None:
    pds = [float(UPPER[edge]) * (1 + 0.2 * share) for share in tremor]
    grades = [edge, *reviewed(pds, start=edge)[0]]
    moves = [place for place in range(1, len(grades)) if grades[place] != grades[place - 1]]
    assert set(grades) <= {edge, edge + 1}
    for earlier, later in itertools.pairwise(moves):
        needed = RULES.down_after if grades[later] > grades[later - 1] else RULES.up_after
        assert later - earlier >= needed


@settings(deadline=None)
@given(st.integers(NEW, 4), st.integers(-4, 4), st.integers(0, 3), st.integers(NEW, 4), st.lists(PDS, min_size=2))
def test_for_the_same_customer_before_a_higher_pd_never_gives_a_better_grade(
    grade: int, beyond: int, held: int, forced: int, pds: list[float]
) -> None:
    values = np.sort(pds)
    rows = len(values)
    before = Standing(np.full(rows, grade, np.int8), np.full(rows, beyond, np.int16), np.full(rows, held, np.int16))
    after, _ = move(values, by_pd(values), before, np.full(rows, forced, np.int8), UPPER, RULES)
    assert (np.diff(after.grade) >= 0).all()


@settings(deadline=None)
@given(st.lists(st.tuples(PDS, st.integers(NEW, 4)), min_size=1, max_size=30))
def test_a_cause_is_named_exactly_where_the_grade_moved(rows: list[tuple[float, int]]) -> None:
    values, grades = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], np.int8)
    before = Standing(grades, np.zeros(len(rows), np.int16), np.zeros(len(rows), np.int16))
    after, cause = move(values, by_pd(values), before, np.full(len(rows), NEW, np.int8), UPPER, RULES)
    assert ((cause != 0) == (after.grade != grades)).all()
    assert ((cause == CAUSES.index("first")) == (grades == NEW)).all()


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_many_customers_move_as_each_alone(margin: float) -> None:
    rng = np.random.default_rng(3)
    rules = ReviewRules(margin_share=margin)
    pds, grades = rng.uniform(0, 0.1, 50), rng.integers(NEW, 5, 50).astype(np.int8)
    before = Standing(grades, rng.integers(-3, 4, 50).astype(np.int16), rng.integers(0, 3, 50).astype(np.int16))
    forced = rng.integers(NEW, 5, 50).astype(np.int8)
    together, _ = move(pds, by_pd(pds), before, forced, UPPER, rules)
    for row in range(50):
        own = slice(row, row + 1)
        alone = Standing(before.grade[own], before.beyond[own], before.held[own])
        assert move(pds[own], by_pd(pds[own]), alone, forced[own], UPPER, rules)[0].grade[0] == together.grade[row]


def test_the_migration_matrix_counts_each_customer_once_and_no_new_one() -> None:
    before, after = np.array([0, 0, 1, NEW], np.int8), np.array([0, 1, 1, 2], np.int8)
    assert matrix(before, after, 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
