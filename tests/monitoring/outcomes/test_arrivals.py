"""Outcomes that come late, twice, contradicting, from the future, of unknown decisions: none is used in silence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.settings import Outcome
from features.check import check_frame
from features.contracts import TABLES, Columns, to_day
from monitoring.outcomes.arrivals import Arrivals, gather, write
from monitoring.outcomes.claims import Claim, Recorded, as_table, recorded
from serving.ledger import Entry, Ledger, canonical
from serving.outcomes import record_outcome
from serving.vault import Vault

PRODUCT = "consumer_platform"
ASKED = dt.date(2024, 1, 31)
CLOSED = dt.date(2025, 1, 31)
DEFINITION = Outcome(window_months=12, days_past_due=90)
NOW = to_day(dt.date(2025, 3, 1))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger with a decision on each of a, b and c, all asked on one day."""
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    for customer in "abc":
        body = canonical({"answer": {"customer_id": customer, "as_of": ASKED.isoformat()}})
        made.append([Entry(f"d-{customer}", "decision", PRODUCT, customer, "2024-01-31T10:00:00+00:00", body)])
    return made


@pytest.fixture
def say(ledger: Ledger) -> Callable[..., None]:
    """Append an outcome record past every check, as a foreign writer would."""
    count = iter(range(1000))

    def said(decision: str, defaulted: bool, on: dt.date, told: dt.date) -> None:
        body = {"decision_id": decision, "defaulted": defaulted, "on": on.isoformat(), "corrects": None, "reason": None}
        at = f"{told}T12:00:00+00:00"
        ledger.append([Entry(f"o-{next(count)}", "outcome", PRODUCT, decision, at, canonical(body))])

    return said


@pytest.fixture
def gathered(ledger: Ledger) -> Callable[..., Arrivals]:
    """What is used of the ledger and of a table at `now`."""

    def found(table: Columns | None = None, now: int = NOW) -> Arrivals:
        answers = {one.entry.id: one.body()["answer"] for one in ledger.records("decision", PRODUCT)}
        about = {name: (said["customer_id"], to_day(ASKED)) for name, said in answers.items()}
        from_ledger = recorded(ledger, PRODUCT, about, now)
        return gather(from_ledger, table, from_ledger.asked, DEFINITION, now, now)

    return found


def test_an_outcome_about_an_erased_customer_is_set_aside_as_such(tmp_path: Path) -> None:
    sealed = Ledger(f"sqlite:///{tmp_path}/sealed.db", Vault(tmp_path / "key"))
    body = canonical({"answer": {"customer_id": "a", "as_of": ASKED.isoformat()}})
    at = "2024-01-31T10:00:00+00:00"
    sealed.append([Entry("d-a", "decision", PRODUCT, "a", at, body, personal=True)])
    record_outcome(sealed, "d-a", False, CLOSED, "2025-02-10T00:00:00+00:00")
    sealed.erase("a", "an officer", "asked for it", at)
    assert [one.reason for one in recorded(sealed, PRODUCT, {}, NOW).set_aside] == ["erased"]


def table(*rows: dict[str, Any]) -> Columns:
    """A checked outcomes table."""
    return check_frame(TABLES["outcomes"], pd.DataFrame([{"as_of": ASKED, **row} for row in rows]), "test")


def used(arrivals: Arrivals) -> dict[str, int]:
    return dict(zip(arrivals.labels.customer_id, arrivals.labels.defaulted.tolist(), strict=True))


def aside(arrivals: Arrivals) -> list[tuple[str, str, str]]:
    return sorted((one.source, one.reason, one.customer_id) for one in arrivals.set_aside)


