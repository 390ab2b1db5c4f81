"""One question to one answer, without I/O: the same inputs give the same bytes, today and on replay."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import msgspec
import numpy as np

from configs.settings import Grade
from features.contracts import Columns, to_day
from features.records import RecordsError
from serving import knock_outs
from serving.api import DecideRequest, DecisionAnswer
from serving.knock_outs import Applicant
from serving.ledger import canonical
from serving.policy import Grant, grant
from serving.problems import located
from serving.reasons import Language, principal_reasons
from serving.score import Scorer, Scores


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request with everything that was left open filled in: all that a replay needs.

    What may be left unsaid is then written nowhere: a question asked before it could be said keeps its digest.
    """

    customer_id: str
    as_of: dt.date
    requested_amount: float | None
    language: Language
    reasons: int
    records: Any
    group_exposure: float | None = None

    def digest(self) -> str:
        """SHA-256 of the question: the same question under one idempotency key gives the same answer."""
        return hashlib.sha256(canonical(self)).hexdigest()


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
    )


def decide(scorer: Scorer, question: Question, decision_id: str) -> tuple[DecisionAnswer, dict[str, Any]]:
    """The answer, and the evidence that the ledger keeps: features, raw score, contributions.

    Raises RecordsError where the records break their contract.
    """
    tables = tables_of(scorer, question, question.customer_id)
    as_of = np.array([to_day(question.as_of)], np.int32)
    scores = scorer.score(tables, np.array([question.customer_id], object), as_of)
    return answered(scorer, question, decision_id, scores, scorer.contributions(scores.values)[0], known=bool(tables))


def tables_of(scorer: Scorer, question: Question, customer_id: str) -> dict[str, Columns]:
    """The records of a question as checked tables about `customer_id`. Raises RecordsError."""
    try:
        records = msgspec.convert(question.records, scorer.records)
    except msgspec.ValidationError as error:
        raise RecordsError(f"records: {error}", [located(error, "#/records")]) from None
    return scorer.columns(records, customer_id, to_day(question.as_of))


def answered(
    scorer: Scorer, question: Question, decision_id: str, scores: Scores, contributions: np.ndarray, known: bool
) -> tuple[DecisionAnswer, dict[str, Any]]:
    """What `decide` gives, from the customer's one row of `scores` and its contributions, (features + 1,)."""
    grade, granted = _granted(scorer, question, scores, known)
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
        ),
        flags=granted.flags,
        model=scorer.bundle.version,
        policy=scorer.policy_digest,
        program=scorer.bundle.program.digest,
    )
    evidence = {
        "features": [_number(value) for value in scores.values[0].tolist()],
        "raw_score": float(scores.raw_score[0]),
        "contributions": contributions.tolist(),
    }
    if scorer.explained_by != "lightgbm":  # records made before there was a choice do not name it
        evidence["explained_by"] = scorer.explained_by
    return answer, evidence


def _granted(scorer: Scorer, question: Question, scores: Scores, known: bool) -> tuple[Grade, Grant]:
    where = scorer.policy_reads
    applicant = Applicant(
        requested_amount=question.requested_amount,
        group_exposure=question.group_exposure,
        features=knock_outs.read(where, scores.values[0, list(where.values())].tolist()),
        known=known,
    )
    grade = scorer.grades[int(scores.grade[0])]
    return grade, grant(scorer.product, grade, float(scores.default_probability[0]), applicant)


def _number(value: float) -> float | None:
    return float(value) if value == value else None


def ledger_body(question: Question, answer: DecisionAnswer, evidence: dict[str, Any]) -> bytes:
    """The decision record: question, evidence and answer as canonical JSON."""
    asked = canonical(question)
    return canonical(
        {
            "question": msgspec.Raw(asked),
            "question_sha256": hashlib.sha256(asked).hexdigest(),
            "evidence": evidence,
            "answer": answer,
        }
    )
