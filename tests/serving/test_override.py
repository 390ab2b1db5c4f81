"""Who may decide otherwise: the levels of bank_lending against recorded answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError, Refusal
from configs.settings import load_product
from serving.ledger import Entry, Ledger, canonical
from serving.override import KIND, Override, authorise, entry_of, flagged

PRODUCT = load_product("bank_lending", Path("/nonexistent"))
REFERRED = {"decision": "refer", "grade": "D", "limit": 4000.0}
DECLINED = {"decision": "decline", "grade": "E", "limit": 0.0}
APPROVED = {"decision": "approve", "grade": "B", "limit": 9000.0}
KNOCKED_OUT = {**REFERRED, "knock_outs": [{"name": "recent_court_event"}]}


def override(**said: Any) -> Override:
    plain = {"decision": "approve", "limit": 4000.0, "authority": "credit_officer", "by": "Ada", "reason": "Papers"}
    return Override(**{"decision_id": "d-1", **plain, **said})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (REFERRED, {}),
        (REFERRED, {"limit": 10000.0}),
        (APPROVED, {"limit": 10000.0}),
        (DECLINED, {"authority": "head_of_credit", "limit": 30000.0}),
        (KNOCKED_OUT, {"authority": "credit_committee", "limit": 75000.0}),
        (APPROVED, {"decision": "decline", "limit": 0.0}),
        ({**APPROVED, "limit": 40000.0}, {"limit": 39000.0}),
        (KNOCKED_OUT, {"decision": "decline", "limit": 0.0}),
    ],
)
def test_a_level_may_decide_within_its_authority_and_anybody_more_harshly(answer, said) -> None:
    authorise(PRODUCT, answer, override(**said))


@pytest.mark.parametrize(
    ("answer", "said", "told"),
    [
        (REFERRED, {"limit": 10001.0}, "its largest limit is 10000, not 10001"),
        ({**REFERRED, "grade": "E"}, {}, "it decides up to grade D, this is E"),
        (DECLINED, {"limit": 10.0}, "it does not set aside 'decline'"),
        (DECLINED, {"decision": "refer", "limit": 0.0}, "it does not set aside 'decline'"),
        (KNOCKED_OUT, {"authority": "head_of_credit"}, "it lifts no knock-out, and there is recent_court_event"),
        ({**REFERRED, "grade": "Z"}, {}, "the masterscale no longer has grade Z"),
        (APPROVED, {"limit": 12000.0}, "its largest limit"),
    ],
)
def test_beyond_its_authority_a_level_is_refused_with_what_it_lacks(answer, said, told) -> None:
    with pytest.raises(Refusal, match=told):
        authorise(PRODUCT, answer, override(**said))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"by": " "}, "a name and a reason"),
        ({"reason": ""}, "a name and a reason"),
        ({"authority": "credit_oficer"}, "did you mean 'credit_officer'"),
        ({"limit": 0.0}, "an approval needs a limit"),
        ({"decision": "refer"}, "only an approval has a limit"),
        ({"limit": float("nan")}, "a limit is a number"),
        ({"decision": "decline", "limit": float("nan")}, "a limit is a number"),
        ({"limit": float("inf")}, "a limit is a number"),
    ],
)
def test_an_override_that_is_none_is_refused(said, told) -> None:
    with pytest.raises(InputError, match=told):
        authorise(PRODUCT, REFERRED, override(**said))


def test_an_override_goes_on_record_once_about_the_same_customer(ledger: Ledger) -> None:
    decision = Entry("d-1", "decision", "bank_lending", "c-7", "2026-01-31", canonical({"answer": REFERRED}))
    record = ledger.append([decision])[0]
    for at in ("2026-02-01", "2026-02-02"):
        ledger.append([entry_of(record, override(), at)])
    found = list(ledger.records(KIND, "bank_lending"))
    assert [(one.entry.subject, one.entry.at) for one in found] == [("c-7", "2026-02-01")]
    assert found[0].body()["reason"] == "Papers"


def test_an_overridden_answer_is_flagged_when_it_is_looked_up_and_no_other() -> None:
    answer = {**REFERRED, "decision_id": "d-1", "flags": ["stale:statements"]}
    assert flagged(answer, [override()])["flags"] == ["stale:statements", "override"]
    assert flagged({**answer, "decision_id": "d-2"}, [override()])["flags"] == ["stale:statements"]
    assert answer["flags"] == ["stale:statements"]