def test_recorded_outcomes_are_used_once_their_window_has_closed(ledger: Ledger, gathered) -> None:
    record_outcome(ledger, "d-a", True, dt.date(2024, 6, 1), "2024-06-02T00:00:00+00:00")
    record_outcome(ledger, "d-b", False, CLOSED, "2025-02-01T00:00:00+00:00")
    found = gathered()
    assert (used(found), aside(found), found.from_ledger) == ({"a": 1, "b": 0}, [], 2)
    early = gathered(now=to_day(dt.date(2024, 12, 31)))
    assert (used(early), early.waiting) == ({}, 1)  # the default waits for its vintage; b is not told of yet


def test_a_good_that_nobody_watched_to_the_end_waits(ledger: Ledger, gathered) -> None:
    record_outcome(ledger, "d-b", False, dt.date(2024, 7, 31), "2024-08-01T00:00:00+00:00")
    found = gathered()
    assert (used(found), found.waiting) == ({}, 1)


def test_a_correction_counts_from_the_day_it_was_told(ledger: Ledger, gathered) -> None:
    record_outcome(ledger, "d-a", False, CLOSED, "2025-02-01T00:00:00+00:00")
    record_outcome(ledger, "d-a", True, dt.date(2024, 9, 1), "2025-02-20T00:00:00+00:00", "a write-off came to light")
    assert used(gathered(now=to_day(dt.date(2025, 2, 10)))) == {"a": 0}
    assert used(gathered()) == {"a": 1}


def test_an_outcome_known_only_after_its_window_closed_is_counted_as_late(ledger: Ledger, gathered) -> None:
    record_outcome(ledger, "d-a", True, dt.date(2024, 6, 1), "2024-06-02T00:00:00+00:00")
    record_outcome(ledger, "d-b", False, CLOSED, "2025-02-25T00:00:00+00:00")
    assert gathered().late == 1


def test_what_both_sides_say_alike_is_used_once(ledger: Ledger, gathered) -> None:
    record_outcome(ledger, "d-a", True, dt.date(2024, 6, 1), "2024-06-02T00:00:00+00:00")
    found = gathered(table({"customer_id": "a", "defaulted": 1}, {"customer_id": "b", "defaulted": 0}))
    assert used(found) == {"a": 1, "b": 0}
    assert aside(found) == [("ledger", "repeated", "a")]


def test_where_the_sides_contradict_neither_is_used(ledger: Ledger, gathered) -> None:
    record_outcome(ledger, "d-a", True, dt.date(2024, 6, 1), "2024-06-02T00:00:00+00:00")
    found = gathered(table({"customer_id": "a", "defaulted": 0}, {"customer_id": "b", "defaulted": 0}))
    assert (used(found), aside(found)) == ({"b": 0}, [("both", "contradiction", "a")])


def test_two_decisions_of_one_question_that_contradict_are_not_used(ledger: Ledger, say, gathered) -> None:
    body = canonical({"answer": {"customer_id": "a", "as_of": ASKED.isoformat()}})
    ledger.append([Entry("d-a2", "decision", PRODUCT, "a", "2024-01-31T11:00:00+00:00", body)])
    say("d-a", True, dt.date(2024, 6, 1), dt.date(2024, 6, 2))
    say("d-a2", False, CLOSED, dt.date(2025, 2, 1))
    assert aside(gathered()) == [("ledger", "contradiction", "a")] * 2
    assert used(gathered()) == {}


def test_no_default_yet_does_not_contradict_a_default_later(ledger: Ledger, say, gathered) -> None:
    body = canonical({"answer": {"customer_id": "a", "as_of": ASKED.isoformat()}})
    ledger.append([Entry("d-a2", "decision", PRODUCT, "a", "2024-01-31T11:00:00+00:00", body)])
    say("d-a", True, dt.date(2024, 6, 1), dt.date(2024, 6, 2))
    say("d-a2", False, dt.date(2024, 4, 1), dt.date(2024, 4, 2))
    assert used(gathered()) == {"a": 1}


