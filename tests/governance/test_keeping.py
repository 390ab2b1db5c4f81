"""Attacks on what is kept: erasing under a hold, erasing too early, looking without a trace."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from configs.errors import InputError, Refusal
from configs.governance import Retention
from configs.settings import load_settings
from serving import reads, retention
from serving.ledger import Entry, Ledger, open_ledger

RULES = Retention(months={"decision": 84, "warning": 24}, other=12, model_documents=120)
AT = "2026-01-05T09:00:00+00:00"


@pytest.fixture
def sealed(tmp_path: Path):
    """A ledger that seals records, with decisions about three customers of different ages."""
    made = open_ledger(load_settings(tmp_path))
    for name, at in (("old", "2018-06-01"), ("mixed", "2018-06-01"), ("mixed", "2024-06-01"), ("new", "2025-06-01")):
        decision(made, name, at)
    yield made
    made.close()


def decision(ledger: Ledger, customer: str, at: str, kind: str = "decision") -> None:
    identity = f"{kind}-{customer}-{at}"
    ledger.append([Entry(identity, kind, "p", customer, at, b'{"limit":1}', personal=True)])


def test_what_is_under_a_hold_is_not_erased_until_it_is_released(sealed: Ledger) -> None:
    held = retention.hold(sealed, "old", "Aud", "claim 17", AT)
    again = retention.hold(sealed, "old", "Rae", "claim 18", AT)
    with pytest.raises(Refusal, match=f"under legal hold: {held.id}, {again.id}"):
        sealed.erase("old", "Rae", "a wish", AT)
    retention.release(sealed, held.id, "Aud", "settled", AT)
    with pytest.raises(Refusal, match=again.id):
        sealed.erase("old", "Rae", "a wish", AT)
    retention.release(sealed, again.id, "Aud", "settled", AT)
    assert sealed.erase("old", "Rae", "a wish", AT) == 5
    sealed.verify()


def test_a_hold_of_one_customer_holds_no_other(sealed: Ledger) -> None:
    retention.hold(sealed, "old", "Aud", "claim 17", AT)
    assert sealed.erase("new", "Rae", "a wish", AT) == 1


def test_a_hold_is_released_once(sealed: Ledger) -> None:
    held = retention.hold(sealed, "old", "Aud", "claim 17", AT)
    retention.release(sealed, held.id, "Aud", "settled", AT)
    with pytest.raises(Refusal, match="was released by Aud"):
        retention.release(sealed, held.id, "Rae", "settled", AT)
    with pytest.raises(InputError, match="no hold 'hold-x'"):
        retention.release(sealed, "hold-x", "Rae", "settled", AT)


def test_a_hold_on_nobody_or_for_no_reason_is_refused(sealed: Ledger) -> None:
    with pytest.raises(InputError, match="no record of a customer 'nobody'"):
        retention.hold(sealed, "nobody", "Aud", "claim 17", AT)
    with pytest.raises(InputError, match="neither may be empty"):
        retention.hold(sealed, "old", "Aud", " ", AT)


def test_a_customer_is_past_their_time_when_the_last_record_is(sealed: Ledger) -> None:
    found = retention.expired(sealed, RULES, dt.date(2026, 1, 5))
    assert [(one.customer, one.records, one.held) for one in found] == [("old", 1, False)]
    decision(sealed, "old", "2024-02-01", "warning")  # 24 months
    assert retention.expired(sealed, RULES, dt.date(2026, 2, 1)) == []
    assert [one.customer for one in retention.expired(sealed, RULES, dt.date(2026, 2, 2))] == ["old"]


def test_a_kind_the_rules_do_not_name_is_kept_as_long_as_the_others(sealed: Ledger) -> None:
    decision(sealed, "old", "2025-01-05", "letter")  # 12 months
    assert retention.expired(sealed, RULES, dt.date(2026, 1, 5)) == []
    assert len(retention.expired(sealed, RULES, dt.date(2026, 1, 6))) == 1


def test_who_came_back_after_they_were_found_is_not_erased_and_the_others_are(sealed: Ledger) -> None:
    decision(sealed, "old too", "2018-06-01")
    decision(sealed, "claimed", "2018-06-01")
    found = retention.expired(sealed, RULES, dt.date(2026, 1, 5))
    assert [one.customer for one in found] == ["claimed", "old", "old too"]
    decision(sealed, "old", "2026-01-05")
    retention.hold(sealed, "claimed", "Aud", "claim 17", AT)
    gone, left = retention.erase(sealed, found, "Rae", "past its time", AT)
    assert [one.customer for one in gone] == ["old too"]
    assert ["has 2 records by now, not 1" in left[1], "under legal hold" in left[0]] == [True, True]
    assert len(sealed.about(["old"])) == 2
    assert not any(record.erased for record in sealed.about(["old"]))
    sealed.verify()


def test_a_look_makes_nothing_younger_and_a_hold_is_told(sealed: Ledger) -> None:
    reads.record(sealed, "old", "Aud", "export", AT)
    retention.hold(sealed, "old", "Aud", "claim 17", AT)
    assert [one.held for one in retention.expired(sealed, RULES, dt.date(2026, 1, 5))] == [True]


def test_every_look_stays_on_record_and_goes_with_the_customer(sealed: Ledger) -> None:
    reads.record(sealed, "old", "Aud", "export", AT)
    reads.record(sealed, "new", "Rae", "credit file", AT)
    assert [(one.customer, one.by, one.what) for one in reads.reads(sealed)] == [
        ("old", "Aud", "export"),
        ("new", "Rae", "credit file"),
    ]
    assert [one.by for one in reads.reads(sealed, "new")] == ["Rae"]
    sealed.erase("old", "Rae", "a wish", AT)
    assert [one.by for one in reads.reads(sealed)] == ["Rae"]
    sealed.verify()
