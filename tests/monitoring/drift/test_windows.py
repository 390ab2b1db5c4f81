"""What the monitor looks at: decisions really recorded, and books really scored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from demo.asking import requests_of
from features.contracts import Columns, to_day
from features.outcome import Labels
from features.simulate import Portfolio
from monitoring.drift.decisions import numbers
from monitoring.drift.windows import described, from_frame, from_ledger, from_tables, outcomes_of
from serving import batch
from serving.api import DecideRequest
from serving.decide import decide, ledger_body, question_of
from serving.ledger import Entry, Ledger, canonical
from serving.live import utc_now

ASKED = 12  # customers in each month


@pytest.fixture(scope="module")
def decided(world, unchanged: Portfolio, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A ledger with decisions of three months, a day's worth of them by another model version."""
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('decided')}/ledger.db")
    entries = []
    for month in (9, 10, 11):
        customers = unchanged.customer_id[unchanged.standing(month)[:ASKED]]
        bodies = requests_of(world.product, unchanged.tables, customers, unchanged.month_ends[month])
        for place, body in enumerate(bodies):
            asked = msgspec.json.decode(msgspec.json.encode(body), type=DecideRequest)
            question = question_of(asked, dt.date(2024, 1, 1), "en", 3)
            answer, evidence = decide(world.scorer, question, f"d-{month}-{place}")
            if month == 11 and place == 0:
                answer = msgspec.structs.replace(answer, model="an older model")
            recorded = ledger_body(question, answer, evidence)
            entries.append(Entry(f"d-{month}-{place}", "decision", answer.product, answer.customer_id, "t", recorded))
    entries.append(Entry("promotion-1", "promotion", world.product.name, "x", utc_now(), canonical({})))
    ledger.append(entries)
    return ledger


def day(portfolio: Portfolio, month: int) -> int:
    return to_day(portfolio.month_ends[month].date())


def test_the_ledger_gives_the_decisions_of_the_asked_dates_bounds_included(world, decided, unchanged) -> None:
    found = from_ledger(decided, world.bundle, day(unchanged, 9), day(unchanged, 10))
    assert np.unique(found.as_of, return_counts=True)[1].tolist() == [ASKED, ASKED]


def test_the_ledger_gives_the_decisions_of_the_asked_model_and_counts_the_others(world, decided, unchanged) -> None:
    found = from_ledger(decided, world.bundle, day(unchanged, 11), day(unchanged, 11))
    assert (len(found), found.left_out) == (ASKED - 1, 1)


def test_decisions_of_another_product_stay_out(world, decided) -> None:
    assert len(from_ledger(decided, replace(world.bundle, product="trade_credit"), 0, 10**6)) == 0


def test_a_time_without_decisions_is_an_empty_window(world, decided) -> None:
    found = from_ledger(decided, world.bundle, 0, 1)
    assert (len(found), found.values.shape) == (0, (0, len(world.bundle.program.names)))


def test_what_the_ledger_kept_is_what_the_tables_give_bit_for_bit(
    world, decided, unchanged, tables_with: Callable[..., dict[str, Columns]]
) -> None:
    kept = from_ledger(decided, world.bundle, day(unchanged, 9), day(unchanged, 9))
    book = from_tables(world.scorer, tables_with(unchanged), day(unchanged, 9))
    place = {customer: row for row, customer in enumerate(book.customer_id)}
    rows = [place[customer] for customer in kept.customer_id]
    np.testing.assert_array_equal(kept.values, book.values[rows])
    np.testing.assert_array_equal(kept.default_probability, book.default_probability[rows])


def test_a_book_has_the_pds_of_batch_scoring(world, unchanged, tables_with, watched_day: int) -> None:
    tables = tables_with(unchanged)
    book = from_tables(world.scorer, tables, watched_day)
    scores = batch.score_tables(world.scorer, tables, watched_day).set_index("customer_id")
    np.testing.assert_array_equal(
        book.default_probability, scores.loc[book.customer_id, "default_probability"].to_numpy()
    )


