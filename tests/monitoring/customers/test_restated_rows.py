"""A row that was restated counts once, in its newest version known by the day, wherever customers' rows are counted."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from configs.customers import CollectionRules, Indicator
from configs.settings import Product
from features import load
from features.catalogue import product_features
from features.contracts import Columns, to_day
from features.history import replaced_in
from monitoring.customers import kpi, overdue
from monitoring.customers.contacts import Step, promises
from monitoring.customers.credit_file import known_facts, newest_first
from monitoring.customers.credit_report import _findings, _payment
from monitoring.customers.indicators import _counted
from monitoring.customers.trace import sources

DAY = to_day(dt.date(2024, 3, 31))


@pytest.fixture
def product(shipped) -> Product:
    return shipped("trade_credit")


@pytest.fixture
def invoices(product: Product) -> Columns:
    """Invoice 1 as it was issued, as it was paid, and as its amount was put right; invoice 2 as it was issued."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a"] * 4,
            "invoice_id": ["1", "1", "1", "2"],
            "issued": pd.to_datetime(["2024-01-10"] * 3 + ["2024-03-01"]),
            "known_time": pd.to_datetime(["2024-01-10", "2024-02-20", "2024-02-25", "2024-03-01"]),
            "due": pd.to_datetime(["2024-02-09"] * 3 + ["2024-03-20"]),
            "paid": pd.to_datetime([None, "2024-02-20", "2024-02-20", None]),
            "amount": [100.0, 100.0, 90.0, 50.0],
        }
    )
    return load.check_tables({"invoices": frame}, product, "test")["invoices"]


@pytest.fixture
def investigations(product: Product) -> Columns:
    """One court case as it was first told, and as its severity was put right later."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a"],
            "date": pd.to_datetime(["2024-03-01"] * 2),
            "known_time": pd.to_datetime(["2024-03-01", "2024-03-20"]),
            "source": ["s", "s"],
            "type": ["court", "court"],
            "severity": [1.0, 4.0],
        }
    )
    return load.check_tables({"investigations": frame}, product, "test")["investigations"]


def test_a_version_holds_until_the_next_is_known(invoices: Columns, investigations: Columns) -> None:
    days = [to_day(dt.date(2024, 2, day)) for day in (20, 25)]
    assert replaced_in("invoices", invoices)[:2].tolist() == days
    assert (replaced_in("invoices", invoices)[2:] > DAY).all()
    assert (replaced_in("investigations", investigations) > DAY).tolist() == [False, True]


def test_what_was_invoiced_is_counted_once_in_dso(invoices: Columns) -> None:
    found = {one.name: one.values for one in kpi.of_tables({"invoices": invoices}, [DAY])}
    assert found["owed"] == [50.0]
    assert found["DSO"] == [pytest.approx(90 * 50.0 / 140.0)]


def test_a_paid_invoice_is_not_late_in_its_vintage_because_it_was_open_once(invoices: Columns) -> None:
    later = to_day(dt.date(2024, 5, 31))
    rows = {row["month"]: row for row in overdue.vintages(invoices, later, CollectionRules())}
    assert rows["2024-01"]["amount"] == 90.0
    assert rows["2024-01"]["late"] == [0.0] * 4


def test_a_payment_that_was_told_twice_keeps_a_promise_once(invoices: Columns) -> None:
    made = Step(customer_id="a", what="promise", by="ann", note="said", on="2024-02-15", amount=120.0, due="2024-02-28")
    (found,) = promises([made], {"invoices": invoices}, DAY)
    assert (found.paid, found.state) == (90.0, "broken")


def test_the_report_shows_what_is_open_now(invoices: Columns, product: Product) -> None:
    rows = known_facts(invoices, "invoices", product, DAY, newest_first(invoices, "invoices", product, DAY))
    found = _payment(rows, "2024-03-31")
    assert found is not None
    assert (found["invoices"], found["open"], found["overdue"]) == (2, 50.0, 50.0)
    assert [rows[int(found["open_refs"]) - 1]["invoice_id"]] == ["2"]


def test_a_court_case_that_was_put_right_is_one_case(investigations: Columns, product: Product) -> None:
    said = {"level": "high", "action": "Call", "owner": "clerk", "due_days": 3}
    sign = Indicator(
        name="courts", fact="investigations.type", says="court", window_months=6, operator=">=", bound=2.0, **said
    )
    tables, asked = {"investigations": investigations}, np.array(["a", "a"], object)
    days = np.array([to_day(dt.date(2024, 3, 10)), DAY], np.int32)
    assert _counted(sign, tables, asked, days).tolist() == [1.0, 1.0]
    order = newest_first(investigations, "investigations", product, DAY)
    (row,) = _findings(known_facts(investigations, "investigations", product, DAY, order))
    assert (row["severity"], row["row"]) == (4.0, 1)


def test_a_figure_rests_on_the_version_in_force(invoices: Columns, shipped) -> None:
    feature = next(one for one in product_features(shipped("trade_credit"), {}) if one.name == "invoices_12m")
    numbers = {"invoices": np.arange(1, 5)}
    told = sources(feature, {"invoices": invoices}, numbers, DAY)
    assert [one["rows"] for one in told] == [[3, 4]]
