"""Each fault is found and named; no fault, no finding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from configs.settings import Monitoring
from monitoring.drift.checks import Finding, check_window
from monitoring.drift.reference import make_reference
from monitoring.drift.windows import Arrival, Window

ROWS = 400


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded."""
    return np.random.default_rng(17)


@pytest.fixture
def look(window, feature, bounds: Monitoring) -> Callable[..., list[Finding]]:
    """The findings about one column now, against then."""

    def findings(now, then, low: float = -np.inf, high: float = np.inf, dates=None) -> list[Finding]:
        asked = np.full(len(then), 18_900) if dates is None else np.asarray(dates)
        reference = np.asarray(then, float).reshape(-1, 1)
        return checked(window(now), reference, asked, [feature("income", low, high)], bounds)

    return findings


def checked(watched: Window, then: np.ndarray, dates: np.ndarray, features: list, bounds: Monitoring) -> list[Finding]:
    """The findings about a window, against a reference of these rows."""
    reference = make_reference(features, then, np.full(len(then), 0.03), dates, 1.0, bounds)
    counted = reference.count(watched.values, watched.default_probability)
    return check_window(watched, counted, reference, bounds)


def named(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.subject, finding.check, finding.level) for finding in findings]


def test_a_dead_feed_is_named(look, rng: np.random.Generator) -> None:
    found = look(np.full(ROWS, np.nan), rng.normal(size=2000))
    assert named(found) == [("income", "missing", "red")]
    assert "missing in 100% of decisions, 0% when the model was made" in found[0].told


def test_what_was_always_mostly_missing_is_no_dead_feed(look, rng: np.random.Generator) -> None:
    then = np.where(rng.random(2000) < 0.9, np.nan, 1.0)
    assert look(np.full(ROWS, np.nan), then) == []


@pytest.mark.parametrize(("share", "found"), [(0.19, []), (0.21, [("income", "missing", "red")])])
def test_a_feed_is_silent_from_the_stated_jump_on(look, rng: np.random.Generator, share: float, found: list) -> None:
    now = rng.normal(size=1000)
    now[: int(share * 1000)] = np.nan
    assert named(look(now, rng.normal(size=2000))) == found


