"""Outcomes: beside the decision they are of, once; another one only as a correction that names the first."""

from __future__ import annotations

import datetime as dt

import pytest

from configs.errors import InputError, Refusal
from serving.ledger import Entry, Ledger, Record, canonical
from serving.outcomes import record_outcome

NOW = "2026-06-30T12:00:00+00:00"
DAY = dt.date(2026, 5, 31)


@pytest.fixture
def decided(ledger: Ledger) -> Ledger:
    """A ledger with one decision, d1, asked on 2026-01-31."""
    body = canonical({"answer": {"as_of": "2026-01-31"}})
    ledger.append([Entry("d1", "decision", "p", "c", "2026-01-31T09:00:00+00:00", body)])
    return ledger


def record(ledger: Ledger, defaulted: bool = True, on: dt.date = DAY, correction: str | None = None) -> Record:
    return record_outcome(ledger, "d1", defaulted, on, NOW, correction)


def test_an_outcome_names_its_decision(decided: Ledger) -> None:
    body = record(decided).body()
    assert (body["decision_id"], body["defaulted"], body["on"], body["corrects"]) == ("d1", True, "2026-05-31", None)


def test_the_same_outcome_again_is_the_first_record(decided: Ledger) -> None:
    first, again = record(decided), record(decided)
    assert (again.entry, again.new) == (first.entry, False)
    assert decided.verify()[0] == 2


@pytest.mark.parametrize(("defaulted", "on"), [(False, DAY), (True, dt.date(2026, 6, 1))])
def test_a_contradiction_is_refused_and_names_what_is_on_record(decided: Ledger, defaulted: bool, on: dt.date) -> None:
    first = record(decided)
    with pytest.raises(Refusal, match=f"{first.entry.id}: a default by 2026-05-31; if that was wrong"):
        record(decided, defaulted, on)
    assert decided.verify()[0] == 2


def test_a_correction_names_what_it_corrects_and_leaves_it(decided: Ledger) -> None:
    first, second = record(decided), record(decided, False, correction="paid the day before")
    assert (second.body()["corrects"], second.body()["reason"]) == (first.entry.id, "paid the day before")
    assert decided.by_id(first.entry.id) is not None
    latest = decided.latest_about("outcome", "d1")
    assert latest is not None
    assert latest.entry == second.entry


def test_a_correction_can_be_corrected(decided: Ledger) -> None:
    record(decided)
    second = record(decided, False, correction="paid")
    third = record(decided, True, correction="the payment bounced")
    assert third.body()["corrects"] == second.entry.id


def test_a_correction_needs_something_to_correct(decided: Ledger) -> None:
    with pytest.raises(InputError, match="no outcome yet"):
        record(decided, correction="why")


def test_of_two_first_outcomes_at_once_the_later_is_told(decided: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other was recorded after this one had looked and before it wrote."""
    record(decided)
    monkeypatch.setattr(Ledger, "latest_about", lambda *_: None)
    assert not record(decided).new
    with pytest.raises(Refusal, match="somebody was faster"):
        record(decided, False)


@pytest.mark.parametrize("on", [dt.date(2026, 1, 30), dt.date(2026, 7, 1)])
def test_a_day_before_the_decision_or_after_today_is_refused(decided: Ledger, on: dt.date) -> None:
    with pytest.raises(InputError, match="from the decision's as_of, 2026-01-31, up to today"):
        record(decided, on=on)


def test_an_unknown_decision_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="no decision 'd1'"):
        record(ledger)


def test_an_outcome_is_no_decision_to_have_an_outcome_of(decided: Ledger) -> None:
    made = record(decided)
    with pytest.raises(InputError, match="no decision"):
        record_outcome(decided, made.entry.id, True, DAY, NOW)
