"""What became of a version: how it was approved, watched, what it decided, and what went wrong."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from governance.artefact import Artefact, listed, recorded, stated, table
from governance.facts import Facts
from serving.api import DecisionAnswer
from serving.decide import RULES, Question, decide, ledger_body
from serving.retention import months_before
from serving.score import make_scorer

_COLUMNS = ("seq", "id", "kind", "product", "subject", "at", "idempotency_key", "body", "previous", "hash")


def approval_record(facts: Facts) -> Artefact:
    """9: who asked, what differs from the champion, what was found, who said yes or no, and what stands."""
    bundle, training = facts.bundle, facts.bundle.training
    retrained = facts.retraining or {}
    policy = facts.product.digest()
    fields = (
        *recorded("ledger: training", requested_by=facts.author, requested_at=facts.trained_at),
        *recorded(
            "ledger: retraining",
            called_by=retrained.get("called_by"),
            against=retrained.get("champion"),
            worth=(retrained.get("worth") or {}).get("value"),
        ),
        *recorded("bundle", bound_to_digest=bundle.digest),
        *recorded("product file", bound_to_policy=policy),
        *recorded("settings, [governance]", approvals_needed=facts.settings.governance.approvals),
        *recorded("bundle: training.json", gate_passed=training["gate"]["passed"]),
    )
    said = [
        (one.word, one.by, one.at, one.reason, (one.digest, one.policy) == (bundle.digest, policy))
        for one in facts.approvals
    ]
    waived = [
        (", ".join(one.checks), one.by, one.until, one.reason, (one.digest, one.policy) == (bundle.digest, policy))
        for one in facts.waivers
    ]
    made = [(one.at, one.by, one.previous, one.undoes is not None, one.reason) for one in facts.promotions]
    return Artefact(
        9,
        "approval_record",
        "Approval record",
        "An approval or a waiver is of these bytes and this policy; where either changed it does not hold.",
        fields,
        (
            listed("Findings", "ledger: finding", _plain(facts.findings)),
            table("Words on this version", "ledger: approval", ("word", "name", "time", "reason", "holds"), said),
            table("Waivers of the gate", "ledger: waiver", ("checks", "name", "until", "reason", "holds"), waived),
            table("Promotions", "ledger: promotion", ("time", "name", "in place of", "rollback", "reason"), made),
            listed("What would be decided otherwise", "bundle: validation.json", bundle.validation.get("swap_sets")),
        ),
    )


def _plain(found: Any) -> list[dict[str, Any]]:
    return list(msgspec.json.decode(msgspec.json.encode(found)))


def monitoring_pack(facts: Facts) -> Artefact:
    """10: what the monitor said of the version, and what was done."""
    rules = facts.settings.monitoring
    last = facts.verdicts[-1] if facts.verdicts else {}
    decided = facts.decided
    rows = [
        (
            one["at"],
            one.get("window"),
            one["remedy"],
            one.get("score_psi"),
            one.get("red_findings"),
            "; ".join(one["evidence"]),
        )
        for one in facts.verdicts
    ]
    followed = [(one.at, one.version, one.by, one.reason) for one in facts.history]
    columns = ("time", "window", "remedy", "PSI of the score", "red findings", "evidence")
    return Artefact(
        10,
        "monitoring_pack",
        "Monitoring pack",
        "Each verdict of the monitor on this version with its evidence; the pages it names lie in the home's reports.",
        (
            *recorded("ledger: verdict", verdicts=len(rows), last_remedy=last.get("remedy"), last_at=last.get("at")),
            *recorded("ledger: decision", decisions=decided.count, overridden=decided.overridden),
            *recorded(
                "settings, [monitoring]", psi_watch=rules.psi_watch, psi_act=rules.psi_act, auc_drop=rules.auc_drop
            ),
            *stated(facts.product.governance, "post_market"),
        ),
        (
            table("Verdicts", "ledger: verdict", columns, rows),
            table("Decisions", "ledger: decision", ("decision", "count"), decided.by_decision.items()),
            table("Champions of the product", "ledger: promotion", ("since", "version", "by", "reason"), followed),
            listed("Overlays", "ledger: overlay", _plain(facts.overlays)),
        ),
    )


def decision_record(facts: Facts) -> Artefact:
    """11: what is kept of each decision: its form, and one made by this version about a customer there is not."""
    question = Question(
        customer_id="NOBODY",
        as_of=dt.date.fromisoformat(facts.written_at[:10]),
        requested_amount=None,
        language="en",
        reasons=4,
        records={},
        rules=RULES,
    )
    made = ledger_body(question, *decide(make_scorer(facts.bundle, facts.product), question, "d-EXAMPLE"))
    form = msgspec.json.schema_components([Question, DecisionAnswer])[1]
    sealed = bool(facts.settings.privacy.master_key)
    how = {"body": "sealed under the customer's key", "subject": "a pseudonym of the customer"} if sealed else {}
    kept = [(name, how.get(name, "in the clear")) for name in _COLUMNS]
    return Artefact(
        11,
        "decision_record",
        "Decision record",
        "What the ledger keeps of each decision. The example is about nobody: nothing was known.",
        recorded(
            "code",
            chain="h_n = SHA256(0x00 || canonical JSON of [columns, SHA256(body), h_(n-1)])",
            replay="creditloop decisions replay: bit for bit, or it says what differs",
            idempotency="one answer for one key and question",
        ),
        (table("Columns of a record", "code: serving/store.py", ("column", "how"), kept),),
        {"schema": form, "example": msgspec.json.decode(made)},
    )


def event_log(facts: Facts) -> Artefact:
    """12: incidents, changes, the end of its life, and until when its papers are kept."""
    decided, last = facts.decided, facts.promotions[-1].at if facts.promotions else None
    return Artefact(
        12,
        "event_log",
        "Incident, change and retirement log",
        "What went wrong or changed, when, which decisions it touched, and what was gone back to.",
        (
            *recorded("ledger", status=facts.status),
            *recorded("ledger: decision", first_decision=decided.first_id, first_at=decided.first_at),
            *recorded("ledger: decision", last_decision=decided.last_id, last_at=decided.last_at),
            *recorded("settings, [retention]", papers_kept_until=_kept_until(facts, decided.last_at or last)),
        ),
        (
            listed("Events", "ledger: governance_event", _plain(facts.events)),
            table(
                "Rollbacks of this version",
                "ledger: promotion",
                ("time", "to", "by", "reason"),
                [(one.at, one.version, one.by, one.reason) for one in _rollbacks(facts)],
            ),
        ),
    )


def _rollbacks(facts: Facts) -> list[Any]:
    ids = {one.record_id for one in facts.promotions}
    return [one for one in facts.history if one.undoes in ids]


def _kept_until(facts: Facts, last: str | None) -> str | None:
    if last is None:
        return None
    return months_before(dt.date.fromisoformat(last[:10]), -facts.settings.retention.model_documents).isoformat()
