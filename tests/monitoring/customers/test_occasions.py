"""Who is looked at in a review with a cycle: by grade, or because something happened."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from configs.customers import Event, ReviewRules
from configs.errors import ConfigError
from features import load
from features.contracts import to_day
from features.portfolio import Tally
from monitoring.customers import occasions, reviewed
from monitoring.customers.migration import NEW
from monitoring.customers.review import Previous, make_question, review
from monitoring.customers.reviewed import CARRIED, OCCASIONS
from serving.score import make_scorer
from tests.monitoring.customers.kept import joined, write

DAY = to_day(dt.date(2025, 6, 30))
GRADES = ["A", "B"]
RULES = ReviewRules(
    cycle_months={"A": 12, "B": 1},
    exposure_feature="x",
    events=(
        Event(name="statement", table="financials"),
        Event(name="court", table="investigations", column="type", says="court"),
    ),
)


def before(grade: int = 0, months_ago: int = 2, limit: float = 100.0, drawn: float = 0.0) -> reviewed.Reviewed:
    blank = reviewed.blank(np.array(["a"], object))
    return replace(
        blank,
        grade=np.array([grade], np.int8),
        reviewed_on=np.array([DAY - 30 * months_ago - 2], np.int32),
        limit=np.array([limit]),
        drawn=np.array([drawn]),
    )


def occasion(last: reviewed.Reviewed, tables=None, forced: int = NEW, drawn: float = 0.0, called=()) -> str:
    asked = (RULES, GRADES, tables or {}, last, np.array([forced]), np.array([drawn]), frozenset(called), DAY)
    return OCCASIONS[int(occasions.occasions(*asked)[0])]


@pytest.fixture(scope="module")
def tables(shipped):
    rows = {"customer_id": ["a", "a"], "date": pd.to_datetime(["2025-06-01", "2025-06-02"])}
    frame = pd.DataFrame({**rows, "source": "s", "type": ["inquiry", "court"], "severity": 1.0, "amount": 0.0})
    return load.check_tables({"investigations": frame}, shipped("trade_credit"), "test")


def test_a_good_grade_waits_for_its_cycle_and_a_bad_one_does_not() -> None:
    assert occasion(before()) == "carried"
    assert occasion(before(months_ago=13)) == "cycle"
    assert occasion(before(grade=1)) == "cycle"
    assert occasion(before(grade=NEW)) == "first"


def test_what_happened_puts_a_customer_on_the_next_review_at_once(tables) -> None:
    assert occasion(before(), forced=1) == "trigger"
    assert occasion(before(), tables) == "event"
    assert occasion(before(), drawn=101.0) == "breach"
    assert occasion(before(), called=["a"]) == "called"


def test_what_happened_before_the_last_look_counts_no_more(tables) -> None:
    seen = before(months_ago=0)
    assert occasion(seen, tables) == "carried"
    assert occasion(before(drawn=150.0), drawn=101.0) == "carried"
    assert occasion(before(grade=1, months_ago=0), forced=1) == "carried"


def test_an_event_on_what_the_product_has_not_is_told(scorer) -> None:
    rules = ReviewRules(events=(Event(name="x", table="financials"),))
    with pytest.raises(ConfigError, match=r"events\.x\.table: no table 'financials'"):
        occasions.check_events(rules, scorer.product)


def test_who_is_not_due_is_carried_over_and_the_same_review_again_says_the_same(
    scorer, book_source, day_of_month, reviewed_at, tmp_path
) -> None:
    first = reviewed_at(9)
    path = tmp_path / "first.parquet"
    write(first, scorer.grades, path)
    cycle = dict(zip([grade.name for grade in scorer.grades], (12, 12, 12, 1, 1, 1), strict=True))
    rules = scorer.product.customers.review.model_copy(update={"cycle_months": cycle})
    customers = scorer.product.customers.model_copy(update={"review": rules})
    other = make_scorer(scorer.bundle, scorer.product.model_copy(update={"customers": customers}))
    asked = make_question(other, day_of_month(10), Previous(day_of_month(9), path), frozenset([first.customer_id[0]]))

    def again() -> reviewed.Reviewed:
        return joined(review(asked, book_source, Tally("the book", 0.0), lambda *_: None))

    second = again()
    carried = np.flatnonzero(second.occasion == CARRIED)
    assert len(carried) > 0
    assert second.occasion[0] != CARRIED
    place = np.searchsorted(first.customer_id.astype(str), second.customer_id[carried].astype(str))
    for name in ("default_probability", "grade", "limit", "terms_days", "reviewed_on"):
        np.testing.assert_array_equal(getattr(second, name)[carried], getattr(first, name)[place], err_msg=name)
    assert not second.changed()[carried].any()
    looked = second.occasion != CARRIED
    assert (second.reviewed_on[looked] == day_of_month(10)).all()
    np.testing.assert_array_equal(again().limit, second.limit)
