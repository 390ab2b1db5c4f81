"""The check: every breach is told, at once, with table, column, row, what was expected and what came."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.check import check, check_frame
from features.contracts import NEVER, TABLES, Table, Text, iso, to_day

STATEMENTS = TABLES["statements"]
INVOICES = TABLES["invoices"]


def statements(**columns: list[Any]) -> pd.DataFrame:
    """Two good rows, with some columns put in their place."""
    good = {
        "customer_id": ["a", "b"],
        "account_id": ["x", "x"],
        "month": ["2023-01-31", "2023-01-31"],
        "balance": [1.0, 2.0],
        "credit_limit": [10.0, 10.0],
        "amount_due": [1.0, 1.0],
        "amount_paid": [1.0, 1.0],
        "days_past_due": [0.0, 0.0],
    }
    return pd.DataFrame({**good, **columns})


def refusal(frame: pd.DataFrame, table: Table = STATEMENTS) -> str:
    with pytest.raises(DataError) as caught:
        check_frame(table, frame, "here")
    return str(caught.value)


def test_a_good_table_passes() -> None:
    assert check_frame(STATEMENTS, statements(), "here")["balance"].tolist() == [1.0, 2.0]


def test_a_refusal_names_source_and_table_and_counts_the_problems() -> None:
    assert refusal(statements(balance=["x", "y"])).startswith("here (statements): 1 problem\n")


def test_a_missing_column_is_told_with_the_nearest_there_is() -> None:
    message = refusal(statements().rename(columns={"balance": "ballance"}))
    assert "column 'balance': missing; did you mean 'ballance'?" in message


def test_a_missing_column_like_no_other_is_told_with_those_there_are() -> None:
    message = refusal(statements()[["customer_id", "month"]].assign(zzz=1))
    assert "column 'days_past_due': missing; the table has: customer_id, month, zzz" in message


def test_a_misspelt_optional_column_is_no_absent_one() -> None:
    message = refusal(statements(known_tyme=["2023-02-01", None]))
    assert "column 'known_time': absent, and a column has nearly its name; did you mean 'known_tyme'?" in message


def test_a_column_that_stands_twice_is_told() -> None:
    frame = statements()
    twice = pd.concat([frame, frame[["balance"]]], axis=1)
    assert "column 'balance': the table has 2 of this name" in refusal(twice)


def test_text_among_numbers_is_told_with_its_row_and_value() -> None:
    assert "column 'balance', row 2: expected a number, got 'much'" in refusal(statements(balance=[1.0, "much"]))


def test_text_among_dates_is_told_with_its_row_and_value() -> None:
    message = refusal(statements(month=["2023-01-31", "31.01.2023"]))
    assert "column 'month', row 2: expected a date, got '31.01.2023'" in message


def test_a_day_that_does_not_exist_is_told() -> None:
    message = refusal(statements(month=["2023-02-30", "2023-01-31"]))
    assert "column 'month', row 1: expected a date, got '2023-02-30'" in message


@pytest.mark.parametrize("wrong", [[20230131, 20230131], [20230131, "2023-01-31"], [True, False], [1.5, None]])
def test_a_number_is_no_date(wrong: list[Any]) -> None:
    assert "column 'month', row 1: expected a date" in refusal(statements(month=wrong))


def test_a_missing_required_value_is_told_with_its_row() -> None:
    assert "column 'customer_id', row 2: missing; a value is required" in refusal(statements(customer_id=["a", None]))


def test_an_empty_customer_id_is_missing() -> None:
    assert "column 'customer_id', row 1: missing" in refusal(statements(customer_id=["", "b"]))


def test_a_missing_required_number_is_told() -> None:
    frame = pd.DataFrame({"customer_id": ["a"], "as_of": ["2023-01-31"], "defaulted": [np.nan]})
    assert "column 'defaulted', row 1: missing; a value is required" in refusal(frame, TABLES["outcomes"])


def test_a_missing_number_that_may_be_missing_stays_missing() -> None:
    assert np.isnan(check_frame(STATEMENTS, statements(balance=[None, 2.0]), "here")["balance"][0])


def test_an_absent_optional_column_is_missing_throughout() -> None:
    assert np.isnan(check_frame(STATEMENTS, statements(), "here")["inflow"]).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, "inf"])
def test_an_infinity_is_told(value: object) -> None:
    message = refusal(statements(balance=[1.0, value]))
    assert "column 'balance', row 2: infinite; leave the value out where it is unknown" in message


@pytest.mark.parametrize(("value", "shown"), [(-1.0, "-1.0"), (10_001.0, "10001.0"), (-1, "-1")])
def test_a_value_out_of_range_is_told_with_the_range(value: float, shown: str) -> None:
    message = refusal(statements(days_past_due=[0, value]))
    assert f"column 'days_past_due', row 2: outside [0, 10000], got {shown}" in message


def test_half_a_default_is_no_label() -> None:
    frame = pd.DataFrame({"customer_id": ["a"], "as_of": ["2023-01-31"], "defaulted": [0.5]})
    message = refusal(frame, TABLES["outcomes"])
    assert "column 'defaulted', row 1: expected a whole number, got 0.5" in message


def test_rows_like_the_first_wrong_one_are_counted() -> None:
    assert "row 1: outside [0, inf], got -1.0 (2 rows like it)" in refusal(statements(amount_paid=[-1.0, -2.0]))


def test_a_repeated_key_is_told_with_the_key() -> None:
    message = refusal(statements(customer_id=["a", "a"]))
    assert (
        "row 2: repeats an earlier row with the same key: customer_id='a', account_id='x', month=2023-01-31" in message
    )


def test_the_same_key_known_later_is_no_repetition() -> None:
    frame = statements(customer_id=["a", "a"], known_time=[None, "2023-02-01"])
    assert len(check_frame(STATEMENTS, frame, "here")["month"]) == 2


def test_a_known_time_left_out_repeats_one_that_says_the_same_day() -> None:
    frame = statements(customer_id=["a", "a"], known_time=[None, "2023-01-31"])
    assert "row 2: repeats an earlier row" in refusal(frame)


def test_a_fact_known_before_it_happened_is_told() -> None:
    message = refusal(statements(known_time=["2023-01-31", "2023-01-30"]))
    assert "column 'known_time', row 2: lies before month, and nothing is known before it happens" in message
    assert message.endswith("2023-01-30 before 2023-01-31")


def test_an_empty_table_is_told() -> None:
    assert "no rows; expected at least one" in refusal(statements().iloc[:0])


def test_missing_columns_and_no_rows_are_told_together() -> None:
    message = refusal(pd.DataFrame({"customer_id": []}))
    assert "no rows" in message
    assert "column 'month': missing" in message


def test_all_breaches_of_a_table_are_told_at_once() -> None:
    frame = statements(
        balance=["much", 1.0], credit_limit=[np.inf, 1.0], days_past_due=[0, -5], customer_id=[None, "b"]
    )
    message = refusal(frame)
    assert "4 problems" in message
    assert all(f"column {name!r}" in message for name in ("balance", "credit_limit", "days_past_due", "customer_id"))


def test_known_time_is_the_event_where_it_is_left_out() -> None:
    columns = check_frame(STATEMENTS, statements(known_time=[None, "2023-03-01"]), "here")
    assert [iso(day) for day in columns["known_time"]] == ["2023-01-31", "2023-03-01"]


def test_a_missing_date_is_never() -> None:
    frame = pd.DataFrame(
        {
            "customer_id": ["a"],
            "invoice_id": ["1"],
            "issued": ["2023-01-01"],
            "due": ["2023-01-31"],
            "paid": [None],
            "amount": [5.0],
        }
    )
    assert check_frame(INVOICES, frame, "here")["paid"].tolist() == [NEVER]


def test_columns_the_contract_does_not_name_are_left_out() -> None:
    assert "colour" not in check_frame(STATEMENTS, statements(colour=["red", "blue"]), "here")


@pytest.mark.parametrize(
    "month",
    [
        ["2023-01-31", "2023-01-31"],
        ["2023-01-31T23:59:59", "2023-01-31 08:00:00"],
        ["2023-01-31T12:00:00Z", "2023-01-31T12:00:00+00:00"],
        [dt.date(2023, 1, 31), dt.datetime(2023, 1, 31, 23)],  # noqa: DTZ001
        pd.to_datetime(["2023-01-31", "2023-01-31"]),
        pd.to_datetime(["2023-01-31", "2023-01-31"], utc=True),
        pd.array(["2023-01-31", "2023-01-31"], dtype="string"),
    ],
    ids=["text", "moments", "zones", "objects", "stamps", "stamps in utc", "strings"],
)
def test_a_date_is_read_in_every_usual_form(month: Any) -> None:
    columns = check_frame(STATEMENTS, statements(month=month), "here")
    assert columns["month"].tolist() == [to_day(dt.date(2023, 1, 31))] * 2


@pytest.mark.parametrize(
    "ids",
    [[1, 2], ["1", "2"], pd.array([1, 2], dtype="Int64"), pd.Categorical(["1", "2"])],
    ids=["whole", "text", "nullable", "categories"],
)
def test_an_id_is_text_whatever_it_was(ids: Any) -> None:
    columns = check_frame(STATEMENTS, statements(customer_id=ids), "here")
    assert columns["customer_id"].to_objects().tolist() == ["1", "2"]


def test_a_missing_nullable_id_is_told_not_thrown() -> None:
    ids = pd.array([1, None], dtype="Int64")
    assert "column 'customer_id', row 2: missing" in refusal(statements(customer_id=ids))


def test_a_minus_zero_is_a_zero() -> None:
    columns = check_frame(STATEMENTS, statements(days_past_due=[-0.0, 0.0]), "here")
    assert not np.signbit(columns["days_past_due"]).any()


def test_numbers_with_a_gap_are_the_ids_they_were_without() -> None:
    # pandas makes 1, missing, 3 floats: the account 1 is no account 1.0.
    columns = check_frame(STATEMENTS, statements(account_id=[1.0, None]), "here")
    assert columns["account_id"].to_objects().tolist() == ["1", ""]


def test_numbers_that_are_not_whole_stay_the_ids_they_are() -> None:
    columns = check_frame(STATEMENTS, statements(customer_id=[1.5, 2.0]), "here")
    assert columns["customer_id"].to_objects().tolist() == ["1.5", "2.0"]


@pytest.mark.parametrize("year", [-20_000, 10_010, 200_000])
def test_a_date_beyond_the_calendar_is_told(year: int) -> None:
    moments = np.array([0, (year - 1970) * 365 * 86_400], "datetime64[s]")
    assert "column 'month', row 2: expected a date" in refusal(statements(month=moments))


@pytest.mark.parametrize("value", [[1.0], {"a": 1}, dt.date(2020, 1, 1), pd.Timedelta("1D"), "1,5", "ten"], ids=repr)
def test_whatever_is_no_number_is_told_not_thrown(value: object) -> None:
    frame = statements()
    frame["balance"] = pd.Series([1.0, value], dtype=object)
    assert "column 'balance', row 2: expected a number" in refusal(frame)


def test_decimals_are_numbers() -> None:
    columns = check_frame(STATEMENTS, statements(balance=[Decimal("1.25"), None]), "here")
    np.testing.assert_equal(columns["balance"], [1.25, np.nan])


def investigations(**columns: list[Any]) -> pd.DataFrame:
    good = {"customer_id": ["a", "a"], "date": ["2023-01-01", "2023-01-02"], "type": ["tax", "news"]}
    return pd.DataFrame({**good, "severity": [1, 2], **columns})


def test_a_type_that_is_none_of_those_known_is_told_with_those() -> None:
    message = refusal(investigations(type=["tax", "fraud"]), TABLES["investigations"])
    assert "column 'type', row 2: expected one of court, tax, news, inquiry, trade_reference, got 'fraud'" in message


def test_a_missing_type_is_missing_and_not_an_unknown_one() -> None:
    message = refusal(investigations(type=["tax", None]), TABLES["investigations"])
    assert "1 problem" in message
    assert "column 'type', row 2: missing; a value is required" in message


@pytest.mark.parametrize(("level", "told"), [(2.5, "expected a whole number, got 2.5"), (6, "outside [1, 5], got 6")])
def test_a_level_that_cannot_be_is_told(level: float, told: str) -> None:
    answers = {"customer_id": ["a"], "date": ["2023-01-01"], "item": ["staff"], "level": [level]}
    assert f"column 'level', row 1: {told}" in refusal(pd.DataFrame(answers), TABLES["questionnaires"])


# One row of every breach the check knows, each in a table of its own with good rows around it.
BREACHES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "no number": ("statements", {"balance": "much"}, "balance", "expected a number"),
    "no date": ("statements", {"month": "31.01.2023"}, "month", "expected a date"),
    "missing text": ("statements", {"customer_id": None}, "customer_id", "missing; a value is required"),
    "missing date": ("statements", {"month": None}, "month", "missing; a value is required"),
    "missing number": ("questionnaires", {"level": None}, "level", "missing; a value is required"),
    "infinite": ("statements", {"inflow": np.inf}, "inflow", "infinite; leave the value out where it is unknown"),
    "too low": ("statements", {"days_past_due": -1}, "days_past_due", "outside [0, 10000]"),
    "too high": ("statements", {"days_past_due": 10_001}, "days_past_due", "outside [0, 10000]"),
    "not whole": ("questionnaires", {"level": 2.5}, "level", "expected a whole number"),
    "none of those": (
        "questionnaires",
        {"item": "luck"},
        "item",
        "expected one of experience, governance, staff, information_systems, planning",
    ),
    "known too early": (
        "statements",
        {"known_time": "2020-01-01"},
        "known_time",
        "lies before month, and nothing is known before it happens",
    ),
    "repeated": ("statements", {"month": "2023-01-31"}, "", "repeats an earlier row with the same key"),
}


def good_rows(table: str) -> pd.DataFrame:
    months = ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30"]
    if table == "questionnaires":
        return pd.DataFrame({"customer_id": "a", "date": months, "item": "staff", "level": [1, 2, 3, 4]})
    plain = {"credit_limit": 10.0, "amount_due": 1.0, "amount_paid": 1.0, "days_past_due": 0.0}
    columns = {"customer_id": "a", "account_id": "x", "month": months, "known_time": None, "inflow": 5.0, **plain}
    return pd.DataFrame({**columns, "balance": [1.0, 2.0, 3.0, 4.0]})


def with_bad_row(table: str, values: dict[str, Any]) -> pd.DataFrame:
    frame = good_rows(table).astype(object)
    for column, value in values.items():
        frame.loc[2, column] = value
    return frame


over_breaches = pytest.mark.parametrize(("table", "values", "column", "reason"), BREACHES.values(), ids=list(BREACHES))


@over_breaches
def test_a_bad_row_is_set_aside_with_its_number_and_reason(
    table: str, values: dict[str, Any], column: str, reason: str
) -> None:
    checked = check(TABLES[table], with_bad_row(table, values), "here")
    assert (checked.rows, checked.bad_rows) == (4, 1)
    assert checked.quarantine().to_numpy().tolist() == [[table, 3, column, reason]]


@over_breaches
def test_the_good_rows_beside_a_bad_one_stay_as_they_are(
    table: str, values: dict[str, Any], column: str, reason: str
) -> None:
    kept = check(TABLES[table], with_bad_row(table, values), "here").columns
    clean = check(TABLES[table], good_rows(table).drop(index=2), "here").columns
    for name, expected in clean.items():
        found = kept[name].to_objects() if isinstance(expected, Text) else kept[name]
        np.testing.assert_array_equal(found, expected.to_objects() if isinstance(expected, Text) else expected)


@over_breaches
def test_a_bad_row_that_may_not_be_set_aside_is_told(
    table: str, values: dict[str, Any], column: str, reason: str
) -> None:
    message = refusal(with_bad_row(table, values), TABLES[table])
    where = f"column {column!r}, row 3" if column else "row 3"
    assert message.startswith(f"here ({table}): 1 problem\n  {where}: {reason}")


def test_a_row_that_breaks_two_rules_is_one_bad_row_and_two_lines() -> None:
    checked = check(STATEMENTS, with_bad_row("statements", {"balance": "much", "days_past_due": -1}), "here")
    assert checked.bad_rows == 1
    assert checked.quarantine()["column"].tolist() == ["balance", "days_past_due"]


def test_a_row_is_no_repetition_of_one_that_was_set_aside() -> None:
    checked = check(STATEMENTS, statements(customer_id=["a", "a"], balance=["much", 1.0]), "here")
    assert checked.quarantine()[["row", "column"]].to_numpy().tolist() == [[1, "balance"]]


def test_rows_are_numbered_from_where_the_part_begins() -> None:
    checked = check(STATEMENTS, statements(balance=["much", 1.0]), "here")
    assert checked.quarantine(first_row=100)["row"].tolist() == [101]


def test_nothing_set_aside_is_an_empty_quarantine() -> None:
    quarantine = check(STATEMENTS, statements(), "here").quarantine()
    assert (list(quarantine.columns), len(quarantine)) == (["table", "row", "column", "reason"], 0)


def test_a_quarantine_holds_no_value_of_a_customer() -> None:
    checked = check(STATEMENTS, statements(balance=["secret", 1.0], month=["gone", "2023-01-31"]), "here")
    assert not checked.quarantine().astype(str).apply(lambda column: column.str.contains("secret|gone")).any(axis=None)


def many(rows: int) -> pd.DataFrame:
    month = pd.date_range("2000-01-31", periods=rows // 10, freq="D").repeat(10)
    zeros = dict.fromkeys(("balance", "credit_limit", "amount_due", "amount_paid", "days_past_due"), 0.0)
    ids = [f"c{i % 10}" for i in range(rows)]
    return pd.DataFrame({"customer_id": ids, "account_id": "x", "month": month, **zeros})


def test_a_key_repeated_among_many_rows_is_found() -> None:
    frame = many(3000)
    frame.loc[2999, ["customer_id", "month"]] = frame.loc[17, ["customer_id", "month"]].tolist()
    assert check(STATEMENTS, frame, "here").quarantine()["row"].tolist() == [3000]


@pytest.mark.parametrize("sort", ["customer_id", "month"])
def test_many_rows_in_any_order_pass(sort: str) -> None:
    assert check(STATEMENTS, many(3000).sort_values(sort, kind="stable"), "here").bad_rows == 0
