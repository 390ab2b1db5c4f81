"""The dataset and its split: nothing that judges a model taught it, and each customer keeps its side."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from configs.settings import Product, Settings, Training
from features import matrix
from features.check import take
from features.contracts import Columns, Text
from features.flat import FlatTable, read_flat
from training.dataset import Dataset, assemble, customer_draw, digest, groups, split

NO_DAY = 0  # of a flat table without dates


@pytest.fixture(scope="session")
def training(small_settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Training:
    return small_settings(tmp_path_factory.mktemp("dataset"), minimum_defaults=1).training


def rows_of(dates: int, customers: int, numbers: Callable[..., Dataset]) -> Dataset:
    """Each customer at each date, three rows in ten a default; the first feature is the row's own number."""
    data = numbers(dates * customers)
    return dataclasses.replace(
        data,
        matrix=np.column_stack([np.arange(len(data), dtype=float), data.matrix[:, 1:]]),
        defaulted=(np.random.default_rng(1).random(len(data)) < 0.3).astype(np.int8),
        customer_id=np.repeat([f"c{i}" for i in range(customers)], dates).astype(object),
        as_of=np.tile(np.arange(dates, dtype=np.int32) * 30, customers),
    )


def sides(data: Dataset, settings_: Training) -> dict[str, set[str]]:
    parts = split(data, settings_)
    return {name: set(getattr(parts, name).customer_id) for name in ("train", "test")}


@given(seed=st.integers(0, 10**6), dates=st.integers(1, 6), customers=st.integers(400, 500))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_customer_is_in_two_parts(
    numbers: Callable[..., Dataset], training: Training, seed: int, dates: int, customers: int
) -> None:
    found = sides(rows_of(dates, customers, numbers), training.model_copy(update={"seed": seed}))
    assert sum(map(len, found.values())) == len(set.union(*found.values()))


@pytest.mark.parametrize("dates", [4, 5, 9])
def test_with_dates_the_test_lies_later_than_what_teaches(
    numbers: Callable[..., Dataset], training: Training, dates: int
) -> None:
    parts = split(rows_of(dates, 200, numbers), training)
    assert parts.by_time
    assert parts.test.as_of.min() > parts.train.as_of.max()


@pytest.mark.parametrize(("dates", "late"), [(4, 1), (8, 2), (12, 3)])
def test_the_test_takes_the_latest_quarter_of_the_dates(
    numbers: Callable[..., Dataset], training: Training, dates: int, late: int
) -> None:
    parts = split(rows_of(dates, 200, numbers), training)
    assert len(np.unique(parts.test.as_of)) == late


@pytest.mark.parametrize("dates", [1, 3])
def test_with_few_dates_the_customers_alone_are_split(
    numbers: Callable[..., Dataset], training: Training, dates: int
) -> None:
    parts = split(rows_of(dates, 200, numbers), training)
    assert not parts.by_time
    assert len(parts.train) + len(parts.test) == dates * 200


def test_the_shares_are_those_asked_for(numbers: Callable[..., Dataset], training: Training) -> None:
    parts = split(rows_of(1, 5000, numbers), training)
    # A fifth of all to the test.
    assert len(parts.test) == pytest.approx(1000, abs=5 * (5000 * 0.2 * 0.8) ** 0.5)


def test_a_customer_stays_on_its_side_when_others_come(numbers: Callable[..., Dataset], training: Training) -> None:
    before = sides(rows_of(3, 200, numbers), training)
    after = sides(rows_of(3, 400, numbers), training)
    for name, customers in before.items():
        assert customers <= after[name]


def test_a_test_customer_never_teaches_when_dates_are_added(
    numbers: Callable[..., Dataset], training: Training
) -> None:
    before, after = (sides(rows_of(dates, 200, numbers), training) for dates in (1, 8))
    assert not before["test"] & after["train"]


@given(order=st.randoms(use_true_random=False))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_order_of_the_rows_moves_nobody(numbers: Callable[..., Dataset], training: Training, order: Any) -> None:
    data = rows_of(4, 200, numbers)
    rows = list(range(len(data)))
    order.shuffle(rows)
    assert sides(data.take(np.array(rows)), training) == sides(data, training)


def test_another_seed_draws_other_customers(numbers: Callable[..., Dataset], training: Training) -> None:
    data = rows_of(1, 200, numbers)
    assert sides(data, training) != sides(data, training.model_copy(update={"seed": 8}))


def grouped(data: Dataset, size: int) -> Dataset:
    """Every second customer belongs to a group of `size` customers, the others to none."""
    number = np.array([int(name[1:]) for name in data.customer_id])
    names = np.array([f"g{i // (2 * size)}" if i % 2 else "" for i in number], object)
    return dataclasses.replace(data, group=names)


