"""The matrix of a whole book in one file: every customer once, the bytes of the matrix, whole or not there."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError, InputError
from features import matrix
from features.book import all_customers, write_matrix
from features.contracts import to_day
from features.load import load
from features.sources import Frames, open_source

AS_OF = to_day(dt.date(2023, 12, 31))


@pytest.fixture
def place(histories_of, tmp_path: Path) -> str:
    """A folder of random tables of five customers."""
    folder = tmp_path / "book"
    folder.mkdir()
    for name, frame in histories_of(4, "abcde").items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return str(folder)


def test_the_file_holds_the_matrix_of_every_customer(place: str, program_of, shipped, tmp_path: Path) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    assert write_matrix([place], product, AS_OF, tmp_path / "out" / "m.parquet", 0.0, None) == (5, [])
    found = pd.read_parquet(tmp_path / "out" / "m.parquet")
    assert found.columns.tolist() == ["customer_id", *program.names]
    assert found["customer_id"].tolist() == list("abcde")
    tables = load(open_source([place]), product).tables
    expected = matrix.build(program, tables, np.array(list("abcde"), object), np.full(5, AS_OF, np.int32))
    np.testing.assert_array_equal(found[list(program.names)].to_numpy(), expected)


def test_another_ending_is_refused(place: str, shipped, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m\.csv: expected a name ending in \.parquet"):
        write_matrix([place], shipped("trade_credit"), AS_OF, tmp_path / "m.csv", 0.0, None)


def test_a_build_that_fails_leaves_no_file_of_that_name(place: str, shipped, tmp_path: Path) -> None:
    statements = pd.read_parquet(f"{place}/statements.parquet").assign(days_past_due=-1.0)
    statements.to_parquet(f"{place}/statements.parquet")
    with pytest.raises(DataError, match="outside"):
        write_matrix([place], shipped("trade_credit"), AS_OF, tmp_path / "m.parquet", 0.0, None)
    assert not (tmp_path / "m.parquet").exists()


def test_rows_set_aside_on_the_way_are_counted(place: str, shipped, tmp_path: Path) -> None:
    statements = pd.read_parquet(f"{place}/statements.parquet")
    statements.loc[1, "days_past_due"] = -1.0
    statements.to_parquet(f"{place}/statements.parquet")
    _, aside = write_matrix([place], shipped("trade_credit"), AS_OF, tmp_path / "m.parquet", 0.5, None)
    assert aside == [f"statements: 1 of {len(statements)} rows"]


def test_customers_of_any_table_are_asked_about_once_and_the_empty_id_is_none(shipped) -> None:
    tables = {
        "customers": pd.DataFrame({"customer_id": ["b", "", None]}),
        "statements": pd.DataFrame({"customer_id": ["a", "b"]}),
        "outcomes": pd.DataFrame({"customer_id": ["z"]}),
    }
    assert all_customers(Frames(tables, "here"), shipped("trade_credit")).tolist() == ["a", "b"]


def test_no_table_is_no_customer(shipped) -> None:
    assert len(all_customers(Frames({}, "here"), shipped("trade_credit"))) == 0
