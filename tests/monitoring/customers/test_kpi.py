"""The monthly pack, counted by hand on a ledger of a few decisions."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features import load
from features.contracts import to_day
from monitoring.customers import kpi, pages
from monitoring.customers.collection_commands import _last
from serving.decide import Question, decide, ledger_body
from serving.ledger import Entry, Ledger, canonical
from serving.outcomes import record_outcome
from serving.override import Override, entry_of
from serving.score import Scorer

DAY = to_day(dt.date(2024, 3, 15))


def at(text: str) -> str:
    return f"{text}:00.000000+00:00"


def decision(name: str, as_of: str, grade: str, what: str, pd: float, limit: float, features: list[Any]) -> Entry:
    answer = {"as_of": as_of, "grade": grade, "decision": what, "default_probability": pd, "limit": limit}
    body = {"answer": answer, "evidence": {"features": features}}
    return Entry(name, "decision", "trade_credit", "customer", at(f"{as_of}T10:00"), canonical(body))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    found = Ledger(f"sqlite:///{tmp_path_factory.mktemp('kpi')}/ledger.db")
    found.append(
        [
            decision("d1", "2024-02-01", "A", "approve", 0.01, 1000.0, [1.0, None]),
            decision("d2", "2024-02-02", "A", "approve", 0.02, 2000.0, [1.0, 2.0]),
            decision("d3", "2024-02-03", "C", "refer", 0.10, 500.0, [1.0, 2.0]),
            decision("d4", "2024-02-04", "F", "decline", 0.50, 0.0, [None, None]),
            decision("d5", "2024-03-01", "A", "approve", 0.01, 1000.0, [1.0, 2.0]),
            decision("d6", "2024-03-20", "A", "approve", 0.01, 1000.0, [1.0, 2.0]),
        ]
    )
    referred = found.by_id("d3")
    assert referred is not None
    word = Override("d3", "approve", 400.0, "credit_controller", "ann", "knows them")
    found.append([entry_of(referred, word, at("2024-02-03T16:00"))])
    for name, defaulted in (("d1", False), ("d2", True), ("d3", False), ("d4", True)):
        record_outcome(found, name, defaulted, dt.date(2024, 3, 10), at("2024-03-10T00:00"))
    return found


@pytest.fixture(scope="module")
def pack(ledger: Ledger, shipped) -> dict[str, Any]:
    return kpi.pack(shipped("trade_credit"), ledger.records(product="trade_credit"), {}, DAY)


def values(pack: dict[str, Any], name: str) -> list[float | None]:
    """The figure of February and March."""
    assert pack["months"][-2:] == ["2024-02", "2024-03"]
    return next(figure.values for figure in pack["figures"] if figure.name == name)[-2:]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("decisions", [4.0, 1.0]),
        ("approval rate", [0.5, 1.0]),
        ("referral rate", [0.25, 0.0]),
        ("automation share", [0.75, 1.0]),
        ("override rate", [0.25, 0.0]),
        ("time to decision", [6.0, None]),
        ("indicator coverage", [0.625, 1.0]),
    ],
)
def test_a_figure_is_what_its_definition_says(pack: dict[str, Any], name: str, expected: list[float | None]) -> None:
    assert values(pack, name) == expected


def test_a_month_without_decisions_has_no_rate(pack: dict[str, Any]) -> None:
    assert next(figure.values for figure in pack["figures"] if figure.name == "approval rate")[0] is None


def test_bad_rates_count_granted_limits_with_a_known_outcome(pack: dict[str, Any]) -> None:
    (vintage,) = pack["vintages"]
    assert (vintage["name"], vintage["known"], vintage["defaults"]) == ("2024-02", 3, 1)
    assert vintage["expected_loss"] == pytest.approx((0.01 * 1000 + 0.02 * 2000 + 0.10 * 400) * 0.45)
    assert vintage["realised_loss"] == pytest.approx(2000 * 0.45)
    assert [(grade["name"], grade["bad_rate"]) for grade in pack["grades"]] == [("A", 0.5), ("C", 0.0)]


def test_an_outcome_known_later_is_not_in_the_pack(ledger: Ledger, shipped) -> None:
    earlier = kpi.pack(shipped("trade_credit"), ledger.records(product="trade_credit"), {}, DAY - 10)
    assert earlier["vintages"] == []


@pytest.fixture
def late(tmp_path: Path) -> Ledger:
    """A referral of 1 February that a person first answered on the 2nd, then on the 5th; its outcome came in March."""
    found = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    (referred,) = found.append([decision("d1", "2024-02-01", "C", "refer", 0.1, 500.0, [1.0])])
    for limit, day in ((400.0, "2024-02-02"), (100.0, "2024-02-05")):
        word = Override("d1", "approve", limit, "credit_controller", "ann", "knows them")
        found.append([entry_of(referred, word, at(f"{day}T23:59"))])
    record_outcome(found, "d1", True, dt.date(2024, 2, 20), at("2024-03-10T00:00"))
    return found


@pytest.mark.parametrize(("day", "granted"), [("2024-02-01", [0.0]), ("2024-02-02", [400.0]), ("2024-02-05", [100.0])])
def test_an_override_recorded_after_the_day_is_not_known_on_it(late: Ledger, day: str, granted: list[float]) -> None:
    known = kpi.cases(late.records(product="trade_credit"), to_day(dt.date.fromisoformat(day)))
    assert [case.granted for case in known] == granted


@pytest.mark.parametrize(("day", "defaulted"), [("2024-03-09", [None]), ("2024-03-10", [True])])
def test_an_outcome_is_known_from_the_day_it_was_recorded(late: Ledger, day: str, defaulted: list[bool | None]) -> None:
    known = kpi.cases(late.records(product="trade_credit"), to_day(dt.date.fromisoformat(day)))
    assert [case.defaulted for case in known] == defaulted


def test_dso_and_overdue_ratio_by_hand(shipped, ledger: Ledger) -> None:
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "b", "b"],
            "invoice_id": ["1", "2", "3"],
            "issued": pd.to_datetime(["2024-01-10", "2024-03-01", "2024-02-01"]),
            "due": pd.to_datetime(["2024-02-09", "2024-03-31", "2024-03-02"]),
            "paid": pd.to_datetime([None, None, "2024-03-02"]),
            "amount": [100.0, 200.0, 600.0],
        }
    )
    tables = load.check_tables({"invoices": frame}, shipped("trade_credit"), "test")
    found = kpi.pack(shipped("trade_credit"), ledger.records(product="trade_credit"), tables, DAY)
    assert values(found, "owed") == [700.0, 300.0]
    assert values(found, "overdue ratio") == [100 / 700, 100 / 300]
    assert values(found, "DSO")[1] == pytest.approx(90 * 300 / 900)


def test_a_decision_of_the_service_is_read(scorer: Scorer, tmp_path: Path) -> None:
    row = {"month": "2024-02-29", "balance": 1.0, "credit_limit": 10.0, "amount_due": 0.0, "amount_paid": 0.0}
    records = {"statements": [{**row, "account_id": "x", "days_past_due": 0.0}]}
    question = Question(
        customer_id="a", as_of=dt.date(2024, 3, 1), requested_amount=None, language="en", reasons=3, records=records
    )
    answer, evidence = decide(scorer, question, "d-1")
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    name = scorer.product.name
    body = ledger_body(question, answer, evidence)
    ledger.append([Entry("d-1", "decision", name, "a", at("2024-03-01T10:00"), body)])
    (case,) = kpi.cases(ledger.records(product=name), DAY)
    assert (case.month, case.grade, case.decision) == ("2024-03", answer.grade, answer.decision)
    assert 0 < case.known_share < 1


def test_the_page_is_whole_and_the_json_has_every_figure(pack: dict[str, Any], tmp_path: Path) -> None:
    page = pages.write(tmp_path / "kpi.html", "kpi.html", pack)
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert '"definition"' in page.with_suffix(".json").read_text(encoding="utf-8")


@pytest.mark.parametrize(("unit", "told"), [("", "1,023"), ("currency", "1,023.00"), ("days", "1,023.000")])
def test_a_number_of_decisions_is_told_whole(unit: str, told: str) -> None:
    assert _last(kpi.Figure("any", unit, "", [1023.0])) == told
