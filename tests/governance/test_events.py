"""Incidents and the end of a version: told once, by name; the champion is not retired, what is retired not promoted."""

from __future__ import annotations

import pytest

from configs.errors import InputError, Refusal
from serving import champion, events

AT, NAME = "2026-01-05T09:00:00+00:00", "consumer_platform"


def tell(ledger, version, kind: events.EventKind = "incident", told: str = "a feed died", **when) -> events.Event:
    return events.record(ledger, NAME, version.version, kind, "Rae", told, AT, **when)


def test_an_incident_is_on_record_once_with_what_it_touched(ledger, version) -> None:
    when = {"since": "2026-01-01", "until": "2026-01-03"}
    assert tell(ledger, version(), **when) == tell(ledger, version(), **when)
    (one,) = events.events(ledger, NAME)
    assert (one.kind, one.by, one.since, one.until, one.told) == ("incident", "Rae", *when.values(), "a feed died")


@pytest.mark.parametrize(
    "said", [{"told": " "}, {"since": "2026-01-03", "until": "2026-01-01"}], ids=["no words", "ends before it begins"]
)
def test_an_incident_that_is_none_is_refused(ledger, version, said) -> None:
    with pytest.raises(InputError):
        tell(ledger, version(), **said)


def test_the_champion_is_not_retired_and_what_is_retired_comes_back_by_no_way(ledger, version) -> None:
    first, second = version(), version(digest="b" * 64)
    made = champion.promote(ledger, first, None, "Ada", "first", AT)
    with pytest.raises(Refusal, match="is the champion of consumer_platform"):
        tell(ledger, first, "retirement", "old")
    made = champion.promote(ledger, second, made, "Ada", "better", AT)
    tell(ledger, first, "retirement", "old")
    with pytest.raises(Refusal, match="was retired by Rae: old"):
        champion.promote(ledger, first, made, "Ada", "nostalgia", AT)
    with pytest.raises(Refusal, match="was retired by Rae at"):
        tell(ledger, first, "retirement", "older still")


def test_a_version_that_becomes_the_champion_while_it_is_looked_at_is_not_retired(ledger, version, race) -> None:
    made = None
    for number in range(30):
        one, before = version(digest=f"{number:064x}"), made
        race([
            lambda one=one: tell(ledger, one, "retirement", "old"),
            lambda one=one, before=before: champion.promote(ledger, one, before, "Ada", "better", AT),
        ])  # fmt: skip
        made = champion.current(ledger, NAME)
        retired = {event.version for event in events.events(ledger, NAME)}
        assert made is None or made.version not in retired


def test_a_version_that_is_retired_while_a_rollback_is_weighed_stays_retired(ledger, version, monkeypatch) -> None:
    first, second = version(), version(digest="b" * 64)
    made = champion.promote(ledger, first, None, "Ada", "first", AT)
    made = champion.promote(ledger, second, made, "Ada", "better", AT)
    really = champion.require_may_decide

    def looks_then_loses(*words: object) -> None:
        really(*words)  # type: ignore[arg-type]
        tell(ledger, first, "retirement", "old")

    monkeypatch.setattr(champion, "require_may_decide", looks_then_loses)
    with pytest.raises(Refusal, match="governance_event was said about"):
        champion.promote(ledger, first, made, "Ada", "back", AT)