@given(seed=st.integers(0, 10**6), size=st.integers(1, 6), dates=st.integers(1, 6))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_group_is_in_two_parts(
    numbers: Callable[..., Dataset], training: Training, seed: int, size: int, dates: int
) -> None:
    data = grouped(rows_of(dates, 400, numbers), size)
    parts = split(data, training.model_copy(update={"seed": seed}))
    for of in (lambda part: set(part.group) - {""}, lambda part: set(part.customer_id)):
        found = [of(part) for part in (parts.train, parts.test)]
        assert sum(map(len, found)) == len(set.union(*found))


def test_a_customer_without_a_group_keeps_the_side_of_its_own_id(
    numbers: Callable[..., Dataset], training: Training
) -> None:
    data = rows_of(1, 400, numbers)
    alone = {name: set(customers) for name, customers in sides(data, training).items()}
    for name, customers in sides(grouped(data, 3), training).items():
        assert {c for c in customers if int(c[1:]) % 2 == 0} <= alone[name]


def test_a_group_stays_on_its_side_when_it_grows(numbers: Callable[..., Dataset], training: Training) -> None:
    small, large = (grouped(rows_of(1, customers, numbers), 5) for customers in (300, 450))
    before, after = sides(small, training), sides(large, training)
    for name, customers in before.items():
        assert customers <= after[name]


def test_a_customer_belongs_to_the_group_it_was_last_known_in() -> None:
    table: Columns = {
        "customer_id": Text.of(["a", "a", "b", "c", "a"]),
        "group_id": Text.of(["old", "new", None, "one", "later"]),
        "known_time": np.array([10, 20, 10, 10, 40], np.int32),
    }
    asked = np.array(["c", "a", "b", "a", "unknown"], object)
    assert groups(asked, table, 30).tolist() == ["one", "new", "", "new", ""]
    assert groups(asked, table, 15).tolist() == ["one", "old", "", "old", ""]


def test_the_groups_of_a_lender_reach_its_dataset(lender: Any) -> None:
    customers = lender.tables["customers"]
    named = Text.of([f"g{code // 3}" for code in customers["customer_id"].codes])
    tables = {**lender.tables, "customers": {**customers, "group_id": named}}
    data = assemble(lender.product, tables, lender.now)
    own = dict(zip(customers["customer_id"].to_objects(), named.to_objects(), strict=True))
    assert data.kin().tolist() == [own[customer] for customer in data.customer_id]


def test_each_row_keeps_its_own_label_and_date(numbers: Callable[..., Dataset], training: Training) -> None:
    data = rows_of(5, 200, numbers)
    for part in (split(data, training).train, split(data, training).test):
        place = part.matrix[:, 0].astype(int)
        assert (part.defaulted == data.defaulted[place]).all()
        assert (part.customer_id == data.customer_id[place]).all()
        assert (part.as_of == data.as_of[place]).all()


def test_the_draw_of_a_customer_is_fixed_for_good() -> None:
    # From `printf 7:c1 | b2sum -l 64`. Another value here would deal every customer of every lender afresh.
    expected = [0x18E4EF8BB80BEF8C / 2**64, 0xF8B3A67558CE78DB / 2**64]
    assert customer_draw(np.array(["c1", "c2"], object), 7).tolist() == expected


