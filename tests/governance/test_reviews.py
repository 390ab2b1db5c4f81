"""Reviews open by themselves, escalate while nobody looks, and are closed once, by name."""

from __future__ import annotations

import datetime as dt

import pytest

from configs.errors import InputError
from governance import reviews
from serving import champion
from serving.ledger import Entry, Ledger, canonical

NAME, PROMOTED, TODAY = "consumer_platform", "2026-01-05T09:00:00+00:00", dt.date(2026, 3, 1)


@pytest.fixture
def live(ledger: Ledger, version) -> Ledger:
    """A ledger with a champion since 5 January."""
    champion.promote(ledger, version(), None, "Ada", "first", PROMOTED)
    return ledger


def verdict(ledger: Ledger, about: str, day: str, remedy: str, red: int = 0) -> None:
    body = canonical({"remedy": remedy, "red_findings": red, "evidence": [f"because of {remedy}"]})
    ledger.append([Entry(f"verdict-{day}-{remedy}", "verdict", NAME, about, f"{day}T05:00:00+00:00", body)])


def due(ledger: Ledger, rules, on: dt.date = TODAY) -> list[reviews.Review]:
    return reviews.due(ledger, NAME, rules().governance, on)


def test_nothing_is_due_before_anything_happened(ledger, live, rules, version) -> None:
    verdict(live, version().version, "2026-02-01", "nothing")
    verdict(live, "another-version", "2026-02-01", "retrain", red=9)
    assert due(live, rules) == []


@pytest.mark.parametrize(
    ("remedy", "red", "triggers"),
    [
        ("wait", 1, ["drift"]),
        ("retrain", 0, ["performance"]),
        ("shift_intercept", 2, ["drift", "performance"]),
        ("fix_data", 0, ["data source"]),
    ],
)
def test_a_verdict_opens_what_it_is_about(live, rules, version, remedy, red, triggers) -> None:
    verdict(live, version().version, "2026-02-20", remedy, red)
    assert [one.trigger for one in due(live, rules)] == triggers


def test_one_review_stays_open_however_often_the_monitor_says_it_again(live, rules, version) -> None:
    for day in ("2026-02-10", "2026-02-20"):
        verdict(live, version().version, day, "retrain")
    (one,) = due(live, rules)
    assert (one.opened, one.due, one.owner) == ("2026-02-10", "2026-03-12", "validator")


@pytest.mark.parametrize(
    ("on", "owner", "escalations", "until"),
    [
        (dt.date(2026, 3, 12), "validator", 0, "2026-03-12"),
        (dt.date(2026, 3, 13), "approver", 1, "2026-04-11"),
        (dt.date(2026, 4, 12), "risk", 2, "2026-05-11"),
        (dt.date(2026, 12, 1), "risk", 9, "2026-12-07"),
    ],
)
def test_a_review_nobody_closes_becomes_the_next_ones_matter(
    live, rules, version, on, owner, escalations, until
) -> None:
    verdict(live, version().version, "2026-02-10", "retrain")
    (one,) = due(live, rules, on)
    assert (one.owner, one.escalations, one.due) == (owner, escalations, until)


def test_time_alone_opens_one_and_a_review_starts_its_clock_again(live, rules) -> None:
    assert due(live, rules, dt.date(2027, 1, 4)) == []
    (one,) = due(live, rules, dt.date(2027, 1, 5))
    assert one.trigger == "time"
    close(live, rules, one.id, dt.date(2027, 1, 5), "2027-01-05T10:00:00+00:00")
    assert due(live, rules, dt.date(2028, 1, 4)) == []
    assert [one.trigger for one in due(live, rules, dt.date(2028, 1, 5))] == ["time"]


def test_what_happens_after_a_review_was_closed_opens_another(live, rules, version) -> None:
    verdict(live, version().version, "2026-02-10", "retrain")
    (first,) = due(live, rules)
    close(live, rules, first.id, TODAY, "2026-02-15T10:00:00+00:00")
    assert due(live, rules) == []
    verdict(live, version().version, "2026-02-20", "retrain")
    (second,) = due(live, rules)
    assert second.id != first.id
    with pytest.raises(InputError, match="no open review"):
        close(live, rules, first.id, TODAY, "2026-02-21T10:00:00+00:00")


def close(ledger: Ledger, rules, review: str, on: dt.date, at: str) -> reviews.Review:
    return reviews.close(ledger, NAME, rules().governance, on, review, "Val", "looked at", at)
