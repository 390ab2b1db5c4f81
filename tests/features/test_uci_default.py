"""The UCI credit card data of Taiwan, read as published: one holder worked by hand, and the real file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from configs.settings import Product
from features import matrix, uci_default
from features.check import take
from features.contracts import Columns, to_day
from features.load import load
from features.sources import open_source

HEADER = (
    ["ID", "LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE"]
    + [f"PAY_{month}" for month in (0, 2, 3, 4, 5, 6)]
    + [f"BILL_AMT{month}" for month in range(1, 7)]
    + [f"PAY_AMT{month}" for month in range(1, 7)]
    + ["default payment next month"]
)
# One holder: two months late in September, paid in full before; bills 600 .. 100, payments 60 .. 10.
HOLDER = [7, 1000, 2, 3, 1, 24, 2, -1, 0, 0, -2, 1, 600, 500, 400, 300, 200, 100, 60, 50, 40, 30, 20, 10, 1]


def small(tmp_path: Path, header: list[str] = HEADER) -> Path:
    lines = [",".join(f"X{i}" for i in range(25)), ",".join(header), ",".join(map(str, HOLDER))]
    (tmp_path / "cards.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def published(folder: Path, product: Product) -> dict[str, Columns]:
    return load(open_source([str(folder)], product.reader), product).tables


def statements(tmp_path: Path) -> pd.DataFrame:
    return uci_default.read(small(tmp_path))["statements"]


def test_six_months_become_six_statements_the_newest_first(tmp_path: Path) -> None:
    assert tuple(statements(tmp_path)["month"]) == uci_default.MONTHS


def test_bills_are_balances(tmp_path: Path) -> None:
    assert statements(tmp_path)["balance"].tolist() == [600, 500, 400, 300, 200, 100]


def test_the_bill_of_the_month_before_is_what_was_due(tmp_path: Path) -> None:
    np.testing.assert_equal(statements(tmp_path)["amount_due"].tolist(), [500, 400, 300, 200, 100, np.nan])


def test_payments_belong_to_their_month(tmp_path: Path) -> None:
    assert statements(tmp_path)["amount_paid"].tolist() == [60, 50, 40, 30, 20, 10]


def test_a_month_of_delay_is_thirty_days_and_no_delay_is_none(tmp_path: Path) -> None:
    assert statements(tmp_path)["days_past_due"].tolist() == [60, 0, 0, 0, 0, 30]


def test_the_label_is_the_default_of_the_next_month(tmp_path: Path) -> None:
    outcomes = uci_default.read(small(tmp_path))["outcomes"]
    assert outcomes[["customer_id", "as_of", "defaulted"]].to_numpy().tolist() == [["7", "2005-09-30", 1]]


def test_statuses_keep_their_sign_in_the_facts(tmp_path: Path) -> None:
    facts = uci_default.read(small(tmp_path))["facts"].iloc[0]
    assert (facts["repayment_status_2005_09"], facts["repayment_status_2005_08"]) == (2, -1)


def test_a_missing_column_is_refused_by_name(tmp_path: Path) -> None:
    wrong = [name.replace("PAY_AMT6", "PAY_AMT66") for name in HEADER]
    with pytest.raises(DataError, match="column 'PAY_AMT6' missing; did you mean 'PAY_AMT66'"):
        uci_default.read(small(tmp_path, wrong))


@pytest.mark.parametrize("text", ["", "one line\n"])
def test_a_file_not_as_published_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "cards.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"cards\.csv"):
        uci_default.read(tmp_path)


def test_a_folder_without_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected one CSV file of the UCI data set, found 0"):
        uci_default.read(tmp_path)


def test_protected_columns_reach_no_table(tmp_path: Path, shipped) -> None:
    facts = published(small(tmp_path), shipped("uci_default"))["facts"]
    assert not {"sex", "marriage", "age"} & set(facts)


def test_protected_attributes_stand_in_their_own_table_as_groups(tmp_path: Path) -> None:
    table = uci_default.read(small(tmp_path))["protected"]
    assert table[["customer_id", "recorded", "attribute", "group"]].to_numpy().tolist() == [
        ["7", "2005-09-30", "sex", "female"],
        ["7", "2005-09-30", "marriage", "married"],
        ["7", "2005-09-30", "age", "under 25"],
    ]


@pytest.fixture(scope="module")
def real(repository: Path, shipped) -> dict[str, Columns]:
    """The published file, read and checked."""
    folder = repository.parent / "shared" / "data" / "uci_default_taiwan"
    if not folder.is_dir():
        pytest.skip(f"the UCI data set is not here ({folder}); it is published at archive.ics.uci.edu, id 350")
    return published(folder, shipped("uci_default"))


def test_the_real_file_has_thirty_thousand_holders_of_six_months(real: dict[str, Columns]) -> None:
    assert {name: len(table["customer_id"]) for name, table in real.items()} == {
        "statements": 180_000,
        "facts": 30_000,
        "outcomes": 30_000,
        "protected": 90_000,
    }


def test_the_real_default_rate_is_that_published(real: dict[str, Columns]) -> None:
    assert real["outcomes"]["defaulted"].sum() == 6_636


def test_the_real_features_agree_with_the_raw_columns(real: dict[str, Columns], program_of) -> None:
    program, ids = program_of("uci_default"), real["outcomes"]["customer_id"].to_objects()
    as_of = np.full(len(ids), to_day(pd.Timestamp(uci_default.AS_OF).date()), np.int32)
    rows = pd.DataFrame(matrix.build(program, real, ids, as_of), columns=list(program.names))
    months = pd.DataFrame({name: real["statements"][name] for name in ("balance", "credit_limit", "amount_paid")})
    months["customer_id"] = real["statements"]["customer_id"].to_objects()
    mean = months.groupby("customer_id")["balance"].mean().reindex(ids)
    np.testing.assert_allclose(rows["balance_mean_6m"], mean, rtol=1e-9, atol=1e-9)
    newest = months.iloc[: len(ids)]
    np.testing.assert_allclose(rows["utilisation_last"], newest["balance"] / newest["credit_limit"], rtol=1e-12)
    assert not np.isinf(rows.to_numpy()).any()


def test_one_real_holder_gets_the_row_of_the_bulk_build(real: dict[str, Columns], program_of) -> None:
    program, ids = program_of("uci_default"), real["outcomes"]["customer_id"].to_objects()[:50]
    as_of = np.full(len(ids), to_day(pd.Timestamp(uci_default.AS_OF).date()), np.int32)
    bulk = matrix.build(program, real, ids, as_of)
    for place in (0, 17, 49):
        own = {name: take(table, table["customer_id"].to_objects() == ids[place]) for name, table in real.items()}
        one = matrix.build(program, own, ids[place : place + 1], as_of[:1])
        assert one.tobytes() == bulk[place].tobytes()
