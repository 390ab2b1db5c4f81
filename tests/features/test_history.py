"""The single door to the past: order, restatement, and what each stream makes of a row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import history
from features.check import take
from features.contracts import JUDGING, NEVER, TABLES, Columns, Text
from features.history import STREAMS


def text(*values: str) -> Text:
    return Text.of(values)


def days(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def invoices(issued: list[int], due: list[int], paid: list[int], amount: list[float]) -> Columns:
    return {
        "customer_id": text(*["a"] * len(issued)),
        "invoice_id": text(*(str(i) for i in range(len(issued)))),
        "issued": days(*issued),
        "due": days(*due),
        "paid": days(*paid),
        "amount": np.array(amount),
        "disputed": np.zeros(len(issued)),
        "known_time": days(*issued),
    }


def built(stream: str, column: str, table: Columns, *customers: str) -> history.Facts:
    codes = history.customer_codes(np.array(customers, object), table["customer_id"])
    replaced = history.replaced_on(table, STREAMS[stream].restates, codes)
    return history.build(STREAMS[stream], (column,), table, codes, len(customers), replaced)


@pytest.mark.parametrize("customers", [("a",), ("a", "b")])
def test_an_id_that_was_not_asked_for_has_no_position(customers: tuple[str, ...]) -> None:
    assert history.customer_codes(np.array(customers, object), text("a", "z")).tolist() == [0, -1]


def test_facts_are_sorted_by_customer_and_day_and_those_of_others_stand_before_the_first_bound() -> None:
    table = invoices([30, 10, 20, 5], [40, 20, 30, 9], [NEVER] * 4, [3.0, 1.0, 2.0, 9.0])
    table["customer_id"] = text("b", "a", "b", "z")
    facts = built("invoices", "amount", table, "a", "b")
    assert facts.values.tolist() == [[9.0, 1.0, 2.0, 3.0]]
    assert facts.bounds.tolist() == [1, 2, 4]


def test_a_request_is_about_its_customer_whatever_stands_first() -> None:
    assert history.customer_codes(np.array(["a"], object), text("", "a")).tolist() == [-1, 0]


def test_facts_that_stand_in_order_are_not_moved() -> None:
    table = invoices([10, 20, 5], [40, 40, 40], [NEVER] * 3, [1.0, 2.0, 3.0])
    table["customer_id"] = text("a", "a", "b")
    facts = built("invoices", "amount", table, "a", "b")
    assert (facts.values.tolist(), facts.bounds.tolist()) == ([[1.0, 2.0, 3.0]], [0, 2, 3])


def test_an_invoice_is_open_from_its_issue_until_it_is_paid() -> None:
    facts = built("open_invoices", "amount", invoices([10], [40], [50], [1.0]), "a")
    assert (facts.event.tolist(), facts.gone.tolist()) == ([10], [50])


def test_an_invoice_is_overdue_from_the_day_after_it_falls_due() -> None:
    assert built("overdue_invoices", "amount", invoices([10], [40], [50], [1.0]), "a").event.tolist() == [41]


def test_a_payment_happens_and_is_known_when_it_is_made() -> None:
    facts = built("paid_invoices", "days_beyond_terms", invoices([10], [40], [50], [1.0]), "a")
    assert (facts.event.tolist(), facts.known.tolist(), facts.values.tolist()) == ([50], [50], [[10.0]])


def test_a_payment_on_the_due_date_is_not_late() -> None:
    table = invoices([1, 2], [40, 40], [40, 41], [5.0, 7.0])
    assert built("paid_invoices", "late_amount", table, "a").values.tolist() == [[0.0, 7.0]]


def test_a_row_is_replaced_on_the_day_the_next_version_is_known() -> None:
    table = {"known_time": days(30, 10, 20), "month": days(5, 5, 5)}
    replaced = history.replaced_on(table, ("month",), np.zeros(3, np.int64))
    assert replaced.tolist() == [NEVER, 20, 30]


def test_versions_of_different_customers_do_not_replace_each_other() -> None:
    table = {"known_time": days(10, 20), "month": days(5, 5)}
    assert history.replaced_on(table, ("month",), np.array([0, 1])).tolist() == [NEVER, NEVER]


def test_versions_of_different_keys_do_not_replace_each_other() -> None:
    table = {"known_time": days(10, 20), "month": days(5, 5), "account_id": text("x", "y")}
    assert history.replaced_on(table, ("account_id", "month"), np.zeros(2, np.int64)).tolist() == [
        NEVER,
        NEVER,
    ]


def test_nothing_to_restate_replaces_nothing() -> None:
    assert history.replaced_on({"known_time": days(10, 20)}, (), np.zeros(2, np.int64)).tolist() == [
        NEVER,
        NEVER,
    ]


def test_no_rows_are_no_facts() -> None:
    facts = built("invoices", "amount", invoices([], [], [], []), "a")
    assert (len(facts.event), facts.bounds.tolist()) == (0, [0, 0])


def test_facts_that_tie_are_ordered_by_what_they_say_not_by_when_they_end() -> None:
    forth = built("open_invoices", "amount", invoices([10, 10], [40, 40], [50, 60], [2.0, 1.0]), "a")
    back = built("open_invoices", "amount", invoices([10, 10], [40, 40], [60, 50], [2.0, 1.0]), "a")
    assert forth.values.tolist() == back.values.tolist() == [[1.0, 2.0]]


@given(order=st.permutations(range(6)))
def test_any_order_of_the_rows_gives_the_same_facts(order: list[int]) -> None:
    table = invoices([10, 10, 10, 5, 5, 7], [40] * 6, [50, 60, NEVER, 50, 50, 9], [1.0, 1.0, 0.5, 2.0, 2.0, 3.0])
    turned = take(table, np.array(order))
    for found, expected in zip(_arrays(turned), _arrays(table), strict=True):
        np.testing.assert_array_equal(found, expected)


def _arrays(table: Columns) -> list[np.ndarray]:
    facts = built("open_invoices", "amount", table, "a")
    return [facts.event, facts.known, facts.gone, facts.values, facts.bounds]


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_restates_by_the_key_of_its_table(name: str) -> None:
    # What the contract lets stand twice (known at two times) must not count twice.
    stream = STREAMS[name]
    assert set(stream.restates) - {"customer_id"} == set(TABLES[stream.table].key)


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_every_fold_of_a_stream_is_one_the_kernel_knows(name: str) -> None:
    from features.kernel import FOLDS

    assert {STREAMS[name].fold_of(column) for column in STREAMS[name].columns} <= set(FOLDS)


def findings(kinds: list[str], severity: list[float], amount: list[float]) -> Columns:
    n = len(kinds)
    return {
        "customer_id": text(*["a"] * n),
        "date": days(*range(n)),
        "source": text(*["agency"] * n),
        "type": text(*kinds),
        "severity": np.array(severity),
        "amount": np.array(amount),
        "known_time": days(*range(n)),
    }


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("rows", [1.0, 1.0, 1.0]),
        ("court", [1.0, 0.0, 1.0]),
        ("court_severity", [2.0, np.nan, np.nan]),
        ("court_amount", [10.0, 0.0, np.nan]),
        ("tax_amount", [0.0, 30.0, 0.0]),
        ("severe", [0.0, 1.0, np.nan]),
    ],
)
def test_a_finding_counts_for_its_own_type(column: str, values: list[float]) -> None:
    table = findings(["court", "tax", "court"], [2.0, 3.0, np.nan], [10.0, 30.0, np.nan])
    np.testing.assert_equal(built("investigations", column, table, "a").values[0], values)


def test_an_answer_is_about_its_own_item() -> None:
    table = {
        "customer_id": text("a", "a"),
        "date": days(1, 2),
        "item": text("staff", "planning"),
        "level": np.array([4.0, 2.0]),
        "known_time": days(1, 2),
    }
    np.testing.assert_equal(built("questionnaires", "staff", table, "a").values[0], [4.0, np.nan])


@pytest.mark.parametrize(
    ("balance", "limit", "flag"),
    [(90.0, 100.0, 0.0), (90.1, 100.0, 1.0), (1.0, 0.0, np.nan), (np.nan, 100.0, np.nan), (1.0, np.nan, np.nan)],
)
def test_a_limit_is_nearly_used_above_nine_tenths_of_it(balance: float, limit: float, flag: float) -> None:
    derive = STREAMS["statements"].columns["over_90_percent"]
    np.testing.assert_equal(derive({"balance": np.array([balance]), "credit_limit": np.array([limit])}), [flag])


@pytest.mark.parametrize(("net_income", "flag"), [(-0.5, 1.0), (0.0, 0.0), (5.0, 0.0), (np.nan, np.nan)])
def test_a_loss_is_a_net_income_below_zero(net_income: float, flag: float) -> None:
    np.testing.assert_equal(STREAMS["financials"].columns["loss"]({"net_income": np.array([net_income])}), [flag])


def test_the_types_and_items_of_the_streams_are_those_of_the_contract() -> None:
    assert TABLES["investigations"].columns["type"].one_of == history.INVESTIGATED
    assert TABLES["questionnaires"].columns["item"].one_of == history.ASSESSED


@pytest.mark.parametrize("name", JUDGING)
def test_no_stream_reads_a_table_that_only_judges(name: str) -> None:
    assert name not in {stream.table for stream in STREAMS.values()}
