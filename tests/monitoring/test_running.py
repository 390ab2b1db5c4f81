"""When the monitor runs, and what it leaves for Prometheus."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import CreditloopError, Refusal
from configs.watching import Schedule
from monitoring.schedule import due, keep_watch
from monitoring.telling.gauges import Gauge, exposition, write

DAILY = Schedule(at=dt.time(5), every_days=1, retrain=False)
MOMENTS = st.integers(0, 731 * 86_400).map(lambda second: dt.datetime.fromtimestamp(1_704_067_200 + second, dt.UTC))


def at(day: int, hour: int = 0, minute: int = 0) -> dt.datetime:
    return dt.datetime(2025, 3, day, hour, minute, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        (None, at(3, 14), at(3, 14)),
        (at(3, 5), at(3, 6), at(4, 5)),
        (at(3, 5), at(4, 4, 59), at(4, 5)),
        (at(3, 4), at(3, 4, 30), at(3, 5)),
        (at(3, 5), at(9, 12), at(9, 12)),
    ],
    ids=["never ran", "ran today", "just before", "ran before today's hour", "missed for days"],
)
def test_the_next_run_by_hand(last: dt.datetime | None, now: dt.datetime, expected: dt.datetime) -> None:
    assert due(last, DAILY, now) == expected


def test_a_run_before_the_hour_does_not_bring_another_one_the_same_day_where_runs_are_a_month_apart() -> None:
    monthly = Schedule(at=dt.time(5), every_days=31, retrain=False)
    assert due(at(1, 4), monthly, at(1, 4, 30)) == at(31, 5)
    assert due(at(1, 5), monthly, at(1, 6)) == at(31, 5) + dt.timedelta(days=1)


@given(MOMENTS, MOMENTS, st.integers(1, 40))
def test_it_never_runs_in_the_past_nor_later_than_its_days(last: dt.datetime, now: dt.datetime, days: int) -> None:
    found = due(last, Schedule(at=dt.time(5), every_days=days, retrain=False), now)
    assert found >= now
    assert found <= max(now, last + dt.timedelta(days=days, hours=24))
    assert found <= now + dt.timedelta(days=days, hours=24)


def test_a_run_dated_by_a_clock_that_was_wrong_does_not_stop_the_watch_for_a_year() -> None:
    a_year_ahead = at(3, 5) + dt.timedelta(days=365)
    assert due(a_year_ahead, DAILY, at(3, 12)) == at(4, 5)


def _watched(run, until: dt.datetime) -> tuple[list[dt.datetime], list[str], int]:
    """The loop on a clock that stands still but for waiting."""
    clock, ran, failures = [at(3, 12)], [], []

    def wait(seconds: float) -> bool:
        clock[0] += dt.timedelta(seconds=seconds)
        return clock[0] > until

    def once(moment: dt.datetime) -> None:
        ran.append(moment)
        run(moment)

    runs = keep_watch(once, lambda error, _: failures.append(str(error)), None, DAILY, lambda: clock[0], wait)
    return ran, failures, runs


def test_it_runs_at_once_and_then_every_day() -> None:
    ran, failures, runs = _watched(lambda _: None, at(6))
    assert ran == [at(3, 12), at(4, 5), at(5, 5)]
    assert (failures, runs) == ([], 3)


def test_a_run_that_fails_is_told_and_the_watch_goes_on() -> None:
    def fail(moment: dt.datetime) -> None:
        if moment.day == 4:
            raise Refusal("no champion yet")

    ran, failures, _ = _watched(fail, at(6))
    assert (len(ran), failures) == (3, ["no champion yet"])


def test_a_defect_of_ours_is_not_hidden() -> None:
    def broken(_: dt.datetime) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _watched(broken, at(6))
    assert not issubclass(ZeroDivisionError, CreditloopError)


def test_gauges_in_the_text_format_of_prometheus() -> None:
    told = exposition(
        [
            Gauge("verdict", "1 for the verdict in force", 1, {"product": 'a"b\\c\nd', "remedy": "wait"}),
            Gauge("score_psi", "PSI of the PDs", float("nan"), {"product": "p"}),
            Gauge("verdict", "1 for the verdict in force", 0, {"product": "p", "remedy": "retrain"}),
            Gauge("worth", "money", float("-inf")),
        ]
    )
    assert told == (
        "# HELP creditloop_verdict 1 for the verdict in force\n"
        "# TYPE creditloop_verdict gauge\n"
        'creditloop_verdict{product="a\\"b\\\\c\\nd",remedy="wait"} 1.0\n'
        'creditloop_verdict{product="p",remedy="retrain"} 0.0\n'
        "# HELP creditloop_score_psi PSI of the PDs\n"
        "# TYPE creditloop_score_psi gauge\n"
        'creditloop_score_psi{product="p"} NaN\n'
        "# HELP creditloop_worth money\n"
        "# TYPE creditloop_worth gauge\n"
        "creditloop_worth -Inf\n"
    )


def test_the_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "metrics" / "creditloop.prom"
    write([Gauge("rows", "rows", 3)], path)
    assert path.read_text().endswith("creditloop_rows 3.0\n")
    assert [one.name for one in path.parent.iterdir()] == ["creditloop.prom"]
