"""The contracts: days, coded text, and tables that hold together."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts import NEVER, TABLES, Table, Text, facts_table, iso, to_day


def test_the_day_before_1970_is_minus_one() -> None:
    assert (to_day(dt.date(1969, 12, 31)), iso(-1), iso(NEVER)) == (-1, "1969-12-31", "never")


@given(day=st.dates())
def test_a_day_reads_back_as_its_date(day: dt.date) -> None:
    assert iso(to_day(day)) == day.isoformat()


def test_text_is_coded_by_order_of_appearance_and_empty_is_missing() -> None:
    text = Text.of(["b", None, "a", "", "b"])
    assert (text.codes.tolist(), text.values.tolist()) == ([0, -1, 1, -1, 0], ["b", "a"])


def test_text_reads_back_as_it_was_and_missing_as_empty() -> None:
    assert Text.of(["b", None, "a", "b"]).to_objects().tolist() == ["b", "", "a", "b"]


def test_no_text_is_an_empty_column() -> None:
    assert (len(Text.of([])), Text.of([]).to_objects().tolist(), Text.of([None]).distinct().tolist()) == (0, [], [])


@pytest.mark.parametrize("rows", [np.array([True, False, True]), np.array([0, 2])], ids=["mask", "positions"])
def test_text_is_taken_by_mask_or_positions(rows: np.ndarray) -> None:
    assert Text.of(["b", "a", ""]).take(rows).to_objects().tolist() == ["b", ""]


def test_only_texts_that_stand_in_a_row_are_distinct() -> None:
    assert Text.of(["b", "a", ""]).take(np.array([0, 2])).distinct().tolist() == ["b"]


def test_text_is_mapped_to_numbers_and_what_has_none_is_missing() -> None:
    np.testing.assert_equal(Text.of(["b", "x", ""]).mapped({"b": 7.0, "c": 8.0}), [7.0, np.nan, np.nan])


@given(texts=st.lists(st.one_of(st.none(), st.text(max_size=3))))
def test_any_text_reads_back(texts: list[str | None]) -> None:
    assert Text.of(texts).to_objects().tolist() == [text or "" for text in texts]


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_a_table_has_its_event_and_key_as_required_columns(table: Table) -> None:
    event = table.columns[table.event]
    assert (event.kind, event.required, event.missing) == ("date", True, False)
    assert set(table.key) <= set(table.columns)


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_table_has_a_customer_and_may_have_a_known_time(table: Table) -> None:
    columns = table.all_columns()
    assert (columns["customer_id"].required, columns["customer_id"].missing) == (True, False)
    assert (columns["known_time"].required, columns["known_time"].kind) == (False, "date")


def test_flat_facts_have_a_date_and_the_columns_declared() -> None:
    table = facts_table({"income": "number", "town": "text"})
    assert table.key == ("date",)
    kinds = {name: column.kind for name, column in table.columns.items()}
    assert kinds == {"date": "date", "income": "number", "town": "text"}
