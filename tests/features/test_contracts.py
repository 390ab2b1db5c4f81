"""The contracts: every breach is told, at once, with table, column, row, what was expected and what came."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import DataError
from features.check import check_frame
from features.contracts import NEVER, TABLES, Table, facts_table, iso, to_day
from features.records import columns_of_records, record_type

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
    assert f"column 'days_past_due', row 2: got {shown}, outside [0, 10000]" in message


def test_half_a_default_is_no_label() -> None:
    frame = pd.DataFrame({"customer_id": ["a"], "as_of": ["2023-01-31"], "defaulted": [0.5]})
    message = refusal(frame, TABLES["outcomes"])
    assert "column 'defaulted', row 1: got 0.5, expected a whole number" in message


def test_rows_like_the_first_wrong_one_are_counted() -> None:
    assert "row 1: got -1.0, outside [0, inf] (2 rows like it)" in refusal(statements(amount_paid=[-1.0, -2.0]))


def test_a_repeated_key_is_told_with_the_key() -> None:
    message = refusal(statements(customer_id=["a", "a"]))
    assert (
        "row 2: repeats an earlier row with the same key (customer_id='a', account_id='x', month=2023-01-31)" in message
    )


def test_the_same_key_known_later_is_no_repetition() -> None:
    frame = statements(customer_id=["a", "a"], known_time=[None, "2023-02-01"])
    assert len(check_frame(STATEMENTS, frame, "here")["month"]) == 2


def test_a_known_time_left_out_repeats_one_that_says_the_same_day() -> None:
    frame = statements(customer_id=["a", "a"], known_time=[None, "2023-01-31"])
    assert "row 2: repeats an earlier row" in refusal(frame)


def test_a_fact_known_before_it_happened_is_told() -> None:
    message = refusal(statements(known_time=["2023-01-31", "2023-01-30"]))
    assert "column 'known_time', row 2: 2023-01-30 lies before month 2023-01-31" in message


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
    assert check_frame(STATEMENTS, statements(customer_id=ids), "here")["customer_id"].tolist() == ["1", "2"]


def test_a_missing_nullable_id_is_told_not_thrown() -> None:
    ids = pd.array([1, None], dtype="Int64")
    assert "column 'customer_id', row 2: missing" in refusal(statements(customer_id=ids))


def test_a_minus_zero_is_a_zero() -> None:
    columns = check_frame(STATEMENTS, statements(days_past_due=[-0.0, 0.0]), "here")
    assert not np.signbit(columns["days_past_due"]).any()


def test_the_day_before_1970_is_minus_one() -> None:
    assert (to_day(dt.date(1969, 12, 31)), iso(-1), iso(NEVER)) == (-1, "1969-12-31", "never")


@given(day=st.dates())
def test_a_day_reads_back_as_its_date(day: dt.date) -> None:
    assert iso(to_day(day)) == day.isoformat()


GOOD = {
    "account_id": None,
    "month": "2023-01-31",
    "balance": 1,
    "credit_limit": 10,
    "amount_due": None,
    "amount_paid": 1,
    "days_past_due": 0,
}


def decoded(*rows: dict[str, Any], table: Table = STATEMENTS) -> list[msgspec.Struct]:
    return msgspec.json.decode(msgspec.json.encode(list(rows)), type=list[record_type(table)])


def test_null_in_a_request_is_missing() -> None:
    columns = columns_of_records(STATEMENTS, decoded(GOOD), "a", 0)
    assert np.isnan(columns["amount_due"][0])


def test_an_optional_column_may_be_left_out_of_a_request() -> None:
    assert np.isnan(columns_of_records(STATEMENTS, decoded(GOOD), "a", 0)["inflow"][0])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"balance": "1"}, "balance"),
        ({"days_past_due": -1}, "days_past_due"),
        ({"days_past_due": 10_001}, "days_past_due"),
        ({"month": "31.01.2023"}, "month"),
        ({"month": None}, "month"),
        ({"ballance": 1}, "ballance"),
    ],
    ids=["text", "too low", "too high", "no date", "no event", "unknown"],
)
def test_a_request_that_breaks_the_contract_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=told):
        decoded({**GOOD, **change})


def test_a_required_column_may_not_be_left_out_of_a_request() -> None:
    with pytest.raises(msgspec.ValidationError, match="balance"):
        decoded({name: value for name, value in GOOD.items() if name != "balance"})


def test_an_empty_invoice_number_is_refused_as_in_bulk() -> None:
    row = {"invoice_id": "", "issued": "2023-01-01", "due": "2023-01-31", "paid": None, "amount": 1}
    with pytest.raises(msgspec.ValidationError, match="invoice_id"):
        decoded(row, table=INVOICES)


def test_a_number_too_large_is_refused_in_a_request() -> None:
    with pytest.raises(msgspec.ValidationError, match="out of range"):
        msgspec.json.decode(b'[{"balance": 1e400}]', type=list[record_type(STATEMENTS)])


def test_a_request_that_repeats_a_key_is_refused() -> None:
    with pytest.raises(DataError, match=r"records\.statements.*\n.*row 2: repeats"):
        columns_of_records(STATEMENTS, decoded(GOOD, GOOD), "a", 0)


def test_a_request_that_knows_before_it_happened_is_refused() -> None:
    with pytest.raises(DataError, match="nothing is known before it happens"):
        columns_of_records(STATEMENTS, decoded({**GOOD, "known_time": "2023-01-30"}), "a", 0)


def test_facts_of_a_request_without_a_date_are_of_the_day_asked() -> None:
    table = facts_table({"income": "number", "town": "text"})
    columns = columns_of_records(table, decoded({"income": 5, "town": "Ulm"}, table=table), "a", 19_000)
    assert columns["date"].tolist() == columns["known_time"].tolist() == [19_000]


def test_no_records_are_an_empty_table() -> None:
    assert len(columns_of_records(STATEMENTS, [], "a", 0)["month"]) == 0


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_record_type_has_the_columns_of_its_table(name: str) -> None:
    fields = {field.name for field in msgspec.structs.fields(record_type(TABLES[name]))}
    assert fields == set(TABLES[name].all_columns()) - {"customer_id"}
