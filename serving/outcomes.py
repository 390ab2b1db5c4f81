"""What became of a decision, in the ledger beside it: recorded once, corrected only by a later record that says so."""

from __future__ import annotations

import datetime as dt
import hashlib

from configs.errors import InputError, Refusal
from serving.ledger import Entry, Ledger, Record, canonical

KIND = "outcome"


def record_outcome(
    ledger: Ledger, decision_id: str, defaulted: bool, on: dt.date, at: str, correction: str | None = None
) -> Record:
    """Record that the customer of a decision had defaulted, or not, by the day `on`; `at` is now, UTC, in ISO form.

    The same outcome again gives the first record. Another one is a Refusal, unless `correction` says why: then its
    record names the one it corrects. Raises InputError for an unknown decision or a day outside the decision and now.
    """
    decision = ledger.by_id(decision_id)
    if decision is None or decision.entry.kind != "decision":
        raise InputError(f"the ledger has no decision {decision_id!r}")
    asked = dt.date.fromisoformat(decision.body()["answer"]["as_of"])
    if not asked <= on <= dt.datetime.fromisoformat(at).date():
        raise InputError(f"an outcome of {on}: expected a day from the decision's as_of, {asked}, up to today")
    found = ledger.latest_about(KIND, decision_id)
    if found is not None and _says(found, defaulted, on):
        return Record(found.seq, found.entry, found.hash, new=False)
    if found is not None and not correction:
        raise Refusal(f"{_told(found)}; if that was wrong, record a correction: `correction` (--correction) says why")
    if found is None and correction:
        raise InputError(f"{decision_id} has no outcome yet that could be corrected")
    corrects = None if found is None else found.entry.id
    body = {
        "decision_id": decision_id,
        "defaulted": defaulted,
        "on": on.isoformat(),
        "corrects": corrects,
        "reason": correction,
    }
    after = hashlib.sha256(canonical([decision_id, corrects])).hexdigest()[:32]
    key = f"outcome-{after}"  # one first outcome, one correction of each: of two at once the database takes one
    (made,) = ledger.append([Entry(key, KIND, decision.entry.product, decision_id, at, canonical(body), key)])
    if not _says(made, defaulted, on):
        raise Refusal(f"{_told(made)}; somebody was faster; look again")
    return made


def _says(record: Record, defaulted: bool, on: dt.date) -> bool:
    body = record.body()
    return bool(body["defaulted"] == defaulted and body["on"] == on.isoformat())


def _told(record: Record) -> str:
    body = record.body()
    word = "a default" if body["defaulted"] else "no default"
    return f"{body['decision_id']} already has the outcome {record.entry.id}: {word} by {body['on']}"
