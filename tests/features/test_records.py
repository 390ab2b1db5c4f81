"""Requests: the contract of a table as strict JSON, and its rows as the columns a bulk table becomes."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import numpy as np
import pytest

from configs.errors import DataError
from features.contracts import TABLES, Table, facts_table
from features.records import columns_of_records, record_type, rows_type

STATEMENTS = TABLES["statements"]
INVOICES = TABLES["invoices"]
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


def test_absent_rows_and_a_list_of_rows_are_both_a_table_of_a_request() -> None:
    kind = rows_type(STATEMENTS)
    assert msgspec.json.decode(b"null", type=kind) is None
    assert len(msgspec.json.decode(msgspec.json.encode([GOOD, GOOD]), type=kind)) == 2


FINDING = {"date": "2023-01-31", "type": "tax", "severity": 2}
ANSWER = {"date": "2023-01-31", "item": "staff", "level": 3}


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("investigations", {**FINDING, "type": "fraud"}),
        ("investigations", {**FINDING, "severity": 6}),
        ("investigations", {**FINDING, "type": None}),
        ("questionnaires", {**ANSWER, "item": "luck"}),
        ("questionnaires", {**ANSWER, "level": 2.5}),
        ("questionnaires", {**ANSWER, "level": 0}),
        ("questionnaires", {**ANSWER, "level": None}),
    ],
)
def test_what_the_bulk_check_sets_aside_is_refused_in_a_request(table: str, row: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoded(row, table=TABLES[table])


@pytest.mark.parametrize(("table", "row"), [("investigations", FINDING), ("questionnaires", ANSWER)])
@pytest.mark.parametrize("gap", ["left out", "null"])
def test_a_finding_or_answer_without_a_date_is_refused_as_in_bulk(table: str, row: dict[str, Any], gap: str) -> None:
    # Only flat facts may go without: a finding of no day would be seen by no question, and nobody would know.
    rest = {name: value for name, value in row.items() if name != "date"}
    with pytest.raises(msgspec.ValidationError, match="date"):
        decoded(rest if gap == "left out" else {**rest, "date": None}, table=TABLES[table])


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_request_may_leave_out_and_leave_empty_what_a_table_may(name: str) -> None:
    columns = TABLES[name].all_columns()
    for field in msgspec.structs.fields(record_type(TABLES[name])):
        column = columns[field.name]
        assert field.required == column.required
        if column.required:
            takes_null = type(None) in get_args(field.type)
            assert takes_null == column.missing


def test_text_of_a_request_is_coded_and_empty_text_is_missing() -> None:
    accounts = (("x", "2023-01-31"), ("", "2023-02-28"), (None, "2023-03-31"))
    rows = decoded(*({**GOOD, "account_id": account, "month": month} for account, month in accounts))
    assert columns_of_records(STATEMENTS, rows, "a", 0)["account_id"].codes.tolist() == [0, -1, -1]


def test_a_whole_number_may_be_written_with_a_point_as_in_bulk() -> None:
    rows = decoded({**ANSWER, "level": 3.0}, table=TABLES["questionnaires"])
    assert columns_of_records(TABLES["questionnaires"], rows, "a", 0)["level"].tolist() == [3.0]
