"""Loading: the tables of a product from wherever they lie, all breaches at once, bad rows set aside."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from configs.settings import ColumnSpec, Product, flat_product
from features.catalogue import compile_program, product_features
from features.contracts import Columns, Text, to_day
from features.load import Loaded, categories_of, check_tables, load
from features.ranges import Range
from features.sources import Frames, open_source


def folder_with(tmp_path: Path, **frames: pd.DataFrame) -> Path:
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def customers() -> pd.DataFrame:
    return pd.DataFrame({"customer_id": [1, 2], "since": ["2020-01-01", "2020-01-02"]})


def one_statement() -> pd.DataFrame:
    amounts = {name: [1.0] for name in ("balance", "credit_limit", "amount_due", "amount_paid", "days_past_due")}
    return pd.DataFrame({"customer_id": [1], "account_id": ["x"], "month": ["2023-01-31"], **amounts})


def loaded(path: Path, product: Product, share: float = 0.0) -> Loaded:
    return load(open_source([str(path)]), product, share)


def bank(product: Product) -> Product:
    """A product of two tables."""
    return product.model_copy(update={"tables": ("customers", "statements")})


def test_a_folder_of_csv_is_loaded(tmp_path: Path, shipped) -> None:
    path = folder_with(tmp_path, customers=customers(), statements=one_statement())
    tables = loaded(path, bank(shipped("bank_lending"))).tables
    assert tables["customers"]["customer_id"].to_objects().tolist() == ["1", "2"]


def test_outcomes_are_loaded_where_they_are_there_and_wanted(tmp_path: Path, shipped) -> None:
    outcomes = pd.DataFrame({"customer_id": [1], "as_of": ["2023-01-31"], "defaulted": [1]})
    path = folder_with(tmp_path, customers=customers(), statements=one_statement(), outcomes=outcomes)
    product = bank(shipped("bank_lending"))
    assert loaded(path, product).tables["outcomes"]["defaulted"].tolist() == [1.0]
    assert "outcomes" not in load(open_source([str(path)]), product, outcomes=False).tables


def test_a_table_that_only_judges_is_read_where_it_is_listed_there_and_wanted(tmp_path: Path, shipped) -> None:
    recorded = {"customer_id": [1], "recorded": ["2023-01-31"], "attribute": ["sex"], "group": ["female"]}
    product = shipped("bank_lending").model_copy(update={"tables": ("customers", "protected")})
    path = folder_with(tmp_path, customers=customers())
    assert set(loaded(path, product).tables) == {"customers"}
    folder_with(tmp_path, protected=pd.DataFrame(recorded))
    assert loaded(path, product).tables["protected"]["group"].to_objects().tolist() == ["female"]
    assert "protected" not in load(open_source([str(path)]), product, outcomes=False).tables


def test_tables_the_product_does_not_have_are_not_read(tmp_path: Path, shipped) -> None:
    path = folder_with(tmp_path, customers=customers(), statements=one_statement())
    (path / "invoices.csv").write_text("no invoices at all", encoding="utf-8")
    assert set(loaded(path, bank(shipped("bank_lending"))).tables) == {"customers", "statements"}


def test_a_table_that_is_not_there_is_refused_with_what_is(tmp_path: Path, shipped) -> None:
    with pytest.raises(DataError) as caught:
        loaded(folder_with(tmp_path, customers=customers()), bank(shipped("bank_lending")))
    assert "product 'bank_lending' needs statements; it holds customers" in str(caught.value)


def test_an_empty_folder_is_refused(tmp_path: Path, shipped) -> None:
    with pytest.raises(DataError, match="needs customers, statements; it holds nothing"):
        loaded(tmp_path, bank(shipped("bank_lending")))


def test_breaches_of_all_tables_are_told_at_once(shipped) -> None:
    frames = {
        "customers": customers().assign(since="never"),
        "statements": one_statement().assign(balance="x"),
    }
    with pytest.raises(DataError) as caught:
        check_tables(frames, bank(shipped("bank_lending")), "here")
    assert "here (customers): 1 problem\n" in str(caught.value)
    assert "here (statements): 1 problem\n" in str(caught.value)


def category_product() -> Product:
    return flat_product("mine", "Mine", (ColumnSpec(name="town", kind="category"), ColumnSpec(name="income")))


def test_the_categories_of_a_column_are_its_values_in_order() -> None:
    facts: Columns = {"town": Text.of(["Ulm", "", "Bonn", "Ulm"]), "income": np.zeros(4)}
    assert categories_of(category_product(), facts) == {"town": ["Bonn", "Ulm"]}


def test_without_facts_there_are_no_categories() -> None:
    assert categories_of(category_product(), None) == {}


def test_a_category_column_without_any_value_is_a_missing_feature(asked) -> None:
    from features import matrix

    facts = pd.DataFrame({"customer_id": ["a"], "date": ["2023-01-31"], "town": [None], "income": [5.0]})
    product = category_product()
    tables = check_tables({"facts": facts}, product, "here")
    program = compile_program(product_features(product, categories_of(product, tables["facts"])))
    as_of = pd.Timestamp("2023-01-31").date()
    np.testing.assert_equal(matrix.build(program, tables, *asked(("a", as_of))), [[np.nan, 5.0]])


def book(bad: int, rows: int = 100) -> dict[str, pd.DataFrame]:
    """A hundred customers with a statement each, the first `bad` of them days past due that cannot be."""
    ids = [f"c{i:03d}" for i in range(rows)]
    zeros = dict.fromkeys(("balance", "credit_limit", "amount_due", "amount_paid"), 1.0)
    late = [-1.0] * bad + [0.0] * (rows - bad)
    statements = {"customer_id": ids, "account_id": "x", "month": "2023-01-31", "days_past_due": late, **zeros}
    return {
        "customers": pd.DataFrame({"customer_id": ids, "since": "2020-01-01"}),
        "statements": pd.DataFrame(statements),
    }


def test_without_a_share_no_bad_row_passes(shipped) -> None:
    with pytest.raises(DataError) as caught:
        load(Frames(book(1), "here"), bank(shipped("bank_lending")))
    assert "column 'days_past_due', row 1: outside [0, 10000], got -1.0" in str(caught.value)
    assert "quarantine" not in str(caught.value)


@pytest.mark.parametrize("bad", [1, 5])
def test_bad_rows_up_to_the_share_are_set_aside(shipped, bad: int) -> None:
    found = load(Frames(book(bad), "here"), bank(shipped("bank_lending")), 0.05)
    assert len(found.tables["statements"]["month"]) == 100 - bad
    assert found.quarantine["row"].tolist() == list(range(1, bad + 1))
    assert set(found.quarantine["table"]) == {"statements"}


def test_more_bad_rows_than_the_share_are_refused_with_both_numbers(shipped) -> None:
    with pytest.raises(DataError) as caught:
        load(Frames(book(6), "here"), bank(shipped("bank_lending")), 0.05)
    assert "6 of 100 rows are bad; data.quarantine_share allows 0.05 of them" in str(caught.value)
    assert "column 'days_past_due', row 1: outside [0, 10000], got -1.0 (6 rows like it)" in str(caught.value)


def test_the_share_is_of_each_table_not_of_all(shipped) -> None:
    frames = book(5)
    frames["customers"].loc[:4, "since"] = "never"
    found = load(Frames(frames, "here"), bank(shipped("bank_lending")), 0.05)
    assert found.quarantine.groupby("table")["row"].nunique().to_dict() == {"customers": 5, "statements": 5}


def test_a_clean_source_has_an_empty_quarantine_of_the_same_columns(shipped) -> None:
    found = load(Frames(book(0), "here"), bank(shipped("bank_lending"))).quarantine
    assert (list(found.columns), len(found)) == (["table", "row", "column", "reason"], 0)


def test_customers_without_any_row_are_no_empty_table(shipped) -> None:
    found = load(Frames(book(0), "here"), bank(shipped("bank_lending")), customers=Range("d", None))
    assert (found.tables, list(found.quarantine.columns)) == ({}, ["table", "row", "column", "reason"])


def test_good_rows_beside_bad_ones_give_the_matrix_of_a_clean_table(shipped, program_of, histories_of) -> None:
    from features import matrix

    product, program = shipped("trade_credit"), program_of("trade_credit")
    clean = histories_of(7)
    dirty = {name: with_bad_rows(frame) for name, frame in clean.items()}
    ids, as_of = np.array(["a", "b"], object), np.full(2, to_day(dt.date(2023, 12, 31)), np.int32)
    found = load(Frames(dirty, "here"), product, 0.6)
    expected = load(Frames(clean, "here"), product)
    assert (found.quarantine.groupby("table")["row"].nunique() == 3).all()
    assert set(found.quarantine["table"]) == set(clean)
    assert (
        matrix.build(program, found.tables, ids, as_of).tobytes()
        == matrix.build(program, expected.tables, ids, as_of).tobytes()
    )


def with_bad_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """A row without a customer, one without a date, and one that stood before, among the good ones."""
    date = next(name for name in ("since", "month", "period_end", "issued", "date") if name in frame)
    nobody, undated = frame.iloc[[0]].assign(customer_id=None), frame.iloc[[1]].assign(**{date: "soon"})
    parts = [frame.iloc[:1], nobody, frame.iloc[1:], undated, frame.iloc[[0]]]
    return pd.concat([part.astype(object) for part in parts], ignore_index=True)
