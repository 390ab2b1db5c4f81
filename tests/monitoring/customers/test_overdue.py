"""Whom to call first, who is left alone, and what became of promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.customers import CollectionRules
from configs.errors import ConfigError, InputError, Refusal
from configs.settings import Product, parse
from features import load
from features.contracts import to_day
from features.simulate import Scenario, simulate
from monitoring.customers import contacts, overdue, pages
from monitoring.customers.ageing import Items
from monitoring.customers.contacts import Step, held, promises, record
from serving.ledger import Ledger

AT = "2025-01-01T00:00:00.000000+00:00"
RULES = CollectionRules()
DAY = to_day(dt.date(2024, 3, 31))


def step(what: str, on: str, customer: str = "a", **given: Any) -> Step:
    return Step(customer_id=customer, what=what, by="ann", note="said", on=on, **given)


@pytest.fixture(scope="module")
def product(shipped: Callable[[str], Product]) -> Product:
    return shipped("trade_credit")


def queue(product: Product, steps: list[Step], **pds: float) -> list[dict[str, Any]]:
    ids = np.array(["a", "a", "b", "c", "d"], object)
    amounts, days = np.array([1000.0, 500.0, 4000.0, 9000.0, 9000.0]), np.array([40, 0, 10, 40, 0])
    items = Items(ids, np.arange(5).astype(object), amounts, days, np.array([False, False, False, True, False]))
    return overdue.queue(items, steps, np.array([0.0, 0.1, 0.5, 0.8, 1.0]), pds, product, DAY)


def test_value_at_risk_ranks_and_disputed_or_current_money_is_not_called(product: Product) -> None:
    rows = queue(product, [])
    assert [row["customer_id"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["value_at_risk"] == pytest.approx(1000 * 0.5 * 0.45 - 25)
    assert rows[1]["value_at_risk"] == pytest.approx(4000 * 0.1 * 0.45 - 25)
    assert rows[2]["held"] == "all that is late is disputed"


def test_the_pd_counts_where_it_is_larger_than_the_roll(product: Product) -> None:
    rows = queue(product, [], a=0.3, b=0.05)
    assert rows[0]["value_at_risk"] == pytest.approx((1000 * 0.5 + 500 * 0.3) * 0.45 - 25)
    assert rows[1]["value_at_risk"] == pytest.approx(4000 * 0.1 * 0.45 - 25)


def test_who_has_promised_comes_after_those_to_call(product: Product) -> None:
    rows = queue(product, [step("promise", "2024-03-30", amount=10.0, due="2024-04-05")])
    assert [row["customer_id"] for row in rows] == ["b", "a", "c"]
    assert rows[1]["held"] == "promised to pay by 2024-04-05"


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([], None),
        ([step("contact", "2024-03-29")] * 2, None),
        ([step("contact", "2024-03-29")] * 3, "3 contacts in 7 days"),
        ([step("contact", "2024-03-24")] * 3, None),
        ([step("hold", "2024-03-01")], "on hold since 2024-03-01"),
        ([step("hold", "2024-03-01"), step("release", "2024-03-02")], None),
        ([step("promise", "2024-03-01", amount=1.0, due="2024-03-30")], None),
        ([step("hold", "2024-04-01")], None),
    ],
)
def test_why_a_customer_is_left_alone(steps: list[Step], told: str | None) -> None:
    found = held(steps, dt.date(2024, 3, 31), RULES)
    assert found is None if told is None else (found or "").startswith(told)


def test_a_contact_beyond_the_cap_is_refused(ledger: Ledger) -> None:
    for number in range(3):
        record(ledger, "p", Step("a", "contact", "ann", f"call {number}", "2024-03-31"), RULES, AT)
    with pytest.raises(Refusal, match="3 contacts in 7 days, 3 are allowed"):
        record(ledger, "p", Step("a", "contact", "bob", "call", "2024-03-31"), RULES, AT)
    assert record(ledger, "p", Step("b", "contact", "bob", "call", "2024-03-31"), RULES, AT).new


def test_the_same_step_again_gives_the_first_record(ledger: Ledger) -> None:
    first, again = (record(ledger, "p", step("hold", "2024-03-31"), RULES, AT) for _ in range(2))
    assert (first.new, again.new) == (True, False)
    assert contacts.steps_of(ledger, "p") == contacts.steps_of(ledger, "p", "a") == [step("hold", "2024-03-31")]


@pytest.mark.parametrize("given", [{}, {"amount": 0.0, "due": "2024-04-30"}, {"amount": 1.0, "due": "2024-01-01"}])
def test_a_promise_needs_an_amount_and_a_day(ledger: Ledger, given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="promise"):
        record(ledger, "p", step("promise", "2024-03-31", **given), RULES, AT)


def test_a_promise_is_kept_broken_or_open_by_what_was_paid(product: Product) -> None:
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a"],
            "invoice_id": ["1", "2"],
            "issued": pd.to_datetime(["2024-01-01"] * 2),
            "due": pd.to_datetime(["2024-01-31"] * 2),
            "paid": pd.to_datetime(["2024-03-10", "2024-04-10"]),
            "amount": [60.0, 50.0],
        }
    )
    tables = load.check_tables({"invoices": frame}, product, "test")
    made = [
        step("promise", "2024-03-01", amount=60.0, due="2024-03-15"),
        step("promise", "2024-03-01", amount=61.0, due="2024-03-15"),
        step("promise", "2024-03-01", amount=110.0, due="2024-04-15"),
        step("promise", "2024-03-01", customer="b", amount=1.0, due="2024-03-15"),
    ]
    assert [promise.state for promise in promises(made, tables, DAY)] == ["kept", "broken", "open", "broken"]
    assert promises(made, tables, DAY + 30)[2].state == "kept"


@pytest.fixture(scope="module")
def overview(product: Product) -> dict[str, Any]:
    portfolio = simulate(Scenario(150, 3, months=14, companies=True))
    tables = load.check_tables(portfolio.tables, product, "simulation")
    return overdue.overview(product, tables, [], {}, to_day(portfolio.month_ends[-1].date()))


def test_every_euro_of_a_book_is_in_one_bucket_of_every_month(overview: dict[str, Any]) -> None:
    assert sum(overview["amounts"][-1]) == pytest.approx(overview["owed"])
    assert sum(overview["amounts"][-1][1:]) == pytest.approx(overview["overdue"])
    assert len(overview["amounts"]) == len(overview["months"]) == 12


def test_the_queue_holds_all_that_is_overdue(overview: dict[str, Any]) -> None:
    late = sum(row["overdue"] + row["disputed"] for row in overview["queue"])
    assert late == pytest.approx(overview["overdue"])


def test_vintages_fall_with_payment_and_end_where_the_future_begins(overview: dict[str, Any]) -> None:
    assert overview["vintages"][-1]["late"] == [None] * 4
    whole = [one["late"] for one in overview["vintages"][:-4]]
    assert all(0 <= share <= 1 for late in whole for share in late)
    assert all(late[2] >= late[3] for late in whole)


def test_the_page_is_whole_and_needs_nothing_but_itself(overview: dict[str, Any], tmp_path: Path) -> None:
    page = pages.write(tmp_path / "collections.html", "collections.html", overview).read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    assert "src=" not in page
    assert "nan" not in page


def test_buckets_that_do_not_rise_are_refused(shipped: Callable[[str], Product]) -> None:
    values = {**shipped("trade_credit").model_dump(), "customers": {"collections": {"buckets": [0, 60, 30]}}}
    with pytest.raises(ConfigError, match="must begin with 0"):
        parse(Product, values, "p")
