"""Flat tables: what can be read is read as it stands, what cannot is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from configs.errors import DataError
from features.catalogue import product_features
from features.flat import FlatTable, declared_columns, keep_product, read_flat
from features.load import categories_of

ROWS = "id,when,income,town,bad\n1,2023-01-31,10,Ulm,0\n2,2023-01-31,,Bonn,1\n3,2023-02-28,30,,0\n"


def written(tmp_path: Path, text: str, name: str = "flat.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def flat(
    path: Path,
    label: str = "bad",
    id_column: str | None = None,
    time: str | None = None,
    bad: str | None = None,
) -> FlatTable:
    return read_flat(path, label, "mine", id_column, time, bad)


def refused(path: Path, **named: str) -> str:
    with pytest.raises(DataError) as caught:
        flat(path, **named)
    return str(caught.value)


def labelled(tmp_path: Path, *values: str) -> Path:
    return written(tmp_path, "x,bad\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "gone.csv")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "the file is empty" in refused(written(tmp_path, ""))


def test_a_file_of_blank_lines_is_refused(tmp_path: Path) -> None:
    assert "not readable as csv" in refused(written(tmp_path, "\n\n\n"))


def test_a_file_without_a_header_is_told_so_without_its_data(tmp_path: Path) -> None:
    told = refused(written(tmp_path, "A11 6 A34 1169\nA12 48 A32 5951\n"), label="risk")
    assert "column 'risk': missing; the first line holds 2 numbers: if it is no header" in told
    assert "1169" not in told


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    assert "no rows below the header" in refused(written(tmp_path, "x,bad\n"))


def test_a_ragged_csv_is_refused(tmp_path: Path) -> None:
    assert "not readable as csv" in refused(written(tmp_path, "x,bad\n1,0\n1,2,3,4\n"))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    path.write_bytes(b"x,bad\n\xff\xfe,0\n")
    assert "not readable as csv" in refused(path)


@pytest.mark.parametrize("content", [b"PAR1", b"no parquet at all"])
def test_a_parquet_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "flat.parquet"
    path.write_bytes(content)
    assert "not readable as parquet" in refused(path)


@pytest.mark.parametrize("content", ["@relation x\n@attribute a numeric\n", "no arff\n", "@data\n1,2\n"])
def test_an_arff_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError):
        flat(written(tmp_path, content, "flat.arff"))


def test_an_arff_file_is_read_with_its_missing_values(tmp_path: Path) -> None:
    text = "@relation x\n@attribute 'net profit' numeric\n@attribute town {Ulm,Bonn}\n@attribute class {0,1}\n"
    text += "@data\n1.5,Ulm,0\n?,?,1\n"
    read = flat(written(tmp_path, text, "flat.arff"), label="class")
    assert np.isnan(read.tables["facts"]["net_profit"]).tolist() == [False, True]
    assert read.tables["facts"]["town"].to_objects().tolist() == ["Ulm", ""]
    assert read.tables["outcomes"]["defaulted"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_csv_is_read_with_any_usual_separator(tmp_path: Path, separator: str) -> None:
    read = flat(written(tmp_path, ROWS.replace(",", separator)), id_column="id", time="when")
    assert [column.name for column in read.product.columns] == ["income", "town"]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    path.write_text(ROWS, encoding="utf-8-sig")
    assert flat(path, id_column="id").tables["facts"]["customer_id"].to_objects().tolist() == ["1", "2", "3"]


def test_numbers_stay_numbers_and_text_becomes_categories(tmp_path: Path) -> None:
    read = flat(written(tmp_path, ROWS), id_column="id", time="when")
    assert [column.kind for column in read.product.columns] == ["number", "category"]


def test_what_is_missing_stays_missing(tmp_path: Path) -> None:
    facts = flat(written(tmp_path, ROWS), id_column="id", time="when").tables["facts"]
    assert np.isnan(facts["income"]).tolist() == [False, True, False]
    assert facts["town"].to_objects().tolist() == ["Ulm", "Bonn", ""]


def test_rows_without_an_id_are_numbered(tmp_path: Path) -> None:
    assert flat(labelled(tmp_path, "0", "1")).tables["facts"]["customer_id"].to_objects().tolist() == ["row-1", "row-2"]


def test_a_missing_label_column_is_refused_with_the_nearest(tmp_path: Path) -> None:
    assert "column 'bat': missing; did you mean 'bad'?" in refused(written(tmp_path, ROWS), label="bat")


def test_missing_label_id_and_time_columns_are_told_at_once(tmp_path: Path) -> None:
    message = refused(written(tmp_path, ROWS), label="aaaa", id_column="bbbb", time="cccc")
    assert "3 problems" in message
    assert "there are: id, when, income, town, bad" in message


def test_a_missing_label_value_is_refused_with_its_row(tmp_path: Path) -> None:
    assert "label 'bad', row 2: missing" in refused(labelled(tmp_path, "0", "", "1"))


@pytest.mark.parametrize("values", [("0", "0"), ("0", "1", "2")])
def test_a_label_that_has_not_two_values_is_refused(tmp_path: Path, values: tuple[str, ...]) -> None:
    assert f"expected two values (good and bad), found {len(set(values))}" in refused(labelled(tmp_path, *values))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("0", "1"),
        ("0.0", "1.0"),
        ("1", "2"),  # as in the German credit data
        ("0", "2"),
        ("-1", "1"),
        ("False", "True"),
        ("no", "yes"),
        ("N", "Y"),
        ("good", "bad"),
        ("paid", "default"),
        ("good", "gone"),
    ],
)
def test_the_usual_labels_are_understood(tmp_path: Path, good: str, bad: str) -> None:
    assert flat(labelled(tmp_path, bad, good, bad)).tables["outcomes"]["defaulted"].tolist() == [
        1.0,
        0.0,
        1.0,
    ]


def test_how_the_label_was_read_is_told(tmp_path: Path) -> None:
    assert flat(labelled(tmp_path, "1", "2", "2")).notes == ("label 'bad': '2' means default (2 of 3 rows)",)


def test_a_label_that_could_mean_either_is_refused(tmp_path: Path) -> None:
    assert "which of left and right is a default? Say --bad VALUE" in refused(labelled(tmp_path, "left", "right"))


def test_a_person_may_say_which_value_is_bad(tmp_path: Path) -> None:
    read = flat(labelled(tmp_path, "left", "right"), bad="left")
    assert read.tables["outcomes"]["defaulted"].tolist() == [1.0, 0.0]


def test_a_bad_value_that_never_comes_is_refused(tmp_path: Path) -> None:
    assert "--bad '2' is not a value of 'bad': 0 or 1" in refused(labelled(tmp_path, "0", "1"), bad="2")


def test_a_repeated_id_is_refused(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "id,x,bad\n1,5,0\n1,6,1\n"), id_column="id")
    assert "row 2: repeats an earlier row with the same key: customer_id='1'" in message


def test_an_id_may_come_again_at_another_time(tmp_path: Path) -> None:
    path = written(tmp_path, "id,when,x,bad\n1,2023-01-31,5,0\n1,2023-02-28,6,1\n")
    assert len(flat(path, id_column="id", time="when").tables["facts"]["x"]) == 2


def test_a_missing_id_is_refused_with_its_row(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "id,x,bad\n1,5,0\n,6,1\n"), id_column="id")
    assert "column 'customer_id', row 2: missing" in message


@pytest.mark.parametrize("when", ["31.01.2023", "2023"])
def test_a_time_that_is_no_date_is_refused(tmp_path: Path, when: str) -> None:
    message = refused(written(tmp_path, f"when,x,bad\n{when},5,0\n{when},6,1\n"), time="when")
    assert "column 'date', row 1: expected a date" in message


def test_an_infinite_number_is_refused(tmp_path: Path) -> None:
    assert "column 'x', row 2: infinite" in refused(written(tmp_path, "x,bad\n5,0\ninf,1\n"))


def test_protected_columns_are_no_features_and_that_is_told(tmp_path: Path) -> None:
    read = flat(written(tmp_path, "Sex,income,bad\nf,5,0\nm,6,1\n"))
    features = product_features(read.product, categories_of(read.product, read.tables["facts"]))
    assert [item.name for item in features] == ["income"]
    assert read.notes[1] == "left out as protected (jurisdictions and deny, in the product file): sex"


def test_odd_column_names_become_plain(tmp_path: Path) -> None:
    header = "net profit / sales,%,Income (EUR),1st,customer_id,Date,bad"
    read = flat(written(tmp_path, f"{header}\n1,2,3,4,5,6,0\n1,2,3,4,5,6,1\n"))
    names = [column.name for column in read.product.columns]
    assert names == [
        "net_profit_sales",
        "column",
        "income_eur",
        "column_1st",
        "customer_id_value",
        "date_value",
    ]


def test_names_that_become_the_same_are_numbered(tmp_path: Path) -> None:
    read = flat(written(tmp_path, "x_3,x,X,x!,bad\n1,2,3,4,0\n1,2,3,4,1\n"))
    names = [column.name for column in read.product.columns]
    assert len(set(names)) == 4
    assert names[:3] == ["x_3", "x", "x_2"]


def test_a_column_without_any_value_is_missing_throughout(tmp_path: Path) -> None:
    read = flat(written(tmp_path, "x,y,bad\n5,,0\n6,,1\n"))
    assert np.isnan(read.tables["facts"]["y"]).all()


def many(tmp_path: Path, **columns: list[object]) -> Path:
    """A table of 200 rows of an income, one of four towns and more columns."""
    named = {"income": [100 + row % 7 for row in range(200)], "town": [f"t{row % 4}" for row in range(200)], **columns}
    rows = zip(*named.values(), [row % 2 for row in range(200)], strict=True)
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    return written(tmp_path, ",".join([*named, "bad"]) + "\n" + text)


def features_of(table: FlatTable) -> list[str]:
    return [column.name for column in table.product.columns]


@pytest.mark.parametrize("twice", [0, 15])
def test_a_text_that_names_rows_teaches_nothing_and_is_left_out_with_the_word_that_may_be_meant(
    tmp_path: Path, twice: int
) -> None:
    table = flat(many(tmp_path, **{"Customer No": [f"C-{row % (200 - twice)}" for row in range(200)]}))
    assert features_of(table) == ["income", "town"]
    assert set(table.tables["facts"]) == {"customer_id", "date", "known_time", "income", "town"}
    (note,) = (note for note in table.notes if "Customer No" in note)
    assert note.startswith(
        f"left out: column 'Customer No' holds {200 - twice} different values in 200 rows, so it names rows"
    )
    assert "--id 'Customer No'" in note
    assert "--time 'Customer No'" in note


def test_with_the_customer_named_a_second_name_of_rows_is_left_out_too(tmp_path: Path) -> None:
    path = many(tmp_path, customer=[f"C-{row}" for row in range(200)], firm=[f"Firm {row}" for row in range(200)])
    table = flat(path, id_column="customer")
    assert features_of(table) == ["income", "town"]
    (note,) = (note for note in table.notes if note.startswith("left out"))
    assert "'firm'" in note
    assert "--id" not in note


def test_a_text_missing_in_most_rows_names_rows_where_it_stands(tmp_path: Path) -> None:
    rare = [f"C-{row}" if row < 80 else "" for row in range(200)]
    assert features_of(flat(many(tmp_path, insolvency_file=rare))) == ["income", "town"]


def test_numbers_too_long_to_be_numbers_name_rows(tmp_path: Path) -> None:
    accounts = [f"12345678901234567890{row:05d}" for row in range(200)]
    assert features_of(flat(many(tmp_path, account=accounts))) == ["income", "town"]


def test_a_text_that_the_product_file_declares_is_taught_though_it_names_rows(tmp_path: Path) -> None:
    few = flat(many(tmp_path, place=[f"p{row % 150}" for row in range(200)]))
    keep_product(few.product, tmp_path)
    declared = declared_columns(few.product.name, tmp_path)
    assert declared == {"income", "town", "place"}
    path = many(tmp_path, place=[f"p{row % 190}" for row in range(200)])
    again = read_flat(path, "bad", few.product.name, None, None, None, declared)
    assert keep_product(again.product, tmp_path)[1].columns == few.product.columns


@pytest.mark.parametrize("values", [50, 150])
def test_many_categories_that_come_again_are_a_feature(tmp_path: Path, values: int) -> None:
    table = flat(many(tmp_path, postcode=[f"p{row % values}" for row in range(200)]))
    assert features_of(table) == ["income", "town", "postcode"]


def test_a_whole_number_of_its_own_in_each_row_is_taught_and_told(tmp_path: Path) -> None:
    table = flat(many(tmp_path, loan=[90_000 + row for row in range(200)], rate=[row / 7 for row in range(200)]))
    assert features_of(table) == ["income", "town", "loan", "rate"]
    (note,) = (note for note in table.notes if "whole number" in note)
    assert "column 'loan'" in note
    assert "--id loan" in note


def test_a_column_of_numbers_that_one_word_turned_into_text_is_told_by_the_row_of_the_word(tmp_path: Path) -> None:
    table = flat(many(tmp_path, rate=[row / 7 if row != 8 else "unknown" for row in range(200)]))
    assert features_of(table) == ["income", "town"]
    (note,) = (note for note in table.notes if note.startswith("left out: column 'rate'"))
    assert "(199 values are numbers, row 9 holds none: with that mended it is a number)" in note


@pytest.mark.parametrize(
    ("columns", "told"), [("a,b", "b, c"), ("c,a", "in another order"), ("a,c,d", "d")], ids=["other", "order", "more"]
)
def test_a_kept_product_file_of_other_columns_is_refused_by_their_names(
    tmp_path: Path, columns: str, told: str
) -> None:
    keep_product(flat(written(tmp_path, "a,c,bad\n1,2,0\n3,4,1\n")).product, tmp_path)
    values = ",".join("1" for _ in columns.split(","))
    other = flat(written(tmp_path, f"{columns},bad\n{values},0\n{values},1\n")).product
    with pytest.raises(DataError, match=rf"declares other columns than the table has \({told}\)"):
        keep_product(other, tmp_path)


def test_a_table_of_names_alone_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "name,bad\n" + "".join(f"n{row},{row % 2}\n" for row in range(100)))
    assert "no column is left to learn from" in refused(path)