@pytest.mark.parametrize(
    ("decision", "on", "told", "reason"),
    [
        ("d-nobody", CLOSED, CLOSED, "unknown"),
        ("d-a", dt.date(2024, 1, 30), CLOSED, "before"),
        ("d-a", dt.date(2025, 2, 2), dt.date(2025, 2, 1), "future"),
        ("d-a", CLOSED, dt.date(2030, 1, 1), "future"),
    ],
)
def test_an_unsound_record_of_the_ledger_is_set_aside_with_its_reason(
    say, gathered, decision: str, on: dt.date, told: dt.date, reason: str
) -> None:
    say(decision, True, on, told)
    found = gathered()
    assert (used(found), [one.reason for one in found.set_aside]) == ({}, [reason])
    assert found.counts()[reason] == 1


def test_a_row_that_tells_of_a_day_not_yet_come_is_set_aside(gathered) -> None:
    rows = [{"customer_id": "a", "defaulted": 0, "observed_until": dt.date(2026, 1, 1)}]
    rows.append({"customer_id": "b", "defaulted": 1, "observed_until": None, "defaulted_on": dt.date(2025, 4, 1)})
    assert aside(gathered(table(*rows))) == [("table", "future", "a"), ("table", "future", "b")]


def test_outcomes_of_what_nobody_asked_are_set_aside(gathered) -> None:
    found = gathered(table({"customer_id": "a", "defaulted": 0}, {"customer_id": "stranger", "defaulted": 1}))
    assert (used(found), aside(found)) == ({"a": 0}, [("table", "unknown", "stranger")])


def test_without_outcomes_nothing_is_used(gathered) -> None:
    found = gathered()
    assert (len(found.labels), found.set_aside) == (0, ())
    assert set(found.counts().values()) == {0}


def test_what_was_set_aside_is_written_with_its_reason(gathered, tmp_path: Path) -> None:
    found = gathered(table({"customer_id": "a", "defaulted": 0}, {"customer_id": "stranger", "defaulted": 1}))
    write(found, tmp_path / "aside.csv")
    told = pd.read_csv(tmp_path / "aside.csv").to_dict("records")
    assert [(row["reason"], row["customer_id"], row["as_of"]) for row in told] == [
        ("unknown", "stranger", "2024-01-31")
    ]


CLAIMS = st.lists(
    st.builds(
        Claim,
        record_id=st.uuids().map(str),
        decision_id=st.sampled_from("pqrs"),
        customer_id=st.sampled_from("ab"),
        as_of=st.just(to_day(ASKED)),
        defaulted=st.booleans(),
        on=st.integers(to_day(ASKED), NOW),
        told=st.integers(to_day(ASKED), NOW),
    ),
    max_size=12,
)


@given(CLAIMS, st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), unique_by=lambda row: row[0], max_size=2))
@settings(max_examples=25, deadline=None)
def test_no_question_is_answered_twice_and_no_clash_is_used(claims: list[Claim], rows: list[tuple[str, bool]]) -> None:
    found = Recorded(tuple(claims), frozenset({("a", to_day(ASKED)), ("b", to_day(ASKED))}), ())
    outcomes = table(*({"customer_id": name, "defaulted": int(bad)} for name, bad in rows)) if rows else None
    arrivals = gather(found, outcomes, found.asked, DEFINITION, NOW, NOW)
    assert len(set(arrivals.labels.customer_id)) == len(arrivals.labels)
    clashed = {one.customer_id for one in arrivals.set_aside if one.reason == "contradiction"}
    told = {name: int(bad) for name, bad in rows}
    for customer, bad in used(arrivals).items():
        assert customer not in clashed or customer in told
        assert told.get(customer, bad) == bad
    kept, others = as_table(found, NOW)
    latest = {claim.decision_id for claim in claims if claim.told <= NOW}
    assert kept is not None
    assert len(kept["as_of"]) + len(others) == len(latest)


def test_the_labels_are_of_the_kinds_training_reads(gathered) -> None:
    labels = gathered(table({"customer_id": "a", "defaulted": 0})).labels
    assert (labels.as_of.dtype, labels.defaulted.dtype) == (np.int32, np.int8)
