"""One question to one answer, without I/O: the same inputs give the same bytes, today and on replay."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from configs.settings import Grade
from features.contracts import Columns, to_day
from features.records import RecordsError
from serving import advice, knock_outs, overlay
from serving.advice import Advised, Judged
from serving.api import DecideRequest, DecisionAnswer
from serving.circumstances import Circumstances, referred
from serving.knock_outs import Applicant
from serving.ledger import canonical
from serving.overlay import Overlay
from serving.policy import Grant, grant
from serving.problems import located
from serving.reasons import Language, principal_reasons
from serving.score import Scorer, Scores

RULES = 2


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request with everything that was left open filled in: all that a replay needs.

    What may be left unsaid is then written nowhere: a question asked before it could be said keeps its digest.
    `rules` are those it is answered by: 2 tells no reason of a value that is missing but that it is, 1 looks for data
    that are stale or missing, 0 (older records) does neither.
    `circumstances` are those it is answered under, where there are any.
    """

    customer_id: str
    as_of: dt.date
    requested_amount: float | None
    language: Language
    reasons: int
    records: Any
    group_exposure: float | None = None
    advice: bool = False
    rules: int = 0
    circumstances: Circumstances | None = None

    def digest(self) -> str:
        """SHA-256 of the question: the same question under one idempotency key gives the same answer.

        `rules` and `circumstances`, which we chose and the caller did not, are no part of what was asked.
        """
        return hashlib.sha256(canonical(msgspec.structs.replace(self, rules=0, circumstances=None))).hexdigest()

    @property
    def is_referred(self) -> bool:
        """Whether it goes to a person, whatever the policy says."""
        return self.circumstances is not None and self.circumstances.referral is not None

    @property
    def overlays(self) -> tuple[Overlay, ...]:
        """The adjustments of its PD that are in force."""
        return () if self.circumstances is None else self.circumstances.overlays


def question_of(
    request: DecideRequest, today: dt.date, language: Language, reasons: int, stored: Any = None
) -> Question:
    """The question of a request, `today`, `language` and the `stored` records where it does not say."""
    return Question(
        customer_id=request.customer_id,
        as_of=request.as_of or today,
        requested_amount=request.requested_amount,
        language=request.language or language,
        reasons=reasons,
        records=msgspec.json.decode(request.records) if request.has_records() else stored,
        group_exposure=request.group_exposure,
        advice=request.advice,
        rules=RULES,
    )


def decide(scorer: Scorer, question: Question, decision_id: str) -> tuple[DecisionAnswer, dict[str, Any]]:
    """The answer, and the evidence that the ledger keeps: features, raw score, contributions.

    Raises RecordsError where the records break their contract.
    """
    tables = tables_of(scorer, question, question.customer_id)
    scores = _scores(scorer, question, tables)
    doubts = data_flags(scorer, question, tables, question.customer_id, scores)
    contributions = scorer.contributions(scores.values)[0]
    return answered(scorer, question, decision_id, scores, contributions, bool(tables), doubts)


def advise(scorer: Scorer, question: Question) -> Advised:
    """What the customer of `question` could do to be approved or to reach the next grade; nothing is recorded.

    Raises RecordsError where the records break their contract.
    """
    tables = tables_of(scorer, question, question.customer_id)
    scores = _scores(scorer, question, tables)
    doubts = data_flags(scorer, question, tables, question.customer_id, scores)
    return _advised(scorer, question, scores, bool(tables), doubts)


def tables_of(scorer: Scorer, question: Question, customer_id: str) -> dict[str, Columns]:
    """The records of a question as checked tables about `customer_id`. Raises RecordsError."""
    try:
        records = msgspec.convert(question.records, scorer.records)
    except msgspec.ValidationError as error:
        raise RecordsError(f"records: {error}", [located(error, "#/records", scorer.records)]) from None
    return scorer.columns(records, customer_id, to_day(question.as_of))


def data_flags(
    scorer: Scorer, question: Question, tables: Mapping[str, Columns], customer_id: str, scores: Scores
) -> tuple[str, ...]:
    """Why the data of a question give cause for doubt, by the rules it is answered by; of no data at all, nothing.

    `customer_id` is what the customer is called in `tables`, `scores` their one row.
    """
    if question.rules < 1 or not tables:
        return ()
    day = np.array([to_day(question.as_of)], np.int32)
    return scorer.doubts(tables, np.array([customer_id], object), day, scores.values)[0]


def _scores(scorer: Scorer, question: Question, tables: Mapping[str, Columns]) -> Scores:
    return scorer.score(tables, np.array([question.customer_id], object), np.array([to_day(question.as_of)], np.int32))


