"""What was decided and what came of it, and which models answer: the routes beside the decisions themselves."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from configs.errors import InputError
from configs.persons import known_as
from serving import champion, outcomes, problems, reads
from serving.access import Caller
from serving.api import (
    CanaryLine,
    GradeLine,
    ModelCard,
    ModelLine,
    OutcomeAnswer,
    OutcomeRequest,
    OverrideAnswer,
    OverrideRequest,
    ReferralLine,
    ReplayAnswer,
    UnloadableLine,
)
from serving.asking import scorer_of
from serving.call import Call
from serving.doubts import DEGRADED
from serving.ledger import Record
from serving.live import Live, canary_slot, utc_now
from serving.override import KIND as OVERRIDE
from serving.override import Override, authorise, entry_of, flagged
from serving.problems import refused
from serving.replay import replay_one
from serving.score import Scorer


def _decision(live: Live, decision_id: str) -> Record:
    record = live.ledger.by_id(decision_id)
    if record is None or record.entry.kind != "decision":
        raise refused(problems.NO_SUCH_DECISION, "the ledger has no decision of this id")
    return record


async def find_decision(call: Call) -> Any:
    """The answer of a recorded decision as it was given, flagged where persons decided otherwise since."""
    return await asyncio.to_thread(_found, call.live, call.name, call.caller.name)


def _found(live: Live, decision_id: str, by: str) -> Any:
    record = _decision(live, decision_id)
    if not record.erased:
        live.writer.submit(reads.entry_of(record.entry.subject, by, decision_id, utc_now())).result()
    answer = record.body()["answer"]
    about = [one for one in live.ledger.about([record.entry.subject]) if one.entry.kind == OVERRIDE]
    return flagged(answer, [Override(**one.body()) for one in about])


async def replay_decision(call: Call) -> ReplayAnswer:
    """A recorded decision made again with the model version and the policy it names."""
    return await asyncio.to_thread(_replay, call.live, call.name)


def _replay(live: Live, decision_id: str) -> ReplayAnswer:
    again = replay_one(_decision(live, decision_id), live.past)
    return ReplayAnswer(decision_id=again.decision_id, equal=again.equal, differs=again.differs, detail=again.detail)


async def record_outcome(call: Call) -> OutcomeAnswer:
    """What became of a decision, recorded once."""
    return await asyncio.to_thread(_outcome, call.live, call.asked)


def _outcome(live: Live, said: OutcomeRequest) -> OutcomeAnswer:
    made = outcomes.record_outcome(live.ledger, said.decision_id, said.defaulted, said.on, utc_now(), said.correction)
    return OutcomeAnswer(
        outcome_id=made.entry.id,
        decision_id=said.decision_id,
        defaulted=said.defaulted,
        on=said.on,
        corrects=made.body()["corrects"],
        new=made.new,
    )


async def override_decision(call: Call) -> OverrideAnswer:
    """A person's decision in place of the policy's, as far as the level of authority allows it."""
    return await asyncio.to_thread(_override, call.live, call.name, call.asked, call.caller)


def _override(live: Live, decision_id: str, said: OverrideRequest, caller: Caller) -> OverrideAnswer:
    record = _decision(live, decision_id)
    scorer = scorer_of(live, record.entry.product)
    override = Override(
        decision_id, said.decision, said.limit, said.authority, _decider(live, said.by, caller), said.reason
    )
    authorise(scorer.product, record.body()["answer"], override)
    (made,) = live.ledger.append([entry_of(record, override, utc_now())])
    return OverrideAnswer(override_id=made.entry.id, new=made.new, **asdict(override))


def _decider(live: Live, said: str, caller: Caller) -> str:
    """Who decided, as it goes on record: a person by their key; whom a machine or an administrator speaks for, both.

    Raises InputError for another name than that of the person whose key it is.
    """
    if live.settings.governance.identity == "named" or not said.strip():
        return said
    if known_as(said) == known_as(caller.name):
        return caller.name
    if caller.is_person and caller.role != "admin":
        raise InputError(f"by {said!r}: the key is {caller.name}'s")
    return f"{said}, by the word of {caller.name}"


async def list_models(call: Call) -> list[ModelLine]:
    """The versions that answer, one line for each product."""
    return [
        ModelLine(
            product=name,
            model=scorer.bundle.version,
            policy=scorer.policy_digest,
            program=scorer.bundle.program.digest,
            auc=scorer.bundle.validation["auc"]["value"],
        )
        for name, scorer in call.live.scorers.items()
    ]


async def show_model(call: Call) -> ModelCard:
    """All that a caller may want to know of what answers for a product."""
    scorer = scorer_of(call.live, call.query.get("product"))
    return await asyncio.to_thread(_card, call.live, scorer)


def _card(live: Live, scorer: Scorer) -> ModelCard:
    bundle, promotions = scorer.bundle, champion.history(live.ledger, scorer.product.name)
    since = next(made for made in reversed(promotions) if made.digest == bundle.digest)
    auc = bundle.validation["auc"]
    return ModelCard(
        product=scorer.product.name,
        title=scorer.product.title,
        model=bundle.version,
        policy=scorer.policy_digest,
        program=bundle.program.digest,
        promoted_by=since.by,
        promoted_at=since.at,
        gate_passed=bundle.training.get("gate", {}).get("passed"),
        explained_by=scorer.explained_by,
        tables=tuple(scorer.tables),
        features=bundle.program.names,
        grades=tuple(GradeLine(name=grade.name, pd_below=grade.pd_below) for grade in scorer.grades),
        auc=auc["value"],
        auc_low=auc["low"],
        auc_high=auc["high"],
        currency=scorer.product.currency,
        degraded=DEGRADED in scorer.flags,
        **_beside(live, scorer.product.name),
    )


def _beside(live: Live, name: str) -> dict[str, Any]:
    stands = live.standing[name]
    referral, canary = stands.referral, stands.canary
    found = (live.loading.failed.get(slot) for slot in (name, canary_slot(name)))
    return {
        "referral": referral and ReferralLine(at=referral.at, by=referral.by, reason=referral.reason),
        "canary": canary
        and CanaryLine(
            model=canary.version,
            share=canary.share,
            decides=stands.challenger is not None,
            at=canary.at,
            by=canary.by,
            reason=canary.reason,
        ),
        "unloadable": tuple(UnloadableLine(model=x.version, at=x.at, reason=x.reason) for x in found if x is not None),
    }
