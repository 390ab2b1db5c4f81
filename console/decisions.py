"""Decisions: the search, one decision with what it rests on, and the same decided again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from configs.errors import InputError
from configs.policy import grade_of
from configs.settings import Product
from console import looked, searching
from console.searching import Wanted
from console.visit import Elsewhere, Page, State, Visit
from monitoring.customers.credit_file import limit_logic
from serving.knock_outs import Applicant, places, read
from serving.ledger import Record
from serving.override import KIND as OVERRIDE
from serving.replay import Replayed, replay_one

_DECISIONS = ("approve", "refer", "decline")
_DIGITS = 18  # of the largest number that every ledger can hold
_UNSAID: dict[str, Any] = {"pd_interval": None, "price": None, "collateral": None, "knock_outs": [], "advice": None}


def page(visit: Visit) -> Page | Elsewhere:
    """The search. The id of a decision, in place of a customer's, leads to it."""
    scorer, settings = visit.scorer, visit.state.settings.console
    customer = visit.asked("customer")
    if customer.startswith("d-") and (record := visit.state.ledger.by_id(customer)) and record.entry.kind == "decision":
        return Elsewhere(f"/decisions/{record.entry.id}")
    wanted = Wanted(
        scorer.product.name,
        customer,
        visit.asked("decision"),
        visit.asked("grade"),
        visit.day("since"),
        visit.day("until"),
    )
    before = visit.asked("before")
    if before and not (before.isdecimal() and len(before) <= _DIGITS):
        raise InputError(visit.say("{name}: expected a number", name="before"))
    found = searching.search(
        visit.state.ledger, wanted, int(before) if before else None, settings.rows, settings.search_records
    )
    named = [line for line in found.lines if line.told is not None]
    if named and customer:
        looked.at_customer(visit, customer, f"search, {len(named)} decisions")
    elif named:
        looked.at_list(visit, f"{len(named)} decisions, records {named[-1].seq} to {named[0].seq}")
    return Page(
        "decisions.html",
        {
            "wanted": wanted,
            "found": found,
            "before": before,
            "decisions": _DECISIONS,
            "grades": [grade.name for grade in scorer.grades],
        },
    )


def one(visit: Visit) -> Page:
    """One decision."""
    return _shown(visit, _record(visit), None)


def replayed(visit: Visit) -> Page:
    """One decision, and whether it comes out equal to the bit when it is decided again."""
    record = _record(visit)
    with visit.state.replaying:
        again = replay_one(record, visit.state.past)
    return _shown(visit, record, again)


def _record(visit: Visit) -> Record:
    record = visit.state.ledger.by_id(visit.names["id"])
    if record is None or record.entry.kind != "decision":
        raise InputError(visit.say("The ledger has no decision of this id."))
    return record


def _shown(visit: Visit, record: Record, again: Replayed | None) -> Page:
    body = record.body()
    answer, question = body["answer"], body["question"]
    looked.at_customer(visit, answer["customer_id"], record.entry.id)
    later = visit.state.ledger.about([record.entry.subject, record.entry.id])
    return Page(
        "decision.html",
        {
            "record": record,
            "answer": {**_UNSAID, **answer},
            "question": {"requested_amount": None, **question},
            "tables": {name: len(rows) for name, rows in (question["records"] or {}).items() if rows},
            "limit": _limit(visit.state, body),
            "features": _features(visit.state, body),
            "overrides": [(one, one.body()) for one in later if _about(one, OVERRIDE, record.entry.id)],
            "outcomes": [(one, one.body()) for one in later if _about(one, "outcome", record.entry.id)],
            "again": None if again is None else asdict(again),
        },
    )


def _about(record: Record, kind: str, decision_id: str) -> bool:
    return record.entry.kind == kind and record.body().get("decision_id") == decision_id


def _limit(state: State, body: dict[str, Any]) -> list[dict[str, Any]]:
    """What bound the limit, by the policy of that day; nothing where the ledger does not hold it."""
    answer = body["answer"]
    record = state.ledger.latest_about("policy", answer["policy"])
    if record is None:
        return []
    product = Product.model_validate_json(msgspec.json.encode(record.body()))
    values, names = body["evidence"]["features"], _names(state, answer)
    where = places(product.policy, names)
    applicant = Applicant(
        requested_amount=body["question"].get("requested_amount"),
        group_exposure=body["question"].get("group_exposure"),
        features=read(where, [values[place] for place in where.values()]),
    )
    pd = answer["default_probability"]
    return limit_logic(product.policy, grade_of(product.grades, pd), pd, applicant, answer["binding_constraint"])


def _names(state: State, answer: dict[str, Any]) -> list[str]:
    return [feature["name"] for feature in state.facts(answer["product"], answer["model"])["features"]]


def _features(state: State, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The features it was decided on, those that moved the score most first: value and log-odds added."""
    described = state.facts(body["answer"]["product"], body["answer"]["model"])["features"]
    values, contributions = body["evidence"]["features"], body["evidence"]["contributions"]
    rows = [
        {"name": one["name"], "meaning": one["meaning"], "unit": one["unit"], "value": value, "adds": adds}
        for one, value, adds in zip(described, values, contributions[: len(values)], strict=True)
    ]
    return sorted(rows, key=lambda row: -abs(row["adds"]))
