"""A decision is a pure function of question, model and policy; one request and the bulk path agree to the bit."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from configs.settings import Product
from features.contracts import Columns, to_day
from serving.api import DecideRequest
from serving.batch import score_tables
from serving.decide import Question, decide, ledger_body, question_of
from serving.reasons import UNKNOWN
from serving.score import Scorer

TODAY = dt.date(2026, 1, 31)


def question(body: dict[str, Any], **changed: Any) -> Question:
    request = msgspec.json.decode(json.dumps({**body, **changed}), type=DecideRequest)
    return question_of(request, TODAY, "en", 4)


def body_of(scorer: Scorer, asked: Question) -> bytes:
    return ledger_body(asked, *decide(scorer, asked, "d-1"))


def test_the_same_question_gives_the_same_bytes(scorer: Scorer, bodies: list[dict[str, Any]]) -> None:
    for body in bodies[:10]:
        assert body_of(scorer, question(body)) == body_of(scorer, question(body))


def test_keys_in_another_order_ask_the_same_question(scorer: Scorer, body: dict[str, Any]) -> None:
    turned = dict(reversed(body.items()))
    turned["records"] = {name: [dict(reversed(row.items())) for row in rows] for name, rows in body["records"].items()}
    assert body_of(scorer, question(turned)) == body_of(scorer, question(body))


def test_rows_in_another_order_give_the_same_pd(scorer: Scorer, body: dict[str, Any]) -> None:
    turned = {name: rows[::-1] for name, rows in body["records"].items()}
    one, other = (decide(scorer, asked, "d")[0] for asked in (question(body), question(body, records=turned)))
    assert one.default_probability == other.default_probability


def test_one_request_at_a_time_equals_the_bulk_path_bit_for_bit(
    scorer: Scorer, bodies: list[dict[str, Any]], tables: dict[str, Columns], as_of: dt.date
) -> None:
    answers = pd.DataFrame([msgspec.to_builtins(decide(scorer, question(body), "d")[0]) for body in bodies])
    answers["flags"] = [" ".join(flags) for flags in answers["flags"]]
    batch = score_tables(scorer, tables, to_day(as_of)).set_index("customer_id").loc[answers["customer_id"]]
    shared = list(batch.columns)
    pd.testing.assert_frame_equal(answers[shared], batch.reset_index(drop=True), check_exact=True)


def test_the_versions_of_an_answer_are_those_loaded(scorer: Scorer, product: Product, body: dict[str, Any]) -> None:
    answer, _ = decide(scorer, question(body), "d")
    loaded = (scorer.bundle.version, product.digest(), scorer.bundle.program.digest)
    assert (answer.model, answer.policy, answer.program) == loaded


def test_the_evidence_explains_the_pd(scorer: Scorer, body: dict[str, Any]) -> None:
    answer, evidence = decide(scorer, question(body), "d")
    log_odds = math.log(answer.default_probability / (1 - answer.default_probability))
    explained = scorer.bundle.calibration.log_odds(np.array([sum(evidence["contributions"])]))
    assert log_odds == pytest.approx(explained[0])


def test_a_request_without_a_day_asks_today(body: dict[str, Any]) -> None:
    assert question(body, as_of=None).as_of == TODAY


def test_a_request_without_a_language_gets_the_services(body: dict[str, Any]) -> None:
    assert question(body).language == "en"


def test_a_request_may_ask_for_chinese(scorer: Scorer, body: dict[str, Any]) -> None:
    answer, _ = decide(scorer, question(body, language="zh"), "d")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in answer.reasons[0].reason)


def test_no_more_is_granted_than_was_asked_for(scorer: Scorer, bodies: list[dict[str, Any]]) -> None:
    answers = [decide(scorer, question(body, requested_amount=123.5), "d")[0] for body in bodies]
    assert max(answer.limit for answer in answers) == 123


def test_a_customer_without_records_is_referred(scorer: Scorer, body: dict[str, Any]) -> None:
    answer, _ = decide(scorer, question(body, records={}), "d")
    assert (answer.decision, answer.limit, answer.flags) == ("refer", 0, ("no_records",))


def test_a_customer_without_records_is_told_of_nothing_else(scorer: Scorer, body: dict[str, Any]) -> None:
    asked = question(body, records={})
    answer, _ = decide(scorer, asked, "d-1")
    assert [reason.reason for reason in answer.reasons] == [UNKNOWN["en"]]
    before, _ = decide(scorer, msgspec.structs.replace(asked, rules=1), "d-1")  # as it was answered, and is replayed
    assert UNKNOWN["en"] not in [reason.reason for reason in before.reasons]


def test_records_known_only_later_change_nothing(scorer: Scorer, body: dict[str, Any]) -> None:
    later = {**body["records"]["statements"][0], "month": "2024-11-30", "days_past_due": 60.0}
    told = {**body["records"], "statements": [*body["records"]["statements"], later]}
    one, other = (decide(scorer, asked, "d")[0] for asked in (question(body), question(body, records=told)))
    assert one.default_probability == other.default_probability


def test_a_breach_names_table_row_and_column(scorer: Scorer, body: dict[str, Any]) -> None:
    body["records"]["statements"][1]["balance"] = "3"
    with pytest.raises(DataError, match=r"statements\[1\]\.balance"):
        decide(scorer, question(body), "d")


def test_a_ledger_body_holds_question_evidence_and_answer(scorer: Scorer, body: dict[str, Any]) -> None:
    made = json.loads(body_of(scorer, question(body)))
    assert sorted(made) == ["answer", "evidence", "question", "question_sha256"]


def test_another_amount_is_another_question(body: dict[str, Any]) -> None:
    assert question(body).digest() != question(body, requested_amount=1.0).digest()
