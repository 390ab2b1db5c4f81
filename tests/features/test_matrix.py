"""The matrix: one request gives the bulk row, the future changes nothing, missing is not zero."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import catalogue, matrix
from features.catalogue import Program, compile_program
from features.contracts import to_day

PRODUCTS = ("trade_credit", "consumer_platform", "bank_lending", "uci_default")
History = dict[str, list[dict[str, Any]]]

for_any_history = settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
over_products = pytest.mark.parametrize("name", PRODUCTS)
over_reaches = pytest.mark.parametrize("name", ["trade_credit", "uci_default"])  # between them, every stream


@pytest.fixture(scope="session")
def rows_of(program_of, tables_of, asked) -> Callable[..., bytes]:
    """The bytes of the bulk matrix of a history."""

    def rows(name: str, history: History, pairs: list[tuple[str, dt.date]]) -> bytes:
        return matrix.build(program_of(name), tables_of(name, history), *asked(*pairs)).tobytes()

    return rows


@pytest.fixture(scope="session")
def value_of(tables_of, asked) -> Callable[..., float]:
    """One feature of customer `a` at a day, from hand-written trade credit rows."""
    declared = {item.name: item for item in catalogue.DECLARED}

    def value(feature: str, as_of: str, **history: list[dict[str, Any]]) -> float:
        program = compile_program((declared[feature],))
        moment = dt.date.fromisoformat(as_of)
        return float(matrix.build(program, tables_of("trade_credit", history), *asked(("a", moment)))[0, 0])

    return value


def event_of(table: str) -> str:
    events = {"customers": "since", "statements": "month", "financials": "period_end", "invoices": "issued"}
    return events.get(table, "date")


def seen_at(history: History, as_of: dt.date) -> History:
    """What had happened and was known: the rest is cut off, a payment to come is no payment yet."""
    cut: History = {}
    for table, rows in history.items():
        there = [row for row in rows if max(row[event_of(table)], row["known_time"] or dt.date.min) <= as_of]
        cut[table] = [{**row, "paid": None} if row.get("paid") and row["paid"] > as_of else row for row in there]
    return cut


def statement(month: str, **values: Any) -> dict[str, Any]:
    plain = {
        "balance": 50.0,
        "credit_limit": 100.0,
        "amount_due": 10.0,
        "amount_paid": 10.0,
        "days_past_due": 0.0,
    }
    return {"customer_id": "a", "account_id": "x", "month": month, **plain, **values}


def invoice(number: str, issued: str, due: str, paid: str | None, amount: float, **more: Any) -> dict[str, Any]:
    dates = {"issued": issued, "due": due, "paid": paid}
    return {"customer_id": "a", "invoice_id": number, **dates, "amount": amount, **more}


def report(period_end: str, **values: Any) -> dict[str, Any]:
    names = ("revenue", "net_income", "current_assets", "total_assets", "current_liabilities")
    plain = dict.fromkeys((*names, "total_liabilities", "equity"), 100.0)
    return {"customer_id": "a", "period_end": period_end, **plain, **values}


@over_products
@given(data=st.data())
@for_any_history
def test_one_request_gives_the_same_row_as_the_bulk_build(
    name: str, data: st.DataObject, histories, questions, tables_of, request_of, asked, program_of
) -> None:
    history, pairs = data.draw(histories(name)), data.draw(questions)
    program: Program = program_of(name)
    bulk = matrix.build(program, tables_of(name, history), *asked(*pairs))
    for row, (customer, as_of) in enumerate(pairs):
        own = request_of(name, history, customer, as_of)
        one = matrix.build(program, own, *asked((customer, as_of)))
        assert one.tobytes() == bulk[row].tobytes()


@over_reaches
@given(data=st.data())
@for_any_history
def test_what_had_not_happened_or_was_not_known_changes_nothing(
    name: str, data: st.DataObject, histories, questions, rows_of
) -> None:
    history, (pair, *_) = data.draw(histories(name)), data.draw(questions)
    assert rows_of(name, history, [pair]) == rows_of(name, seen_at(history, pair[1]), [pair])


@over_reaches
@given(data=st.data())
@for_any_history
def test_the_order_of_the_raw_rows_changes_nothing(
    name: str, data: st.DataObject, histories, questions, rows_of
) -> None:
    history, pairs = data.draw(histories(name)), data.draw(questions)
    shuffled = {t: random.Random(1).sample(rows, len(rows)) for t, rows in history.items()}
    assert rows_of(name, shuffled, pairs) == rows_of(name, history, pairs)


@over_reaches
@given(data=st.data())
@for_any_history
def test_other_customers_rows_change_nothing(name: str, data: st.DataObject, histories, questions, rows_of) -> None:
    history, (pair, *_) = data.draw(histories(name)), data.draw(questions)
    own = {t: [row for row in rows if row["customer_id"] == pair[0]] for t, rows in history.items()}
    assert rows_of(name, own, [pair]) == rows_of(name, history, [pair])


@over_reaches
@given(data=st.data())
@for_any_history
def test_nothing_in_the_matrix_is_infinite(
    name: str, data: st.DataObject, histories, questions, tables_of, asked, program_of
) -> None:
    history, pairs = data.draw(histories(name)), data.draw(questions)
    assert not np.isinf(matrix.build(program_of(name), tables_of(name, history), *asked(*pairs))).any()


@over_reaches
@given(data=st.data())
@for_any_history
def test_the_customers_asked_in_another_order_get_the_same_rows(
    name: str, data: st.DataObject, histories, questions, tables_of, asked, program_of
) -> None:
    history, pairs = data.draw(histories(name)), data.draw(questions)
    tables = tables_of(name, history)
    forth = matrix.build(program_of(name), tables, *asked(*pairs))
    back = matrix.build(program_of(name), tables, *asked(*pairs[::-1]))
    assert back[::-1].tobytes() == forth.tobytes()


def test_blocks_of_rows_give_what_one_block_gives(
    monkeypatch: pytest.MonkeyPatch, program_of, tables_of, asked
) -> None:
    tables = tables_of("trade_credit", {"statements": [statement("2023-01-31"), statement("2023-02-28")]})
    pairs = [("a", dt.date(2023, 1, 31) + dt.timedelta(day)) for day in range(40)]
    whole = matrix.build(program_of("trade_credit"), tables, *asked(*pairs))
    monkeypatch.setattr(matrix, "_BLOCK", 7)
    assert matrix.build(program_of("trade_credit"), tables, *asked(*pairs)).tobytes() == whole.tobytes()


def test_nobody_asked_gives_no_rows(program_of, tables_of, asked) -> None:
    tables = tables_of("trade_credit", {"statements": [statement("2023-01-31")]})
    program = program_of("trade_credit")
    assert matrix.build(program, tables, *asked()).shape == (0, len(program.features))


@over_products
def test_absent_tables_give_missing_never_zero(name: str, program_of, asked) -> None:
    assert np.isnan(matrix.build(program_of(name), {}, *asked(("a", dt.date(2024, 1, 31))))).all()


@over_products
def test_a_customer_without_rows_is_missing_throughout(name: str, program_of, tables_of, asked) -> None:
    history = {"statements": [statement("2023-01-31")]}
    row = matrix.build(program_of(name), tables_of(name, history), *asked(("b", dt.date(2024, 1, 31))))
    assert np.isnan(row).all()


@over_products
def test_missing_is_one_bit_pattern(name: str, program_of, tables_of, asked) -> None:
    history = {"statements": [statement("2023-01-31", credit_limit=0.0, amount_due=0.0)]}
    row = matrix.build(program_of(name), tables_of(name, history), *asked(("a", dt.date(2023, 2, 1))))
    assert {value.tobytes() for value in row[np.isnan(row)]} == {np.float64(np.nan).tobytes()}


def test_a_fact_of_the_day_asked_counts(value_of) -> None:
    assert value_of("balance_last", "2023-01-31", statements=[statement("2023-01-31")]) == 50.0


def test_a_fact_of_the_next_day_does_not(value_of) -> None:
    assert np.isnan(value_of("balance_last", "2023-01-30", statements=[statement("2023-01-31")]))


def test_a_fact_counts_from_the_day_it_is_known(value_of) -> None:
    rows = [statement("2023-01-31", known_time="2023-02-10")]
    assert np.isnan(value_of("balance_last", "2023-02-09", statements=rows))
    assert value_of("balance_last", "2023-02-10", statements=rows) == 50.0


def test_a_restated_statement_takes_effect_from_the_day_it_is_known(value_of) -> None:
    rows = [statement("2023-01-31"), statement("2023-01-31", balance=80.0, known_time="2023-03-05")]
    days = ("2023-03-04", "2023-03-05")
    assert [value_of("balance_last", day, statements=rows) for day in days] == [50.0, 80.0]


def test_a_restated_statement_is_counted_once(value_of) -> None:
    rows = [statement("2023-01-31"), statement("2023-01-31", balance=80.0, known_time="2023-03-05")]
    assert value_of("balance_mean_6m", "2023-03-31", statements=rows) == 80.0


def test_a_restated_report_takes_effect_from_the_day_it_is_known(value_of) -> None:
    rows = [
        report("2022-12-31", known_time="2023-04-30", revenue=100.0),
        report("2022-12-31", known_time="2023-09-30", revenue=90.0),
    ]
    days = ("2023-04-30", "2023-09-29", "2023-09-30")
    assert [value_of("revenue_last", day, financials=rows) for day in days] == [100.0, 100.0, 90.0]


def test_a_report_is_not_known_at_the_end_of_its_period(value_of) -> None:
    rows = [report("2022-12-31", known_time="2023-04-30")]
    assert np.isnan(value_of("revenue_last", "2023-04-29", financials=rows))


def test_growth_compares_the_last_two_periods_not_two_versions_of_one(value_of) -> None:
    rows = [
        report("2021-12-31", known_time="2022-04-30", revenue=50.0),
        report("2022-12-31", known_time="2023-04-30", revenue=100.0),
        report("2022-12-31", known_time="2023-09-30", revenue=75.0),
    ]
    assert value_of("revenue_growth", "2023-12-31", financials=rows) == 0.5


def test_an_invoice_restated_as_paid_is_counted_once(value_of) -> None:
    rows = [
        invoice("1", "2023-01-10", "2023-02-09", None, 100.0),
        invoice("1", "2023-01-10", "2023-02-09", "2023-02-20", 100.0, known_time="2023-02-21"),
    ]
    assert value_of("invoices_12m", "2023-03-31", invoices=rows) == 1.0
    days = ("2023-02-20", "2023-02-21")
    assert [value_of("overdue_amount", day, invoices=rows) for day in days] == [100.0, 0.0]


@pytest.mark.parametrize("turned", [False, True])
def test_an_invoice_restated_before_it_falls_due_is_not_overdue_twice(value_of, turned: bool) -> None:
    rows = [
        invoice("1", "2023-01-10", "2023-02-09", None, 100.0),
        invoice("1", "2023-01-10", "2023-02-09", None, 60.0, known_time="2023-01-20"),
    ]
    rows = rows[::-1] if turned else rows
    assert value_of("overdue_amount", "2023-03-31", invoices=rows) == 60.0


def test_an_invoice_is_overdue_from_the_day_after_its_due_date(value_of) -> None:
    rows = [invoice("1", "2023-01-10", "2023-02-09", None, 100.0)]
    assert np.isnan(value_of("overdue_amount", "2023-02-09", invoices=rows))
    assert value_of("overdue_amount", "2023-02-10", invoices=rows) == 100.0


def test_an_invoice_paid_today_is_no_longer_overdue(value_of) -> None:
    rows = [invoice("1", "2023-01-10", "2023-02-09", "2023-03-01", 100.0)]
    days = ("2023-02-28", "2023-03-01")
    assert [value_of("overdue_amount", day, invoices=rows) for day in days] == [100.0, 0.0]


def test_the_oldest_overdue_invoice_is_as_old_as_its_due_date(value_of) -> None:
    rows = [invoice("1", "2023-01-10", "2023-02-09", None, 100.0)]
    assert value_of("oldest_overdue_days", "2023-02-20", invoices=rows) == 11.0


def test_a_late_payment_is_known_when_it_comes(value_of) -> None:
    rows = [invoice("1", "2023-01-10", "2023-02-09", "2023-02-19", 100.0)]
    assert np.isnan(value_of("days_beyond_terms_mean_6m", "2023-02-18", invoices=rows))
    assert value_of("days_beyond_terms_mean_6m", "2023-02-19", invoices=rows) == 10.0


def test_the_date_of_a_payment_to_come_does_not_move_the_order_of_a_sum(value_of) -> None:
    # 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in the last bit.
    def rows(*paid: str | None) -> list[dict[str, Any]]:
        amounts = zip(("1", "2", "3"), paid, (0.1, 0.2, 0.3), strict=True)
        return [invoice(n, "2023-01-10", "2023-02-09", on, amount) for n, on, amount in amounts]

    open_now = value_of("overdue_amount", "2023-02-28", invoices=rows(None, None, None))
    forth = value_of("overdue_amount", "2023-02-28", invoices=rows("2023-03-01", "2023-03-02", "2023-03-03"))
    back = value_of("overdue_amount", "2023-02-28", invoices=rows("2023-03-03", "2023-03-02", "2023-03-01"))
    assert forth == back == open_now


def test_a_ratio_over_zero_is_missing(value_of) -> None:
    assert np.isnan(value_of("utilisation_last", "2023-02-01", statements=[statement("2023-01-31", credit_limit=0.0)]))


def test_a_ratio_over_a_negative_number_is_missing(value_of) -> None:
    rows = [report("2022-12-31", interest=-5.0, ebit=10.0)]
    assert np.isnan(value_of("interest_cover", "2023-02-01", financials=rows))


def test_a_ratio_too_large_for_a_number_is_missing(value_of) -> None:
    rows = [statement("2023-01-31", balance=1e300, credit_limit=1e-300)]
    assert np.isnan(value_of("utilisation_last", "2023-02-01", statements=rows))


def test_no_fact_in_the_window_counts_zero_where_there_was_one_before(value_of) -> None:
    rows = [invoice("1", "2021-01-10", "2021-02-09", "2021-02-01", 100.0)]
    assert value_of("invoices_12m", "2023-01-31", invoices=rows) == 0.0


def test_a_mean_over_an_empty_window_is_missing(value_of) -> None:
    assert np.isnan(value_of("balance_mean_6m", "2023-01-31", statements=[statement("2021-01-31")]))


def test_two_accounts_give_the_ratio_of_their_sums(value_of) -> None:
    rows = [statement("2023-01-31", balance=10.0, credit_limit=100.0)]
    rows += [statement("2023-01-31", account_id="y", balance=90.0, credit_limit=300.0)]
    assert value_of("utilisation_last", "2023-01-31", statements=rows) == 0.25


def test_two_accounts_are_as_late_as_the_later(value_of) -> None:
    rows = [
        statement("2023-01-31", days_past_due=30.0),
        statement("2023-01-31", account_id="y", days_past_due=60.0),
    ]
    assert value_of("days_past_due_last", "2023-01-31", statements=rows) == 60.0


def test_six_months_hold_six_month_ends(value_of) -> None:
    ends = ("2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31", "2023-06-30", "2023-07-31")
    rows = [statement(end, days_past_due=1.0) for end in ends]
    assert value_of("months_late_6m", "2023-07-31", statements=rows) == 6.0


@pytest.mark.parametrize(
    ("as_of", "months", "last_day_before"),
    [
        ("2023-06-30", 3, "2023-03-31"),  # a month end goes back to a month end
        ("2023-03-31", 1, "2023-02-28"),
        ("2024-03-31", 1, "2024-02-29"),  # of a leap year
        ("2024-02-29", 12, "2023-02-28"),
        ("2023-02-28", -12, "2024-02-29"),  # forward too
        ("2024-02-28", 12, "2023-02-28"),  # no month end in a leap year: the same day
        ("2023-02-28", 12, "2022-02-28"),
        ("2025-02-28", 12, "2024-02-29"),
        ("2023-06-15", 3, "2023-03-15"),  # mid-month: the same day
        ("2023-03-30", 1, "2023-02-28"),  # which February does not have
        ("2024-03-30", 1, "2024-02-29"),
        ("2023-01-01", 1, "2022-12-01"),
        ("2023-12-31", 6, "2023-06-30"),
        ("2023-01-31", 36, "2020-01-31"),
        ("1970-01-01", 1, "1969-12-01"),
    ],
)
def test_a_window_begins_after_the_day_worked_by_hand(as_of: str, months: int, last_day_before: str) -> None:
    day = np.array([to_day(dt.date.fromisoformat(as_of))], np.int32)
    found = matrix.window_starts(day, (months,))
    assert found.tolist() == [[to_day(dt.date.fromisoformat(last_day_before))]]


def test_a_window_of_no_months_is_all_the_past() -> None:
    assert matrix.window_starts(np.array([0], np.int32), (0,)).tolist() == [[-(2**31)]]


@given(first=st.integers(-20_000, 40_000), later=st.integers(0, 800), months=st.integers(1, 60))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_later_day_never_has_an_earlier_window(first: int, later: int, months: int) -> None:
    starts = matrix.window_starts(np.array([first, first + later], np.int32), (months,))[0]
    assert starts[0] <= starts[1]
