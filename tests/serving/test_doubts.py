"""Flags of data in doubt: a table that all others have is missing, or the newest fact is older than allowed."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from configs.settings import Freshness, Product
from features.contracts import Columns, to_day
from features.simulate import Portfolio
from serving.api import DecideRequest
from serving.batch import score_tables
from serving.decide import Question, decide, ledger_body, question_of
from serving.score import Scorer, make_scorer
from serving.score_book import score_book
from training.bundle import Bundle


def question(body: dict[str, Any], **changed: Any) -> Question:
    asked = msgspec.json.decode(json.dumps({**body, **changed}), type=DecideRequest)
    return question_of(asked, dt.date(2026, 1, 31), "en", 4)


@pytest.fixture(scope="module")
def fresh(bundle: Bundle, product: Product) -> Scorer:
    """The product with facts that may be 20 days old."""
    return make_scorer(bundle, product.model_copy(update={"freshness": Freshness(statements=20)}))


def later(body: dict[str, Any], days: int) -> dict[str, Any]:
    newest = max(dt.date.fromisoformat(row["month"]) for row in body["records"]["statements"])
    return {**body, "as_of": (newest + dt.timedelta(days)).isoformat()}


def test_facts_as_old_as_allowed_are_not_stale(fresh: Scorer, body) -> None:
    assert "stale:statements" not in decide(fresh, question(later(body, 20)), "d")[0].flags


def test_facts_older_than_allowed_are_stale_and_referred(fresh: Scorer, bodies) -> None:
    for body in bodies[:20]:
        answer, _ = decide(fresh, question(later(body, 21)), "d")
        assert "stale:statements" in answer.flags
        assert answer.decision != "approve"


def test_a_fact_known_only_later_refreshes_nothing(fresh: Scorer, body) -> None:
    asked = later(body, 21)
    newer = {**body["records"]["statements"][-1], "month": asked["as_of"], "known_time": "2030-01-01"}
    told = {**body["records"], "statements": [*body["records"]["statements"], newer]}
    assert "stale:statements" in decide(fresh, question(asked, records=told), "d")[0].flags


def test_a_table_that_all_others_have_is_missed_and_referred(scorer: Scorer, bodies) -> None:
    for body in bodies[:10]:
        without = {**body["records"], "statements": []}
        answer, _ = decide(scorer, question(body, records=without), "d")
        assert "degraded:statements" in answer.flags
        assert answer.decision != "approve"


def test_whole_data_are_not_in_doubt(scorer: Scorer, bodies) -> None:
    flags = {flag for body in bodies for flag in decide(scorer, question(body), "d")[0].flags}
    assert not [flag for flag in flags if flag.startswith(("stale", "degraded"))]


def test_a_table_that_few_have_is_not_missed(bundle: Bundle, product: Product) -> None:
    policy = product.policy.model_copy(update={"expected_tables": 1.0})
    some = make_scorer(bundle, product.model_copy(update={"policy": policy})).expected_tables
    assert set(some) <= {"statements", "customers"}


def test_files_are_flagged_as_requests_are(
    fresh: Scorer, bodies, tables: dict[str, Columns], portfolio: Portfolio, as_of: dt.date, tmp_path: Path
) -> None:
    for name in fresh.tables:
        portfolio.tables[name].to_parquet(tmp_path / f"{name}.parquet", index=False)
    at = as_of + dt.timedelta(21)
    score_book(fresh, [str(tmp_path)], to_day(at), tmp_path / "scores.parquet", 0.0, customers_each=700)
    book = pd.read_parquet(tmp_path / "scores.parquet").set_index("customer_id")
    pd.testing.assert_frame_equal(book.reset_index(), score_tables(fresh, tables, to_day(at)), check_dtype=False)
    assert book["flags"].str.contains("stale:statements").any()
    for body in bodies[:20]:
        answer, _ = decide(fresh, question({**body, "as_of": at.isoformat(), "requested_amount": None}), "d")
        row = book.loc[body["customer_id"]]
        assert (row["flags"].split(), row["decision"]) == (list(answer.flags), answer.decision)


def test_a_table_that_the_model_does_not_read_causes_no_doubt(fresh: Scorer, tables: dict[str, Columns]) -> None:
    freshness = Freshness(statements=20, invoices=1)
    product = fresh.product.model_copy(update={"freshness": freshness})
    other = make_scorer(fresh.bundle, product)
    ids = np.unique(tables["statements"]["customer_id"].to_objects().astype(str))[:50].astype(object)
    days = np.full(len(ids), to_day(dt.date(2026, 1, 31)), np.int32)
    values = other.score(tables, ids, days).values
    invoices = {"customer_id": tables["statements"]["customer_id"], "issued": tables["statements"]["month"],
                "known_time": tables["statements"]["known_time"]}  # fmt: skip
    flags = other.doubts({**tables, "invoices": invoices}, ids, days, values)
    assert flags == other.doubts(tables, ids, days, values)
    assert any("stale:statements" in one for one in flags)


def test_a_question_of_old_rules_is_answered_by_them(fresh: Scorer, body) -> None:
    asked = question(later(body, 200))
    old = msgspec.structs.replace(asked, rules=0)
    assert "stale:statements" in decide(fresh, asked, "d")[0].flags
    assert "stale:statements" not in decide(fresh, old, "d")[0].flags
    assert old.digest() == asked.digest()  # the caller asked the same
    assert "rules" not in json.loads(ledger_body(old, *decide(fresh, old, "d")))["question"]
