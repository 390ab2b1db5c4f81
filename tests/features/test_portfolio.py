"""A book part by part: the same bytes as all at once, whatever the size of a part and the order of the questions."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from configs.settings import Product
from features import matrix
from features.catalogue import Program
from features.load import load
from features.portfolio import Tally, matrices, parts
from features.sources import Frames

CUSTOMERS = "abcdefgh"
IDS = ("1", "10", "2", "A", "a", "Ü", "日本", "none of the tables")


@pytest.fixture(scope="session")
def book(histories_of) -> Frames:
    """Random tables of seven customers; the eighth id stands nowhere."""
    ids = dict(zip(CUSTOMERS, IDS, strict=True))
    frames = {name: frame.replace({"customer_id": ids}) for name, frame in histories_of(11, CUSTOMERS).items()}
    return Frames({name: frame[frame["customer_id"] != IDS[-1]] for name, frame in frames.items()}, "here")


@pytest.fixture(scope="session")
def questions() -> tuple[np.ndarray, np.ndarray]:
    """Every customer on three days, the days mixed."""
    pairs = random.Random(2).sample(list(itertools.product(IDS, (19_000, 19_357, 19_700))), 24)
    return np.array([customer for customer, _ in pairs], object), np.array([day for _, day in pairs], np.int32)


def joined(built: Iterator[tuple[np.ndarray, np.ndarray]], shape: tuple[int, int]) -> np.ndarray:
    """The parts in their places; every place filled once."""
    out, times = np.zeros(shape), np.zeros(shape[0], int)
    for rows, values in built:
        out[rows] = values
        times[rows] += 1
    assert (times == 1).all()
    return out


def whole(program: Program, book: Frames, product: Product, ids: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    return matrix.build(program, load(book, product).tables, ids, as_of)


@pytest.mark.parametrize("customers_each", [1, 2, 3, 7, 8, 1000])
@pytest.mark.parametrize("seed", [0, 1])
def test_parts_of_any_size_and_questions_in_any_order_give_the_bytes_of_the_whole(
    customers_each: int, seed: int, book: Frames, questions, program_of, shipped
) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    order = np.random.default_rng(seed).permutation(len(questions[0]))
    ids, as_of = questions[0][order], questions[1][order]
    shuffled = Frames({name: frame.sample(frac=1, random_state=seed) for name, frame in book.frames.items()}, "here")
    built = matrices(program, shuffled, product, ids, as_of, customers_each=customers_each)
    found = joined(built, (len(ids), len(program.features)))
    assert found.tobytes() == whole(program, book, product, ids, as_of).tobytes()


def test_a_customer_nobody_has_rows_of_is_missing_throughout(book: Frames, program_of, shipped) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    ((rows, values),) = matrices(program, book, product, np.array([IDS[-1]], object), np.array([19_700], np.int32))
    assert rows.tolist() == [0]
    assert np.isnan(values).all()


def test_nobody_asked_gives_no_parts(book: Frames, program_of, shipped) -> None:
    nobody = np.empty(0, object), np.empty(0, np.int32)
    assert list(matrices(program_of("trade_credit"), book, shipped("trade_credit"), *nobody)) == []


def test_a_bad_row_of_a_later_part_is_told(book: Frames, questions, program_of, shipped) -> None:
    statements = book.frames["statements"].astype({"balance": object})
    statements.loc[statements["customer_id"] == "日本", "balance"] = "much"
    dirty = Frames({**book.frames, "statements": statements}, "here")
    with pytest.raises(DataError, match="expected a number, got 'much'"):
        list(matrices(program_of("trade_credit"), dirty, shipped("trade_credit"), *questions, customers_each=2))


def with_bad_statements(book: Frames, customer: str, bad: int) -> Frames:
    statements = book.frames["statements"].astype({"balance": object})
    statements.loc[statements.index[statements["customer_id"] == customer][:bad], "balance"] = "much"
    return Frames({**book.frames, "statements": statements}, "here")


@pytest.mark.parametrize("customers_each", [1, 3, 1000])
def test_bad_rows_of_one_customer_are_a_share_of_the_book_not_of_the_part(
    customers_each: int, book: Frames, questions, program_of, shipped
) -> None:
    # Five bad statements are a tenth of one customer's and a fiftieth of all.
    program, product = program_of("trade_credit"), shipped("trade_credit")
    dirty = with_bad_statements(book, "日本", 5)
    built = matrices(program, dirty, product, *questions, tally=Tally("here", 0.05), customers_each=customers_each)
    found = joined(built, (len(questions[0]), len(program.features)))
    expected = matrix.build(program, load(dirty, product, 0.05).tables, *questions)
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("customers_each", [1, 3, 1000])
def test_too_many_bad_rows_of_the_book_are_told_whatever_the_parts(
    customers_each: int, book: Frames, questions, program_of, shipped
) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    dirty = with_bad_statements(book, "日本", 5)
    rows = len(book.frames["statements"])
    told = f"here: 1 problem\\n  statements: 5 of {rows} rows are bad; data.quarantine_share allows 0.001 of them"
    with pytest.raises(DataError, match=told):
        list(matrices(program, dirty, product, *questions, tally=Tally("here", 0.001), customers_each=customers_each))


def test_a_row_without_a_customer_is_told_in_parts_as_in_the_whole(
    book: Frames, questions, program_of, shipped
) -> None:
    nobody = book.frames["statements"].iloc[[0]].assign(customer_id=None)
    dirty = Frames({**book.frames, "statements": pd.concat([book.frames["statements"], nobody])}, "here")
    with pytest.raises(DataError, match=r"column 'customer_id', row .*: missing"):
        list(matrices(program_of("trade_credit"), dirty, shipped("trade_credit"), *questions, customers_each=2))


@given(
    ids=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=30),
    customers_each=st.integers(1, 8),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_parts_hold_every_question_once_within_their_range(ids: list[str], customers_each: int) -> None:
    found = parts(np.array(ids, object), customers_each)
    places = np.concatenate([part.rows for part in found]) if found else np.empty(0, int)
    assert sorted(places) == list(range(len(ids)))
    for part in found:
        own = {ids[row] for row in part.rows}
        assert 1 <= len(own) <= customers_each
        low, high = part.customers.low, part.customers.high
        assert all((low is None or low <= id_) and (high is None or id_ < high) for id_ in own)


@given(ids=st.lists(st.sampled_from(IDS), min_size=1, max_size=30), customers_each=st.integers(1, 4))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_ranges_follow_each_other_and_leave_nothing_between(ids: list[str], customers_each: int) -> None:
    ranges = [part.customers for part in parts(np.array(ids, object), customers_each)]
    assert (ranges[0].low, ranges[-1].high) == (None, None)
    assert all(left.high == right.low is not None for left, right in itertools.pairwise(ranges))


@given(
    book=st.sets(st.sampled_from(IDS), min_size=1), customers_each=st.integers(1, 4), data=st.data(),
)  # fmt: skip
@settings(max_examples=50, deadline=None, derandomize=True)
def test_of_a_book_only_ranges_with_a_question_are_read_and_none_holds_more_than_its_share(
    book: set[str], customers_each: int, data: st.DataObject
) -> None:
    every = np.array(sorted(book), object)
    asked = data.draw(st.lists(st.sampled_from(sorted(book))))
    cut = parts(np.array(asked, object), customers_each, every)
    assert sorted(row for part in cut for row in part.rows) == list(range(len(asked)))
    for part in cut:
        assert len(part.rows)
        low, high = part.customers.low, part.customers.high
        held = [id_ for id_ in every if (low is None or low <= id_) and (high is None or id_ < high)]
        assert {asked[row] for row in part.rows} <= set(held)
        assert len(held) <= customers_each


def test_one_long_id_does_not_make_all_long() -> None:
    ids = np.array(["a"] * 10 + ["x" * 100_000], object)
    assert [len(part.rows) for part in parts(ids, 1)] == [10, 1]
