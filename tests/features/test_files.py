"""Files: read as they stand with any usual separator, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from configs.errors import DataError
from features.files import read_file


def written(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path)


def test_whole_numbers_with_a_gap_stay_whole(tmp_path: Path) -> None:
    assert read_file(written(tmp_path, "id,x\n1,5\n,6\n"))["id"].fillna(-1).tolist() == [1, -1]


def test_text_that_looks_like_numbers_stays_text(tmp_path: Path) -> None:
    frame = read_file(written(tmp_path, "id,x\n007,1\n7,2\n1e3,3\n"), text=("id", "not_there"))
    assert frame["id"].tolist() == ["007", "7", "1e3"]
    assert frame["x"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("rows", ["1,0,5\n2,1,6\n", "1,0,\n2,1,\n"], ids=["one more", "a separator at the end"])
def test_rows_longer_than_the_header_are_refused_not_shifted(tmp_path: Path, rows: str) -> None:
    # pandas takes the first field for an index, and every value lands in its neighbour's column.
    assert "the rows have more fields than the header (2)" in refused(written(tmp_path, "x,bad\n" + rows))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_column_named_twice_is_refused(tmp_path: Path, separator: str) -> None:
    text = "x,bad,x\n1,0,5\n".replace(",", separator)
    assert "the header names a column twice: x" in refused(written(tmp_path, text))


def test_columns_without_a_name_are_not_named_twice(tmp_path: Path) -> None:
    assert len(read_file(written(tmp_path, "x,,\n1,2,3\n"))) == 1


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert list(read_file(written(tmp_path, "\ufeffx,y\n1,2\n")).columns) == ["x", "y"]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-32"])
def test_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    assert "not readable as csv" in refused(written(tmp_path, "town,bad\nKöln,1\n".encode(encoding)))


def test_a_parquet_file_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": range(1000)}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "not readable as parquet" in refused(path)


def test_a_line_end_of_another_system_is_read(tmp_path: Path) -> None:
    assert read_file(written(tmp_path, "x,bad\r\n1,0\r\n"))["bad"].tolist() == [0]


def test_a_quoted_separator_is_part_of_a_value(tmp_path: Path) -> None:
    assert read_file(written(tmp_path, 'name,bad\n"Meier, Sons",1\n'))["name"].tolist() == ["Meier, Sons"]
