"""The label clock, on dates worked by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError, DataError
from configs.settings import Outcome, parse
from features.check import check_frame
from features.contracts import TABLES, to_day
from features.outcome import STATES, Labels, Vintage, matured, window_end


def day(text: str) -> int:
    return to_day(dt.date.fromisoformat(text))


def labels(now: str, *rows: dict[str, Any], months: int = 12, **definition: Any) -> Labels:
    plain = {"customer_id": "a", "defaulted": 0, "observed_until": None, "known_time": None}
    frame = pd.DataFrame([{**plain, **row} for row in rows])
    product = Outcome(window_months=months, days_past_due=90, **definition)
    return matured(check_frame(TABLES["outcomes"], frame, "here"), product, day(now))


def states(*rows: dict[str, Any], now: str = "2030-01-31", **definition: Any) -> list[str]:
    """The state of each row; rows stand in months of their own."""
    found = labels(now, *rows, **definition).clock.vintages
    return [next(state for state in STATES if getattr(vintage, state)) for vintage in found]


@pytest.mark.parametrize(
    ("as_of", "months", "last_day"),
    [
        ("2023-01-31", 12, "2024-01-31"),
        ("2023-02-28", 12, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2023-01-15", 12, "2024-01-15"),
        ("2023-01-30", 1, "2023-02-28"),
        ("2023-04-30", 1, "2023-05-31"),
        ("2005-09-30", 1, "2005-10-31"),
    ],
)
def test_a_window_ends_on_the_day_worked_by_hand(as_of: str, months: int, last_day: str) -> None:
    assert window_end(np.array([day(as_of)], np.int32), months).tolist() == [day(last_day)]


@pytest.mark.parametrize(
    ("as_of", "months", "eve"),
    [
        ("2023-01-31", 12, "2024-01-30"),
        ("2023-02-28", 12, "2024-02-28"),  # the window ends on the 29th
        ("2023-04-30", 1, "2023-05-30"),  # on the 31st
        ("2023-01-15", 12, "2024-01-14"),
        ("2023-01-30", 1, "2023-02-27"),
    ],
)
def test_an_outcome_matures_on_the_last_day_of_its_window_not_before(as_of: str, months: int, eve: str) -> None:
    end = (dt.date.fromisoformat(eve) + dt.timedelta(1)).isoformat()
    found = [len(labels(now, {"as_of": as_of}, months=months)) for now in (eve, end)]
    assert found == [0, 1]


def test_an_early_default_waits_for_its_vintage() -> None:
    row = {"as_of": "2023-01-31", "defaulted": 1, "observed_until": "2023-03-01"}
    assert [len(labels(now, row)) for now in ("2023-12-31", "2024-01-31")] == [0, 1]


def test_a_good_outcome_not_observed_to_the_end_is_no_label() -> None:
    assert len(labels("2025-01-31", {"as_of": "2023-01-31", "observed_until": "2024-01-30"})) == 0


def test_a_good_outcome_observed_to_the_end_is_a_label() -> None:
    assert len(labels("2025-01-31", {"as_of": "2023-01-31", "observed_until": "2024-01-31"})) == 1


def test_a_default_need_not_be_observed_longer() -> None:
    row = {"as_of": "2023-01-31", "observed_until": "2023-06-30", "defaulted": 1}
    assert labels("2025-01-31", row).defaulted.tolist() == [1]


def test_an_outcome_not_known_yet_is_no_label() -> None:
    row = {"as_of": "2023-01-31", "known_time": "2024-03-01"}
    assert [len(labels(now, row)) for now in ("2024-02-29", "2024-03-01")] == [0, 1]


def test_what_still_waits_is_counted() -> None:
    rows = [{"as_of": "2023-01-31"}, {"as_of": "2023-06-30"}, {"as_of": "2023-12-31"}]
    found = labels("2024-06-30", *rows)
    assert (len(found), found.immature) == (2, 1)


def test_a_restated_outcome_is_one_label_the_last_known() -> None:
    rows = [
        {"as_of": "2023-01-31", "defaulted": 0, "known_time": "2024-01-31"},
        {"as_of": "2023-01-31", "defaulted": 1, "known_time": "2024-06-30"},
    ]
    before, after = labels("2024-06-29", *rows), labels("2024-06-30", *rows)
    assert (before.defaulted.tolist(), after.defaulted.tolist()) == ([0], [1])
    assert (before.immature, after.immature) == (0, 0)


def test_customers_and_dates_keep_their_own_labels() -> None:
    rows = [{"customer_id": c, "as_of": d} for c in "ab" for d in ("2022-01-31", "2022-02-28")]
    assert len(labels("2024-01-31", *rows)) == 4


@given(as_of=st.integers(-10_000, 40_000), months=st.integers(1, 36), wait=st.integers(0, 1500))
def test_a_label_once_matured_stays_matured(as_of: int, months: int, wait: int) -> None:
    end = window_end(np.array([as_of], np.int32), months)[0]
    assert as_of + 28 * months <= end <= as_of + 31 * months + 3
    assert end <= window_end(np.array([as_of + wait], np.int32), months)[0]


JANUARY = {"as_of": "2023-01-31"}


def test_a_default_known_early_waits_for_the_goods_of_its_vintage() -> None:
    # Ten customers, one bad in the second month: used at once it would be a vintage of bads alone.
    rows = [{**JANUARY, "customer_id": f"c{i}"} for i in range(9)]
    rows.append({**JANUARY, "customer_id": "c9", "defaulted": 1, "defaulted_on": "2023-03-31"})
    early, whole = labels("2024-01-30", *rows), labels("2024-01-31", *rows)
    assert (len(early), early.immature) == (0, 10)
    assert (len(whole), int(whole.defaulted.sum())) == (10, 1)


@pytest.mark.parametrize(("days", "state"), [(0, "good"), (89, "good"), (90, "bad"), (400, "bad")])
def test_days_past_due_decide_where_they_are_told(days: int, state: str) -> None:
    assert states({**JANUARY, "days_past_due_max": days}) == [state]


@pytest.mark.parametrize(
    ("amount", "ead", "state"),
    [
        (500.0, 100_000.0, "good"),  # neither threshold exceeded: 500 and 1 % of 100,000
        (501.0, 100_000.0, "good"),  # the amount alone
        (500.0, 10_000.0, "good"),  # the share alone
        (1001.0, 100_000.0, "bad"),  # both
        (501.0, 50_000.0, "bad"),
        (501.0, None, "bad"),  # an exposure that is not told excuses nothing
        (None, 100_000.0, "bad"),
        (500.0, None, "good"),
    ],
)
def test_an_amount_past_due_is_material_if_it_exceeds_both_thresholds(
    amount: float | None, ead: float | None, state: str
) -> None:
    row = {**JANUARY, "defaulted": 1, "days_past_due_max": 120, "amount_past_due": amount, "ead": ead}
    assert states(row, materiality_amount=500.0, materiality_share=0.01) == [state]


def test_a_default_for_another_cause_needs_no_amount_past_due() -> None:
    row = {**JANUARY, "defaulted": 1, "days_past_due_max": 10, "amount_past_due": 1.0, "ead": 1e6}
    assert states(row, materiality_amount=500.0, materiality_share=0.01) == ["bad"]


@pytest.mark.parametrize(
    ("defaulted_on", "flag", "state"),
    [
        ("2023-02-01", 0, "bad"),  # cured before the window's end, so the flag at its end says good
        ("2024-01-31", 1, "bad"),
        ("2024-02-01", 1, "good"),  # a default, but of a later window
        ("2023-01-31", 1, "in_default"),
        ("2022-06-30", 1, "in_default"),
        ("2022-06-30", 0, "good"),  # long cured
    ],
)
def test_the_day_of_a_default_says_more_than_a_flag(defaulted_on: str, flag: int, state: str) -> None:
    assert states({**JANUARY, "defaulted": flag, "defaulted_on": defaulted_on}) == [state]


def test_a_default_after_the_window_shows_that_the_window_was_watched() -> None:
    row = {**JANUARY, "observed_until": "2023-06-30", "defaulted": 1, "defaulted_on": "2024-03-31"}
    assert states(row) == ["good"]


def quarters(*defaults: tuple[str, str, str | None]) -> list[dict[str, Any]]:
    """A row at the end of each quarter of 2023 and 2024; `defaults` are (as_of, defaulted_on, cured_on)."""
    told = {as_of: {"defaulted": 1, "defaulted_on": on, "cured_on": cured} for as_of, on, cured in defaults}
    days = [d.date().isoformat() for d in pd.date_range("2023-03-31", "2024-12-31", freq="QE")]
    return [{"as_of": d, "defaulted_on": None, "cured_on": None, **told.get(d, {})} for d in days]


@pytest.mark.parametrize(
    ("probation", "left_out"),
    [
        (0, ["2023-09"]),  # in default on 15 August, cured on 15 October
        (2, ["2023-09"]),  # until 15 December
        (3, ["2023-09", "2023-12"]),  # until 15 January
        (6, ["2023-09", "2023-12", "2024-03"]),
    ],
)
def test_nobody_is_asked_about_in_default_or_on_probation(probation: int, left_out: list[str]) -> None:
    rows = quarters(("2023-06-30", "2023-08-15", "2023-10-15"))
    found = labels("2030-01-31", *rows, probation_months=probation).clock.vintages
    assert [v.month for v in found if v.in_default] == left_out
    assert [v.month for v in found if v.bad] == ["2023-06"]


def test_a_new_default_on_probation_is_the_old_one() -> None:
    # Cured on 15 October, on probation until 15 January; the default of 10 January belongs to the first, and its own
    # probation ends on 20 May: the rows of December and March are not asked about a second default.
    rows = quarters(("2023-06-30", "2023-08-15", "2023-10-15"), ("2023-12-31", "2024-01-10", "2024-02-20"))
    found = labels("2030-01-31", *rows, probation_months=3).clock
    assert [v.month for v in found.vintages if v.in_default] == ["2023-09", "2023-12", "2024-03"]
    assert found.count("bad") == 1


def test_a_new_default_after_probation_is_a_second_one() -> None:
    rows = quarters(("2023-06-30", "2023-08-15", "2023-10-15"), ("2023-12-31", "2024-01-10", "2024-02-20"))
    assert labels("2030-01-31", *rows, probation_months=2).clock.count("bad") == 2


def test_a_technical_default_puts_nobody_on_probation() -> None:
    rows = quarters(("2023-06-30", "2023-08-15", "2023-10-15"))
    rows[1].update(days_past_due_max=95, amount_past_due=3.0)
    assert labels("2030-01-31", *rows, probation_months=3, materiality_amount=100.0).clock.count("good") == 8


def test_the_default_of_another_customer_is_no_default() -> None:
    rows = quarters(("2023-06-30", "2023-08-15", "2023-10-15"))
    others = [{"as_of": row["as_of"], "customer_id": c} for row in rows for c in ("0", "b", "z")]
    found = labels("2030-01-31", *others, *rows, probation_months=3)
    assert found.clock.count("in_default") == 2
    assert set(found.customer_id[found.as_of == day("2023-09-30")]) == {"0", "b", "z"}


@pytest.mark.parametrize(
    ("days", "state"), [(0, "good"), (29, "good"), (30, "indeterminate"), (89, "indeterminate"), (90, "bad")]
)
def test_what_is_neither_good_nor_bad_is_left_out(days: int, state: str) -> None:
    row = {**JANUARY, "days_past_due_max": days}
    assert states(row, indeterminate_days_past_due=30) == [state]
    assert len(labels("2030-01-31", row, indeterminate_days_past_due=30)) == (state != "indeterminate")


def test_a_default_flagged_for_another_cause_is_bad_though_its_days_lie_in_the_band() -> None:
    assert states({**JANUARY, "defaulted": 1, "days_past_due_max": 45}, indeterminate_days_past_due=30) == ["bad"]


def test_a_band_at_or_above_default_is_refused() -> None:
    values = {"window_months": 12, "days_past_due": 90, "indeterminate_days_past_due": 90}
    with pytest.raises(ConfigError, match="indeterminate_days_past_due 90 must lie below days_past_due 90"):
        parse(Outcome, values, "here")


def test_vintages_add_up_month_by_month() -> None:
    rows = [
        {"customer_id": "a", "as_of": "2023-01-15"},
        {"customer_id": "b", "as_of": "2023-01-31", "defaulted": 1},
        {"customer_id": "c", "as_of": "2023-01-31", "observed_until": "2023-05-31"},
        {"customer_id": "a", "as_of": "2023-02-28", "days_past_due_max": 40},
        {"customer_id": "a", "as_of": "2023-06-30", "defaulted": 1},
        {"customer_id": "b", "as_of": "2023-01-31", "defaulted": 1, "known_time": "2023-03-31"},
    ]
    found = labels("2024-03-31", *rows, indeterminate_days_past_due=30)
    assert found.clock.vintages == (
        Vintage("2023-01", good=1, bad=1, indeterminate=0, in_default=0, unobserved=1, immature=0),
        Vintage("2023-02", good=0, bad=0, indeterminate=1, in_default=0, unobserved=0, immature=0),
        Vintage("2023-06", good=0, bad=0, indeterminate=0, in_default=0, unobserved=0, immature=1),
    )
    assert found.immature == 1
    told = found.clock.to_json()
    assert [told[state] for state in STATES] == [1, 1, 1, 0, 1, 1]


def test_rows_that_the_definition_calls_otherwise_than_the_lender_are_counted() -> None:
    rows = [
        {**JANUARY, "days_past_due_max": 90},
        {"as_of": "2023-02-28", "defaulted": 1, "days_past_due_max": 90, "amount_past_due": 0.0},
        {"as_of": "2023-03-31", "defaulted": 1},
        {"as_of": "2029-12-31", "days_past_due_max": 90},  # has not matured: nothing is said of it
    ]
    assert labels("2030-01-31", *rows).clock.redefined == 2


def test_two_outcomes_of_one_question_known_on_one_day_are_refused() -> None:
    rows = [{**JANUARY, "defaulted": 0}, {**JANUARY, "defaulted": 1}]
    with pytest.raises(DataError, match="repeats an earlier row with the same key"):
        labels("2030-01-31", *rows)


@given(
    seed=st.integers(0, 10**6),
    now=st.integers(19_000, 21_000),
    probation=st.integers(0, 12),
    band=st.sampled_from([None, 1, 30, 89]),
)
def test_every_question_is_in_exactly_one_state(seed: int, now: int, probation: int, band: int | None) -> None:
    rng = np.random.default_rng(seed)
    size = 40
    days = rng.choice(np.arange(18_500, 20_500, 30), (3, size)).astype("datetime64[D]")
    frame = pd.DataFrame(
        {
            "customer_id": rng.choice(list("abc"), size),
            "as_of": days[0],
            "defaulted": rng.integers(0, 2, size),
            "defaulted_on": np.where(rng.random(size) < 0.5, days[1], np.datetime64("NaT", "D")),
            "cured_on": np.where(rng.random(size) < 0.5, days[2], np.datetime64("NaT", "D")),
            "days_past_due_max": rng.choice([np.nan, 0.0, 45.0, 120.0], size),
        }
    ).drop_duplicates(["customer_id", "as_of"])
    product = Outcome(window_months=12, days_past_due=90, probation_months=probation, indeterminate_days_past_due=band)
    found = matured(check_frame(TABLES["outcomes"], frame, "here"), product, now)
    assert sum(found.clock.count(state) for state in STATES) == len(frame)
    assert (len(found), int(found.defaulted.sum())) == (
        found.clock.count("good") + found.clock.count("bad"),
        found.clock.count("bad"),
    )
    assert len(set(zip(found.customer_id, found.as_of, strict=True))) == len(found)
    assert (found.as_of + 365 <= now).all()
