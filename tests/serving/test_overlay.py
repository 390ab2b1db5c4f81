"""Overlays: they move PDs before the grade, end on their day, stand in the decision, and replay bit for bit."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from configs.errors import InputError, Refusal
from serving import champion, overlay
from serving.circumstances import Circumstances
from serving.decide import Question, decide, ledger_body
from serving.ledger import Entry, Ledger
from serving.overlay import Overlay
from serving.replay import replay_one
from serving.score import Scorer

AT, DAY = "2026-01-05T09:00:00+00:00", dt.date(2026, 1, 5)
NAMES = ("a", "b")


def wanted(**changed) -> Overlay:
    terms = {"id": "", "effect": "shift", "size": 0.5, "feature": None, "operator": None, "bound": None}
    return Overlay(**{**terms, "by": "Rae", "reason": "rates rose", "until": "2026-03-01", **changed})


def test_a_shift_moves_log_odds_and_a_floor_lifts_what_lies_below() -> None:
    pds, values = np.array([0.01, 0.5]), np.zeros((2, 2))
    odds = pds / (1 - pds) * np.exp(0.5)
    assert overlay.apply([wanted()], NAMES, values, pds) == pytest.approx(odds / (1 + odds), abs=1e-15)
    assert overlay.apply([wanted(effect="floor", size=0.02)], NAMES, values, pds).tolist() == [0.02, 0.5]
    both = [wanted(effect="floor", size=0.02), wanted()]
    assert overlay.apply(both, NAMES, values, pds)[0] == pytest.approx(0.02 * np.exp(0.5) / (0.98 + 0.02 * np.exp(0.5)))


def test_a_segment_is_a_bound_on_a_feature_and_what_is_missing_lies_in_none() -> None:
    values = np.array([[0, 1.0], [0, 2.0], [0, np.nan]])
    pds = np.full(3, 0.01)
    for operator, moved in ((">=", [False, True, False]), ("<", [True, False, False])):
        segment = wanted(feature="b", operator=operator, bound=2.0)
        assert (overlay.apply([segment], NAMES, values, pds) > pds).tolist() == moved


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"until": "2026-01-04"}, "ends between today and 180 days"),
        ({"until": "2026-07-05"}, "ends between today and 180 days"),
        ({"reason": " "}, "neither may be empty"),
        ({"size": 0.0}, "is not 0"),
        ({"size": float("nan")}, "lies within -5 and 5"),
        ({"effect": "floor", "size": 1.0}, "between 0 and 1"),
        ({"feature": "b"}, "a feature with an operator and a bound, or none"),
        ({"feature": "c", "operator": "<", "bound": 1.0}, "'c' is no feature"),
        ({"feature": "b", "operator": ">=", "bound": float("nan")}, "a bound is a number"),
        ({"feature": "b", "operator": ">=", "bound": float("inf")}, "a bound is a number"),
    ],
)
def test_an_overlay_that_is_none_is_refused(ledger: Ledger, changed, told: str) -> None:
    with pytest.raises(InputError, match=told):
        overlay.record(ledger, "p", NAMES, wanted(**changed), 180, AT)
    assert overlay.overlays(ledger, "p") == []


def test_an_overlay_is_in_force_to_the_end_of_its_day_or_until_it_is_ended(ledger: Ledger) -> None:
    made = overlay.record(ledger, "p", NAMES, wanted(), 180, AT)
    found = overlay.overlays(ledger, "p")
    assert overlay.standing(found, dt.date(2026, 3, 1)) == (made,)
    assert overlay.standing(found, dt.date(2026, 3, 2)) == ()
    overlay.end(ledger, "p", made.id, "Ada", "over", AT)
    assert overlay.standing(overlay.overlays(ledger, "p"), DAY) == ()
    with pytest.raises(Refusal, match="was ended by Ada"):
        overlay.end(ledger, "p", made.id, "Ben", "over", AT)


def test_an_overlay_that_was_ended_is_not_taken_for_one_in_force(ledger: Ledger) -> None:
    made = overlay.record(ledger, "p", NAMES, wanted(), 180, AT)
    assert overlay.record(ledger, "p", NAMES, wanted(), 180, AT) == made
    overlay.end(ledger, "p", made.id, "Ada", "over", AT)
    with pytest.raises(Refusal, match=f"{made.id}, the same, was ended by Ada"):
        overlay.record(ledger, "p", NAMES, wanted(), 180, AT)
    again = overlay.record(ledger, "p", NAMES, wanted(reason="rates rose again"), 180, AT)
    assert overlay.standing(overlay.overlays(ledger, "p"), DAY) == (again,)


def test_a_decision_under_an_overlay_says_so_and_replays_after_it_has_ended(
    ledger: Ledger, scorer: Scorer, bodies: list
) -> None:
    plain = asked(scorer, bodies[0])
    strict = wanted(id="overlay-1", effect="floor", size=0.9)
    question = msgspec.structs.replace(plain, circumstances=Circumstances(overlays=(strict,)))
    before, _ = decide(scorer, plain, "d-1")
    answer, evidence = decide(scorer, question, "d-1")
    assert (answer.default_probability, answer.grade) == (0.9, scorer.grades[-1].name)
    assert (answer.points, answer.flags[-1]) == (before.points, "overlay")
    assert evidence["model_default_probability"] == before.default_probability < 0.9
    assert question.digest() == plain.digest()
    entry = Entry("d-1", "decision", "p", "c", AT, ledger_body(question, answer, evidence))
    (record,) = ledger.append([entry])
    assert replay_one(record, lambda *_: scorer).equal
    body = record.body()
    body["question"]["circumstances"]["overlays"][0]["size"] = 0.8  # whoever changes what was applied is found out
    forged = replace(record, entry=replace(entry, body=msgspec.json.encode(body)))
    assert "default_probability" in replay_one(forged, lambda *_: scorer).differs


def test_a_version_that_lacks_the_segment_of_an_overlay_is_not_promoted(ledger: Ledger, scorer: Scorer) -> None:
    name = scorer.product.name
    overlay.record(ledger, name, ("x",), wanted(feature="x", operator="<", bound=1.0), 180, AT)
    with pytest.raises(Refusal, match=r"reads x.*end the overlay first"):
        champion.promote(ledger, scorer.bundle, None, "Ada", "better", AT)


def asked(scorer: Scorer, request: dict) -> Question:
    return Question(
        customer_id="c",
        as_of=dt.date.fromisoformat(request["as_of"]),
        requested_amount=None,
        language="en",
        reasons=4,
        records=request["records"],
        rules=1,
    )
