"""A whole book reviewed twice: in parts as in one, with what moved and why, kept and found again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from configs.customers import ReviewRules, Trigger
from configs.errors import ConfigError, DataError, InputError
from configs.product import Freshness
from configs.settings import Product, parse
from features.portfolio import Tally
from features.sources import Source
from monitoring.customers import review_report, reviewed
from monitoring.customers.caps import Drawn, capped
from monitoring.customers.credit_file import credit_file
from monitoring.customers.limits import exposure
from monitoring.customers.migration import CAUSES, NEW
from monitoring.customers.review import Previous, make_question, review
from monitoring.customers.review_report import keep, previous_of
from monitoring.customers.reviewed import DECISIONS, Reviewed
from serving.ledger import Ledger
from serving.score import Scorer, make_scorer
from tests.monitoring.customers.kept import joined, write

FIRST, SECOND = 9, 12
AT = "2026-01-31T00:00:00.000000+00:00"


@pytest.fixture(scope="module")
def first(reviewed_at) -> Reviewed:
    return reviewed_at(FIRST)


@pytest.fixture(scope="module")
def previous(first: Reviewed, scorer: Scorer, day_of_month, tmp_path_factory: pytest.TempPathFactory) -> Previous:
    path = tmp_path_factory.mktemp("reviews") / "first.parquet"
    write(first, scorer.grades, path)
    return Previous(day_of_month(FIRST), path)


@pytest.fixture(scope="module")
def second(reviewed_at, previous: Previous) -> Reviewed:
    return reviewed_at(SECOND, previous)


def test_a_book_in_parts_is_reviewed_as_in_one(reviewed_at, previous: Previous, second: Reviewed) -> None:
    parts = reviewed_at(SECOND, previous, customers_each=90)
    for field in fields(Reviewed):
        np.testing.assert_array_equal(getattr(parts, field.name), getattr(second, field.name), err_msg=field.name)


def test_what_a_review_wrote_is_what_the_next_reads(first: Reviewed, scorer: Scorer, previous: Previous) -> None:
    before = reviewed.before(previous.path, scorer.grades, np.append(first.customer_id, "nobody"))
    for field in fields(Reviewed):
        np.testing.assert_array_equal(getattr(before, field.name)[:-1], getattr(first, field.name), err_msg=field.name)
    assert before.grade[-1] == NEW
    assert np.isnan(before.limit[-1])


def test_everyone_known_by_the_day_is_reviewed_and_nobody_else(first: Reviewed, unchanged, day_of_month) -> None:
    customers = unchanged.tables["customers"].set_index("customer_id")["since"][unchanged.customer_id[:400]]
    known = customers[customers <= unchanged.month_ends[FIRST]]
    assert first.customer_id.tolist() == sorted(known.index)
    assert 0 < len(first) < 400


def test_grades_that_moved_have_reasons_and_others_none(second: Reviewed) -> None:
    moved = (second.grade != second.grade_before) & (second.grade_before != NEW)
    assert moved.any()
    assert ((second.why != "") == moved).mean() > 0.99
    assert not (second.why[~moved] != "").any()


def test_a_fall_lists_what_worsened_and_a_rise_what_weighs_less(second: Reviewed) -> None:
    by_pd = second.cause == CAUSES.index("margin")
    falls = second.why[by_pd & (second.grade > second.grade_before)]
    rises = second.why[by_pd & (second.grade < second.grade_before) & (second.why != "")]
    assert all("less weight" not in why and "(-" in why for why in falls)
    assert all(why.startswith("less weight: ") and "(+" in why for why in rises)


def test_a_hard_trigger_is_the_first_reason(second: Reviewed) -> None:
    hit = second.cause == CAUSES.index("trigger")
    assert hit.any()
    assert all(why.startswith("past_due_30: days_past_due_last is ") for why in second.why[hit])


def test_limits_move_by_no_more_than_a_step(second: Reviewed, scorer: Scorer) -> None:
    rules = scorer.product.customers.review
    lived = second.limit_before > 0
    assert (second.limit[lived] <= second.limit_before[lived] * (1 + rules.limit_rise)).all()
    assert (second.decision[second.limit == 0] != 0).all()


def test_where_the_facts_are_old_a_person_decides_in_the_review_and_in_the_file(
    scorer: Scorer, book_source: Source, ledger: Ledger, day_of_month, second: Reviewed, previous: Previous
) -> None:
    fresh = make_scorer(scorer.bundle, scorer.product.model_copy(update={"freshness": Freshness(statements=1)}))
    day = day_of_month(SECOND) + 2
    parts = review(make_question(fresh, day, previous), book_source, Tally("the book", 0.0), lambda *_: None)
    book = joined(parts)
    assert (second.decision == DECISIONS.index("approve")).any()
    assert not (book.decision == DECISIONS.index("approve")).any()
    assert not (book.limit > np.nan_to_num(book.limit_before, nan=np.inf)).any()
    score = credit_file(fresh, book_source, ledger, str(book.customer_id[0]), day)["score"]
    assert score["decision"] != "approve"
    assert "stale:statements" in score["flags"]


def test_under_a_cap_the_book_is_exposed_by_no_more_than_is_drawn(second: Reviewed) -> None:
    drawn = float(np.nansum(np.maximum(second.drawn, 0)))
    rules = ReviewRules(exposure_feature="balance_last", portfolio_cap=drawn * 1.05)
    drawn_of = Drawn()
    drawn_of.add(second)
    (after,) = capped(iter([second]), *drawn_of.cut(rules))
    assert exposure(after.limit, after.drawn).sum() <= drawn * 1.05 + 1e-6
    assert after.limit.sum() < second.limit.sum()


@pytest.fixture(scope="module")
def kept(second: Reviewed, scorer: Scorer, day_of_month, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("kept")
    return keep([second], scorer.product, "m-1", day_of_month(SECOND), None, folder, AT)


def test_page_json_and_file_are_written_whole(kept) -> None:
    files = sorted(path.suffix for path in kept[0].page.parent.iterdir())
    assert files == [".html", ".json", ".parquet"]
    assert kept[0].page.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_the_page_needs_nothing_but_itself(kept) -> None:
    assert re.findall(r"(?:src|href)=", kept[0].page.read_text(encoding="utf-8")) == []


def test_the_json_says_what_the_arrays_say(kept, second: Reviewed) -> None:
    told = json.loads(kept[0].page.with_suffix(".json").read_text(encoding="utf-8"))
    assert told["customers"] == len(second)
    assert sum(map(sum, told["matrix"])) == (second.grade_before != NEW).sum()
    assert sum(grade["now"] for grade in told["grades"]) == len(second)
    assert told["changed"] == second.changed().sum()
    assert sum(grade["exposure"] for grade in told["grades"]) == pytest.approx(told["limit"]["exposure"])


def test_a_review_is_found_by_the_next_and_not_by_one_before(kept, tmp_path: Path, day_of_month) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.append([kept[1]])
    found = previous_of(ledger, kept[1].product, day_of_month(SECOND) + 1)
    assert found is not None
    assert found[1] == Previous(day_of_month(SECOND), kept[0].parquet)
    assert previous_of(ledger, kept[1].product, day_of_month(SECOND)) is None


def test_a_review_whose_file_was_changed_is_not_followed(kept, tmp_path: Path, day_of_month) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    other = tmp_path / "other.parquet"
    other.write_bytes(kept[0].parquet.read_bytes() + b"x")
    body = {**json.loads(kept[1].body), "file": str(other)}
    ledger.append([review_report.Entry("r", "review", kept[1].product, "x", AT, json.dumps(body).encode())])
    with pytest.raises(DataError, match="not the bytes"):
        previous_of(ledger, kept[1].product, day_of_month(SECOND) + 1)


def test_a_day_before_anything_was_known_is_refused(scorer: Scorer, book_source: Source, tmp_path: Path) -> None:
    nobody = review(make_question(scorer, 0, None), book_source, Tally("the book", 0.0), lambda *_: None)
    with pytest.raises(InputError, match="is the date right"):
        keep(nobody, scorer.product, "m", 0, None, tmp_path, AT)


def test_a_trigger_on_no_feature_is_told_with_the_nearest(scorer: Scorer, book_source: Source) -> None:
    trigger = Trigger(name="x", feature="days_past_due_lst", operator=">", bound=1, grade="E")
    rules = scorer.product.customers.model_copy(update={"review": ReviewRules(triggers=(trigger,))})
    wrong = make_scorer(scorer.bundle, scorer.product.model_copy(update={"customers": rules}))
    with pytest.raises(ConfigError, match="did you mean 'days_past_due_last'"):
        make_question(wrong, 19_000, None)


def test_a_trigger_to_no_grade_is_refused(shipped: Callable[[str], Product]) -> None:
    trigger = {"name": "x", "feature": "y", "operator": ">", "bound": 1, "grade": "Z"}
    values = {**shipped("trade_credit").model_dump(), "customers": {"review": {"triggers": [trigger]}}}
    with pytest.raises(ConfigError, match=r"customers.review.triggers.x.grade: no grade 'Z'"):
        parse(Product, values, "p")


def test_a_product_that_says_nothing_of_customers_is_written_as_before(shipped: Callable[[str], Product]) -> None:
    assert "customers" not in shipped("consumer_platform").model_dump()
    assert "customers" in shipped("trade_credit").model_dump()