@pytest.mark.parametrize(("rows", "found"), [(1, []), (3, []), (8, [("income", "missing", "red")])])
def test_what_is_missing_by_chance_in_a_few_decisions_is_no_silent_feed(
    look, rng: np.random.Generator, rows: int, found: list
) -> None:
    then = np.where(rng.random(2000) < 0.05, np.nan, rng.normal(size=2000))
    assert named(look(np.full(rows, np.nan), then)) == found


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
@pytest.mark.parametrize("high", [1e6, np.inf])
def test_three_quarters_infinite_is_named(look, rng: np.random.Generator, infinity: float, high: float) -> None:
    now = rng.normal(size=ROWS)
    now[: ROWS * 3 // 4] = infinity
    found = look(now, rng.normal(size=2000), high=high)
    assert named(found) == [("income", "range", "red")]
    assert found[0].measured == 0.75


def test_all_infinite_is_named(look, rng: np.random.Generator) -> None:
    assert named(look(np.full(ROWS, np.inf), rng.normal(size=2000))) == [("income", "range", "red")]


def test_values_out_of_range_are_named_with_the_range(look, rng: np.random.Generator) -> None:
    now = np.where(np.arange(ROWS) < ROWS * 3 // 4, -1.0, rng.uniform(0, 6, ROWS))
    found = look(now, rng.uniform(0, 6, 2000), low=0, high=6)
    assert named(found) == [("income", "range", "red")]
    assert "[0, 6]" in found[0].told


def test_the_bounds_of_the_range_belong_to_it(look, rng: np.random.Generator) -> None:
    now = rng.choice([0.0, 6.0], ROWS)
    assert look(now, rng.choice([0.0, 6.0], 2000), low=0, high=6) == []


def test_a_stuck_feed_is_named_with_its_value(look, rng: np.random.Generator) -> None:
    found = look(np.full(ROWS, 3.5), rng.lognormal(size=2000))
    assert named(found) == [("income", "constant", "red")]
    assert "always 3.5" in found[0].told


def test_a_stuck_feed_is_seen_though_every_question_was_asked_on_a_day_of_its_own(
    look, rng: np.random.Generator
) -> None:
    found = look(np.full(ROWS, 3.5), rng.lognormal(size=2000), dates=np.arange(2000))
    assert named(found) == [("income", "constant", "red")]


def test_what_is_the_same_for_all_on_each_date_is_no_stuck_feed(look) -> None:
    # The age of the yearly report: everybody's closed in December.
    dates = np.repeat([18_900, 18_930, 18_960], 700)
    assert look(np.full(ROWS, 121.0), (dates - 18_800).astype(float), dates=dates) == []


def test_what_hardly_ever_varied_is_no_stuck_feed(look, rng: np.random.Generator) -> None:
    then = (rng.random(2000) < 0.01).astype(float)
    assert look(np.zeros(ROWS), then) == []


def test_fifty_rows_are_needed_to_call_a_feed_stuck(look, rng: np.random.Generator) -> None:
    then = rng.lognormal(size=2000)
    assert [named(look(np.full(rows, 1.0), then)) for rows in (49, 50)] == [[], [("income", "constant", "red")]]


@pytest.mark.parametrize("factor", [100, 0.01])
def test_a_unit_error_is_named(look, rng: np.random.Generator, factor: float) -> None:
    found = look(rng.lognormal(size=ROWS) * factor, rng.lognormal(size=2000))
    assert named(found) == [("income", "unit", "red")]
    assert found[0].measured == pytest.approx(factor, rel=0.5)


def test_a_tenfold_economy_is_no_unit_error(look, rng: np.random.Generator) -> None:
    assert look(rng.lognormal(size=ROWS) * 10, rng.lognormal(size=2000)) == []


def test_repeated_decisions_are_counted(window, feature, bounds: Monitoring) -> None:
    watched = window([1.0, 2, 3, 4], customers=["a", "b", "a", "a"])
    found = checked(watched, np.arange(100.0)[:, None], np.zeros(100), [feature("income")], bounds)
    assert named(found) == [("decisions", "repeated", "amber")]
    assert found[0].measured == 2


def test_one_customer_on_two_days_is_no_repetition(window, feature, bounds: Monitoring) -> None:
    watched = window([1.0, 2], customers=["a", "a"], as_of=[19_000, 19_030])
    assert checked(watched, np.arange(100.0)[:, None], np.zeros(100), [feature("income")], bounds) == []


def test_one_faulty_column_never_hides_another(window, feature, bounds: Monitoring, rng: np.random.Generator) -> None:
    names = ["dead", "infinite", "stuck", "cents", "sound"]
    now = [np.full(ROWS, np.nan), np.full(ROWS, np.inf), np.full(ROWS, 2.0), 100 * rng.lognormal(size=ROWS)]
    now.append(rng.lognormal(size=ROWS))
    then = rng.lognormal(size=(2000, 5))
    found = checked(window(*now), then, np.full(2000, 18_900), [feature(name) for name in names], bounds)
    assert named(found) == [
        ("dead", "missing", "red"),
        ("infinite", "range", "red"),
        ("stuck", "constant", "red"),
        ("cents", "unit", "red"),
    ]


@pytest.mark.parametrize("seed", range(50))
def test_an_unshifted_window_has_no_finding(window, feature, bounds: Monitoring, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def drawn(rows: int) -> np.ndarray:
        gaps = np.where(rng.random(rows) < 0.3, np.nan, rng.lognormal(2, 1.5, rows))
        return np.column_stack([gaps, rng.normal(size=rows), rng.poisson(0.05, rows), rng.uniform(0, 1, rows)])

    declared = [feature(name, low) for name, low in (("gaps", 0), ("level", -np.inf), ("late", 0), ("share", 0))]
    now = drawn(500)
    assert checked(window(*now.T), drawn(3000), np.repeat([1, 2, 3], 1000), declared, bounds) == []


def arrived(window: Window, **arrival: object) -> Window:
    return replace(window, arrival=Arrival(**arrival))


@pytest.mark.parametrize(
    ("arrival", "check", "level", "told"),
    [
        ({"absent": ("income",)}, "absent", "red", "no such column came"),
        ({"unreadable": {"income": 8}}, "type", "red", "8 values are no numbers"),
        ({"unseen": {"income": (2, "zebra")}}, "category", "amber", "2 rows with a category .* such as 'zebra'"),
        ({"unseen": {"income": (200, "zebra")}}, "category", "red", "200 rows"),
    ],
)
def test_how_a_column_came_is_told(
    window, feature, bounds: Monitoring, rng: np.random.Generator, arrival, check: str, level: str, told: str
) -> None:
    watched = arrived(window(rng.normal(size=ROWS)), **arrival)
    found = checked(watched, rng.normal(size=(2000, 1)), np.zeros(2000), [feature("income")], bounds)
    assert named(found) == [("income", check, level)]
    assert re.search(told, found[0].told)


@pytest.mark.parametrize(("before", "found"), [(790, []), (900, [("decisions", "row count", "amber")]), (None, [])])
def test_half_as_many_decisions_as_before_are_named(
    window, feature, bounds: Monitoring, rng: np.random.Generator, before: int | None, found: list
) -> None:
    watched = arrived(window(rng.normal(size=ROWS)), rows_before=before)
    assert named(checked(watched, rng.normal(size=(2000, 1)), np.zeros(2000), [feature("x")], bounds)) == found


def test_a_few_decisions_fewer_prove_nothing(window, feature, bounds: Monitoring, rng: np.random.Generator) -> None:
    watched = arrived(window(rng.normal(size=4)), rows_before=11)
    assert checked(watched, rng.normal(size=(2000, 1)), np.zeros(2000), [feature("x")], bounds) == []


@pytest.mark.parametrize(("age", "found"), [(35, []), (36, [("decisions", "freshness", "amber")])])
def test_a_window_whose_newest_decision_is_old_is_named(
    window, feature, bounds: Monitoring, rng: np.random.Generator, age: int, found: list
) -> None:
    watched = arrived(window(rng.normal(size=ROWS), as_of=19_000), until=19_000 + age)
    assert named(checked(watched, rng.normal(size=(2000, 1)), np.zeros(2000), [feature("x")], bounds)) == found
