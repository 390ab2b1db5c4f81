"""The credit file: what was known on the day and nothing later, and everything on record in time order."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.customers import Indicator
from configs.errors import InputError
from features import load, matrix
from features.check import take
from features.contracts import iso, to_day
from features.ranges import Range
from features.sources import Source
from monitoring.customers import contacts, pages, review_report, watchlist
from monitoring.customers.credit_file import credit_file, known_facts, newest_first
from monitoring.customers.credit_report import credit_report
from monitoring.customers.reviewed import Reviewed
from monitoring.customers.trace import ranges
from serving.decide import Question, decide, ledger_body
from serving.ledger import Entry, Ledger
from serving.outcomes import record_outcome
from serving.score import Scorer

MONTH = 12
AT = "2026-01-31T00:00:00.000000+00:00"
SIGN = Indicator(
    name="late", feature="x", operator=">=", bound=1.0, level="high", action="Call", owner="clerk", due_days=3
)


@pytest.fixture(scope="module")
def day(day_of_month) -> int:
    return day_of_month(MONTH)


@pytest.fixture(scope="module")
def customer(reviewed_at) -> str:
    return str(reviewed_at(9).customer_id[0])


@pytest.fixture(scope="module")
def ledger(
    scorer: Scorer, reviewed_at, customer: str, day_of_month, tmp_path_factory: pytest.TempPathFactory
) -> Ledger:
    """A ledger in which a customer was decided about, reviewed, warned of, called, and did not default."""
    folder = tmp_path_factory.mktemp("file")
    found = Ledger(f"sqlite:///{folder}/ledger.db")
    product, then = scorer.product, day_of_month(9)
    on = dt.date.fromisoformat(iso(then))
    row = {"month": on.isoformat(), "balance": 1.0, "credit_limit": 10.0, "amount_due": 0.0, "amount_paid": 0.0}
    records = {"statements": [{**row, "account_id": "x", "days_past_due": 0.0}]}
    question = Question(
        customer_id=customer, as_of=on, requested_amount=None, language="en", reasons=3, records=records
    )
    body = ledger_body(question, *decide(scorer, question, "d-1"))
    found.append([Entry("d-1", "decision", product.name, customer, AT, body)])
    book: Reviewed = reviewed_at(9)
    found.append([review_report.keep([book], product, "m-1", then, None, folder, AT)[1]])
    found.append(watchlist.raise_for([], product.name, [(customer, SIGN, 2.0)], on, AT))
    step = contacts.Step(customer, "contact", "ann", "called", (on + dt.timedelta(3)).isoformat())
    contacts.record(found, product.name, step, product.customers.collections, AT)
    record_outcome(found, "d-1", False, on + dt.timedelta(400), AT)
    return found


@pytest.fixture(scope="module")
def file(scorer: Scorer, book_source: Source, ledger: Ledger, customer: str, day: int) -> dict[str, Any]:
    return credit_file(scorer, book_source, ledger, customer, day)


def test_the_score_is_that_of_the_book(file: dict[str, Any], reviewed_at, customer: str) -> None:
    book: Reviewed = reviewed_at(MONTH)
    row = book.customer_id.tolist().index(customer)
    assert file["score"]["default_probability"] == book.default_probability[row]
    assert file["trend"]["default_probability"][-1] == book.default_probability[row]
    assert len(file["trend"]["days"]) == 12


def test_every_figure_comes_from_the_rows_it_names_and_no_other(
    file: dict[str, Any], scorer: Scorer, book_source: Source, customer: str, day: int
) -> None:
    tables = load.load(book_source, scorer.product, customers=Range(customer, customer + "\0"), outcomes=False).tables
    orders = {name: newest_first(table, name, scorer.product, day) for name, table in tables.items()}
    ids, days = np.array([customer], object), np.array([day], np.int32)
    program, nothing = scorer.bundle.program, {name: take(table, np.empty(0, int)) for name, table in tables.items()}
    told = {one["name"]: one for group in file["groups"] for one in group["features"]}
    assert set(told) == set(program.names)
    for place, name in enumerate(program.names):
        assert told[name]["sources"], name
        kept = {one["table"]: take(tables[one["table"]], _at(orders, one)) for one in told[name]["sources"]}
        value = matrix.build(program, {**nothing, **kept}, ids, days)[0, place]
        expected = np.nan if told[name]["value"] is None else told[name]["value"]
        np.testing.assert_equal(value, expected, err_msg=name)


def _at(orders: dict[str, np.ndarray], source: dict[str, Any]) -> np.ndarray:
    return np.sort(orders[source["table"]][np.array(source["rows"], int) - 1])


def test_the_report_orders_what_the_file_says(file: dict[str, Any], tmp_path: Path) -> None:
    report = credit_report(file)
    figures = [one for section in report["sections"] for one in section["figures"]]
    assert figures
    assert all(one["refs"] for one in figures)
    for section in report["sections"]:
        weights = [abs(one["points"]) for one in section["figures"]]
        assert weights == sorted(weights, reverse=True)
    total = sum(section["points"] for section in report["sections"])
    assert total == pytest.approx(sum(one["points"] for group in file["groups"] for one in group["features"]))
    assert report["standing"]["review"] == iso(to_day(dt.date(2023, 10, 31)))
    assert report["advice"]["told"]
    page = pages.write(tmp_path / "report.html", "credit_report.html", report).read_text(encoding="utf-8")
    assert re.findall(r"(?:src|href)=", page) == []
    assert page.rstrip().endswith("</html>")


@pytest.mark.parametrize(("rows", "told"), [([], ""), ([4], "4"), ([1, 2, 3, 7, 9, 10], "1-3, 7, 9-10")])
def test_rows_are_told_as_ranges(rows: list[int], told: str) -> None:
    assert ranges(rows) == told


def test_no_fact_is_newer_than_the_day(file: dict[str, Any], day: int) -> None:
    rows = file["facts"]["statements"]
    assert rows
    assert all(row["month"] <= iso(day) and row["known_time"] <= iso(day) for row in rows)
    assert [row["month"] for row in rows] == sorted((row["month"] for row in rows), reverse=True)


def test_an_invoice_paid_later_was_open_on_the_day(shipped) -> None:
    frame = pd.DataFrame(
        {
            "customer_id": ["a"],
            "invoice_id": ["1"],
            "issued": pd.to_datetime(["2024-01-01"]),
            "due": pd.to_datetime(["2024-05-01"]),
            "paid": pd.to_datetime(["2024-04-01"]),
            "amount": [1.0],
        }
    )
    product = shipped("trade_credit")
    table = load.check_tables({"invoices": frame}, product, "test")["invoices"]

    def rows_at(then: int) -> list[dict[str, Any]]:
        return known_facts(table, "invoices", product, then, newest_first(table, "invoices", product, then))

    (row,) = rows_at(to_day(dt.date(2024, 3, 1)))
    assert (row["paid"], row["due"]) == (None, "2024-05-01")
    (row,) = rows_at(to_day(dt.date(2024, 4, 1)))
    assert row["paid"] == "2024-04-01"


def test_what_is_on_record_stands_in_time_order_up_to_the_day(
    file: dict[str, Any], scorer: Scorer, book_source: Source, ledger: Ledger, customer: str, day: int
) -> None:
    kinds = [one["kind"] for one in file["events"]]
    assert sorted(kinds[:3]) == ["decision", "review", "warning"]
    assert kinds[3:] == ["collection"]
    later = credit_file(scorer, book_source, ledger, customer, day + 400)
    assert later["events"][-1]["told"] == "no default"


def test_the_file_of_another_customer_tells_nothing_of_this_one(
    scorer: Scorer, book_source: Source, ledger: Ledger, reviewed_at, day: int
) -> None:
    other = str(reviewed_at(9).customer_id[1])
    found = credit_file(scorer, book_source, ledger, other, day)
    assert [one["kind"] for one in found["events"]] == ["review"]
    assert "d-1" not in str(found)


def test_the_bound_of_the_limit_is_the_smallest(file: dict[str, Any]) -> None:
    amounts = {one["name"]: one["amount"] for one in file["limit_logic"] if one["amount"] is not None}
    binds = [one["name"] for one in file["limit_logic"] if one["binds"]]
    if file["score"]["limit"] > 0:
        assert binds == [min(amounts, key=amounts.__getitem__)]
        assert file["score"]["limit"] == min(amounts.values()) // 1


def test_how_complete_and_how_old_the_file_is(file: dict[str, Any], scorer: Scorer) -> None:
    assert sum(group["of"] for group in file["groups"]) == len(scorer.bundle.program.names)
    assert all(0 <= group["known"] <= group["of"] for group in file["groups"])
    ages = {one["name"]: one["age_days"] for one in file["tables"]}
    assert ages["statements"] == 0


def test_peers_below_are_counted_in_the_reference(file: dict[str, Any], scorer: Scorer) -> None:
    one = next(one for group in file["groups"] for one in group["features"] if one["value"] is not None)
    peers = scorer.bundle.reference()[one["name"]].dropna()
    below = (peers < one["value"]).mean() + (peers == one["value"]).mean() / 2
    assert one["peers_below"] == pytest.approx(below)


def test_nobody_has_no_file(scorer: Scorer, book_source: Source, ledger: Ledger, customer: str, day: int) -> None:
    for who, when in (("nobody", day), (customer, 0)):
        with pytest.raises(InputError, match=f"nothing was known of customer '{who}'"):
            credit_file(scorer, book_source, ledger, who, when)


def test_the_page_is_whole_and_escapes_what_it_is_told(file: dict[str, Any], tmp_path: Path) -> None:
    wicked = {**file, "customer_id": "<script>alert(1)</script>"}
    page = pages.write(tmp_path / "file.html", "credit_file.html", wicked).read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    assert "<script>" not in page
    assert "src=" not in page