def answered(
    scorer: Scorer,
    question: Question,
    decision_id: str,
    scores: Scores,
    contributions: np.ndarray,
    known: bool,
    doubts: tuple[str, ...],
) -> tuple[DecisionAnswer, dict[str, Any]]:
    """What `decide` gives, from the customer's one row of `scores`, its contributions (features + 1,) and `doubts`."""
    scores, of_model = _adjusted(scorer, question, scores), scores
    grade, granted = _granted(scorer, question, scores, known, doubts)
    wanted = question.advice or scorer.product.policy.advice.always
    said = _advised(scorer, question, scores, known, doubts) if wanted else None
    if question.is_referred:
        granted = referred(granted)
    answer = DecisionAnswer(
        decision_id=decision_id,
        product=scorer.product.name,
        customer_id=question.customer_id,
        as_of=question.as_of,
        default_probability=float(scores.default_probability[0]),
        points=round(float(scores.points[0]), 2),
        grade=grade.name,
        decision=granted.decision,
        limit=granted.limit,
        currency=scorer.product.currency,
        binding_constraint=granted.binding_constraint,
        terms_days=granted.terms_days,
        collateral=granted.collateral,
        price=granted.price,
        knock_outs=tuple(hit.told(question.language) for hit in granted.knock_outs),
        reasons=principal_reasons(
            contributions[:-1],
            scorer.bundle.program.features,
            scorer.points_factor(contributions),
            question.reasons,
            question.language,
            scorer.grouping,
            np.isnan(scores.values[0]).tolist() if question.rules >= 2 else None,
        ),
        flags=(*granted.flags, *scorer.flags, *((overlay.FLAG,) if question.overlays else ())),
        model=scorer.bundle.version,
        policy=scorer.policy_digest,
        program=scorer.bundle.program.digest,
        pd_interval=scorer.interval(float(scores.raw_score[0])),
        advice=said,
    )
    evidence = {
        "features": [None if value != value else value for value in scores.values[0].tolist()],
        "raw_score": float(scores.raw_score[0]),
        "contributions": contributions.tolist(),
    }
    if question.overlays:
        evidence["model_default_probability"] = float(of_model.default_probability[0])
    if scorer.explained_by != "lightgbm":  # records made before there was a choice do not name it
        evidence["explained_by"] = scorer.explained_by
    if said is not None:
        evidence["advised_by"] = scorer.advised_by
    return answer, evidence


def _advised(scorer: Scorer, question: Question, scores: Scores, known: bool, doubts: tuple[str, ...]) -> Advised:
    def judge(row: np.ndarray) -> Judged:
        then = _adjusted(scorer, question, scorer.scored(row[None]))
        grade, granted = _granted(scorer, question, then, known, doubts)
        return Judged(
            default_probability=float(then.default_probability[0]),
            points=float(then.points[0]),
            grade=grade.name,
            place=int(then.grade[0]),
            granted=granted,
        )

    features = scorer.bundle.program.features
    adviser = None if question.is_referred else scorer.adviser  # no act of the customer's changes what a person decides
    return advice.advise(adviser, scorer.product, features, scores.values[0], judge, question.language)


def _adjusted(scorer: Scorer, question: Question, scores: Scores) -> Scores:
    """With the PDs and grades that the overlays in force make of the model's."""
    if not question.overlays:
        return scores
    names = scorer.bundle.program.names
    adjusted = overlay.apply(question.overlays, names, scores.values, scores.default_probability)
    return replace(scores, default_probability=adjusted, grade=scorer.bundle.scale.grade_index(adjusted))


def _granted(
    scorer: Scorer, question: Question, scores: Scores, known: bool, doubts: tuple[str, ...]
) -> tuple[Grade, Grant]:
    where = scorer.policy_reads
    applicant = Applicant(
        requested_amount=question.requested_amount,
        group_exposure=question.group_exposure,
        features=knock_outs.read(where, scores.values[0, list(where.values())].tolist()),
        known=known,
        doubts=doubts,
    )
    grade = scorer.grades[int(scores.grade[0])]
    return grade, grant(scorer.product, grade, float(scores.default_probability[0]), applicant)


def ledger_body(question: Question, answer: DecisionAnswer, evidence: dict[str, Any]) -> bytes:
    """The decision record: question, evidence and answer as canonical JSON."""
    # The records are by far the longest part, and stand in what is recorded and in what is hashed.
    written = msgspec.structs.replace(question, records=msgspec.Raw(canonical(question.records)))
    return canonical(
        {
            "question": written,
            "question_sha256": written.digest(),
            "evidence": evidence,
            "answer": answer,
        }
    )