def test_a_book_holds_each_customer_known_by_then_once_and_no_other(
    world, unchanged, tables_with, watched_day: int
) -> None:
    book = from_tables(world.scorer, tables_with(unchanged), watched_day)
    there = unchanged.customer_id[unchanged.joined_month <= 9]
    assert sorted(book.customer_id) == sorted(there)


def test_a_book_before_the_first_fact_is_empty(world, unchanged, tables_with) -> None:
    assert len(from_tables(world.scorer, tables_with(unchanged), to_day(dt.date(1990, 1, 1)))) == 0


def test_a_window_is_told_in_rows_and_dates(window) -> None:
    assert described(window([1.0, 2], as_of=[19_000, 19_030])) == "2 decisions, as of 2022-01-08 to 2022-02-07"


def test_a_window_tells_what_other_versions_decided(window) -> None:
    assert described(window(left_out=1200)) == "no decisions; 1,200 by other model versions left out"


def test_the_ledger_tells_how_many_the_stretch_before_had(world, decided, unchanged) -> None:
    # October ends a month after September: 31 days, and the 31 before hold September's.
    found = from_ledger(decided, world.bundle, day(unchanged, 9) + 1, day(unchanged, 10))
    assert (len(found), found.arrival.rows_before, found.arrival.until) == (ASKED, ASKED, day(unchanged, 10))


def test_the_ledger_tells_what_was_asked(world, decided, unchanged) -> None:
    asked = from_ledger(decided, world.bundle, day(unchanged, 9), day(unchanged, 9)).asked
    assert asked is not None
    assert np.isnan(asked.requested_amount).all()
    assert asked.known.all()


def test_a_matrix_of_others_gives_the_same_pds_whatever_the_order_of_its_columns(
    world, unchanged, tables_with, watched_day: int
) -> None:
    book = from_tables(world.scorer, tables_with(unchanged), watched_day)
    frame = pd.DataFrame(book.values, columns=list(world.bundle.program.names)).iloc[:, ::-1]
    found = from_frame(world.bundle, frame.assign(customer_id=book.customer_id), watched_day)
    np.testing.assert_array_equal(found.default_probability, book.default_probability)
    assert (found.arrival.absent, dict(found.arrival.unreadable)) == ((), {})


def test_a_matrix_of_others_may_lack_a_column_and_hold_words(world) -> None:
    first, second, *others = world.bundle.program.names
    frame = pd.DataFrame({name: [1.0, 2.0, np.nan] for name in others} | {second: ["3", "n/a", None]})
    found = from_frame(world.bundle, frame.assign(customer_id=["a", "b", "c"]), 19_000)
    assert found.arrival.absent == (first,)
    assert found.arrival.unreadable == {second: 1}
    assert found.values[:, 1].tolist() == pytest.approx([3.0, np.nan, np.nan], nan_ok=True)


def test_a_matrix_without_customers_is_refused(world) -> None:
    with pytest.raises(DataError, match="no column customer_id among a"):
        from_frame(world.bundle, pd.DataFrame({"a": [1.0]}), 19_000)


def test_outcomes_are_joined_by_customer_and_date(window) -> None:
    asked = window([0.0] * 3, customers=["a", "a", "b"], as_of=[1, 2, 1])
    labels = Labels(np.array(["a", "b", "c"], object), np.array([2, 1, 1], np.int32), np.array([1, 0, 1], np.int8), 0)
    assert outcomes_of(asked, labels).tolist() == [-1, 1, 0]


def test_what_is_no_number_in_a_record_is_missing_and_counted() -> None:
    values, unreadable = numbers([[1, None, "x"], [True, 2.5, None]], ["a", "b", "c"])
    assert unreadable == [(0, "c"), (1, "a")]
    np.testing.assert_array_equal(values, [[1, np.nan, np.nan], [np.nan, 2.5, np.nan]])