def test_draws_are_spread_evenly() -> None:
    draw = customer_draw(np.array([f"customer-{i}" for i in range(20_000)], object), 1)
    counts = np.histogram(draw, bins=20, range=(0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-squared with 19 degrees of freedom, 0.1 %


@pytest.mark.parametrize(
    ("bad_rows", "part"),
    [(np.zeros(600, bool), "train"), (np.ones(600, bool), "train"), (np.arange(600) % 150 == 0, "train")],
)
def test_too_few_of_a_class_are_refused_by_count(
    numbers: Callable[..., Dataset], training: Training, bad_rows: np.ndarray, part: str
) -> None:
    data = dataclasses.replace(rows_of(3, 200, numbers), defaulted=bad_rows.astype(np.int8))
    with pytest.raises(DataError, match=rf"{part} rows: \d+ defaults among \d+; at least 30 of each class are needed"):
        split(data, training.model_copy(update={"minimum_defaults": 30}))


def test_too_few_to_judge_by_are_refused_by_the_part_they_lack_in(
    numbers: Callable[..., Dataset], training: Training
) -> None:
    data = rows_of(3, 200, numbers)
    tested = customer_draw(data.customer_id, training.seed) < training.test_share
    data = dataclasses.replace(data, defaulted=np.where(tested, 0, data.defaulted).astype(np.int8))
    with pytest.raises(DataError, match=r"^test rows: 0 defaults"):
        split(data, training)


def flat(
    tmp_path: Path, rows: list[str], header: str = "id,day,income,empty,bad", time: str | None = None
) -> FlatTable:
    path = tmp_path / "flat.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_flat(path, "bad", "made_up", "id", time, None)


def lines(count: int, bad: Callable[[int], int] = lambda i: i % 4 == 0) -> list[str]:
    return [f"c{i},2023-01-31,{100 + i},,{int(bad(i))}" for i in range(count)]


def test_a_feature_that_is_missing_everywhere_leaves_the_program(tmp_path: Path) -> None:
    table = flat(tmp_path, lines(8))
    data = assemble(table.product, table.tables, NO_DAY + 400)
    assert "empty" not in data.program.names
    assert data.matrix.shape == (8, len(data.program.names))


def test_a_feature_that_is_missing_in_some_rows_stays(tmp_path: Path) -> None:
    table = flat(tmp_path, [*lines(7), "c7,2023-01-31,,3,1"])
    data = assemble(table.product, table.tables, NO_DAY + 400)
    assert data.program.names == ("day", "income", "empty")
    assert np.isnan(data.matrix).any(axis=0).tolist() == [False, True, True]


def test_the_matrix_is_that_of_the_program_that_is_left(lender: Any) -> None:
    data = assemble(lender.product, lender.tables, lender.now)
    again = matrix.build(data.program, lender.tables, data.customer_id, data.as_of)
    assert data.matrix.tobytes() == again.tobytes()


def test_only_matured_outcomes_are_there(lender: Any) -> None:
    data = assemble(lender.product, lender.tables, lender.now)
    outcomes = lender.tables["outcomes"]
    last = outcomes["as_of"].max()
    assert data.as_of.max() < last
    assert data.immature == (outcomes["as_of"] == last).sum()


def test_nothing_matured_is_refused_with_the_day_and_the_window(tmp_path: Path) -> None:
    table = flat(tmp_path, lines(8), time="day")
    with pytest.raises(DataError, match=re.escape("none of the 8 outcomes has matured by 2023-12-31 (window 12 mon")):
        assemble(table.product, table.tables, 19722)  # 2023-12-31


@pytest.mark.parametrize(("bad", "count"), [(0, 0), (1, 8)])
def test_a_label_with_a_single_class_is_refused(
    lender: Any, bad: int, count: int, shipped: Callable[[str], Product]
) -> None:
    outcomes = take(lender.tables["outcomes"], np.arange(8))
    outcomes["defaulted"] = np.full(8, float(bad))
    with pytest.raises(DataError, match=rf"single class \({count} defaults in 8 matured rows\)"):
        assemble(lender.product, {**lender.tables, "outcomes": outcomes}, lender.now)


def test_a_lender_without_outcomes_is_told_what_training_needs(lender: Any) -> None:
    tables = {name: table for name, table in lender.tables.items() if name != "outcomes"}
    with pytest.raises(DataError, match="no outcomes table; training needs what became of the customers"):
        assemble(lender.product, tables, lender.now)


def test_a_table_that_tells_nothing_is_refused(tmp_path: Path) -> None:
    table = flat(tmp_path, [f"c{i},,{i % 2}" for i in range(8)], header="id,empty,bad")
    with pytest.raises(DataError, match="every feature is missing in every row"):
        assemble(table.product, table.tables, NO_DAY + 400)


def small_tables() -> dict[str, Columns]:
    return {
        "facts": {"customer_id": Text.of(["a", "b"]), "x": np.array([1.0, np.nan])},
        "outcomes": {"defaulted": np.array([0.0, 1.0])},
    }


def test_the_digest_does_not_depend_on_the_order_of_tables_and_columns() -> None:
    tables = small_tables()
    turned = {name: dict(reversed(tables[name].items())) for name in reversed(tables)}
    assert digest(turned) == digest(tables)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("facts", "customer_id", Text.of(["c", "b"])),
        ("facts", "customer_id", Text.of(["b", "a"])),
        ("facts", "x", np.array([2.0, np.nan])),
        ("outcomes", "defaulted", np.array([1.0, 1.0])),
    ],
)
def test_the_digest_tells_of_any_value_that_changed(table: str, column: str, value: Any) -> None:
    changed = small_tables()
    changed[table][column] = value
    assert digest(changed) != digest(small_tables())
