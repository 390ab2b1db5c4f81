"""What early-warning indicators read of a customer, held against what is on file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.customers import CustomerRules, Indicator
from configs.errors import ConfigError, InputError
from configs.settings import Product, parse
from features import load
from features.contracts import NEVER, Text, to_day
from features.outcome import Labels
from features.portfolio import Tally
from features.simulate import Portfolio
from monitoring.customers.indicators import hits, make_reader, readings
from monitoring.customers.warning import look_over, quality
from serving.score import Scorer, make_scorer

TO_DO = {"level": "high", "action": "Call", "owner": "somebody", "due_days": 5}
MONTH = 9


def indicator(**given: Any) -> Indicator:
    return Indicator(**{"name": "sign", "operator": ">=", "bound": 1.0, **TO_DO, **given})


LATE = indicator(name="late", feature="days_past_due_last", bound=30.0)
RISE = indicator(name="rise", feature="utilisation_last", compare="rise", window_months=3, bound=0.2)
DOUBLED = indicator(name="doubled", feature="default_probability", compare="ratio", window_months=3, bound=2.0)


@pytest.fixture(scope="session")
def scorer_with(scorer: Scorer):
    """The champion under a product with these indicators."""

    def made(*indicators: Indicator, **changed: Any) -> Scorer:
        rules = CustomerRules(warnings=indicators)
        return make_scorer(scorer.bundle, scorer.product.model_copy(update={"customers": rules, **changed}))

    return made


@pytest.fixture(scope="session")
def tables(unchanged: Portfolio, world):
    """The tables of the book, with dated outcomes of one month."""
    outcomes = unchanged.outcomes([MONTH]).drop(columns="true_pd")
    places = pd.Index(unchanged.customer_id).get_indexer(outcomes["customer_id"])
    months = unchanged.default_month[places]
    dates = [unchanged.month_ends[m] if m < len(unchanged.month_ends) else pd.NaT for m in months]
    outcomes["defaulted_on"] = pd.Series(dates).where(outcomes["defaulted"] == 1)
    return load.check_tables({**unchanged.tables, "outcomes": outcomes}, world.product, "simulation")


def asked(tables, day: int, customers: int = 200):
    ids = np.unique(tables["customers"]["customer_id"].to_objects().astype(str)).astype(object)[:customers]
    return ids, np.full(len(ids), day, np.int32)


def test_a_value_is_that_of_the_statement(scorer_with, tables, unchanged: Portfolio, day_of_month) -> None:
    ids, days = asked(tables, day_of_month(MONTH))
    read = readings(make_reader(scorer_with(LATE)), tables, ids, days)[:, 0]
    statements = unchanged.tables["statements"]
    now = statements[statements["month"] == unchanged.month_ends[MONTH]].set_index("customer_id")["days_past_due"]
    there = np.isin(ids, now.index)
    assert (read[there] == now[ids[there]].to_numpy()).all()
    assert (read[there] > 0).any()


def test_a_rise_is_over_the_window(scorer_with, tables, unchanged: Portfolio, day_of_month) -> None:
    ids, days = asked(tables, day_of_month(MONTH))
    read = readings(make_reader(scorer_with(RISE)), tables, ids, days)[:, 0]
    statements = unchanged.tables["statements"]
    used = statements.assign(used=statements["balance"] / statements["credit_limit"])
    used = used.pivot_table(index="customer_id", columns="month", values="used").reindex(ids)
    ends = unchanged.month_ends
    expected = (used[ends[MONTH]] - used[ends[MONTH - 3]]).to_numpy()
    both = np.isfinite(expected)
    np.testing.assert_allclose(read[both], expected[both])
    assert both.sum() > 100


def test_the_pd_is_compared_with_what_the_same_model_said_then(scorer_with, tables, day_of_month) -> None:
    scorer = scorer_with(DOUBLED)
    ids, days = asked(tables, day_of_month(MONTH))
    read = readings(make_reader(scorer), tables, ids, days)[:, 0]
    now = scorer.score(tables, ids, days).default_probability
    then = scorer.score(tables, ids, np.full(len(ids), day_of_month(MONTH - 3), np.int32)).default_probability
    np.testing.assert_array_equal(read, now / then)


def test_raw_facts_count_where_they_happened_and_were_known(scorer_with, shipped) -> None:
    product = shipped("trade_credit").model_copy(
        update={
            "customers": CustomerRules(warnings=(indicator(fact="investigations.type", says="court", window_months=3),))
        }
    )
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "a", "b"],
            "date": pd.to_datetime(["2024-05-01", "2024-06-10", "2024-02-01", "2024-06-20", "2024-06-01"]),
            "known_time": pd.to_datetime(["2024-05-01", "2024-06-10", "2024-02-01", "2024-08-01", "2024-06-01"]),
            "source": ["s", "t", "s", "s", "s"],
            "type": ["court", "court", "court", "court", "tax"],
            "severity": [1.0] * 5,
        }
    )
    found = load.check_tables({"investigations": frame}, product, "test")
    reader = make_reader(_only_product(scorer_with(LATE), product))
    days = np.full(3, to_day(pd.Timestamp("2024-06-30").date()), np.int32)
    read = readings(reader, found, np.array(["a", "b", "nobody"], object), days)
    assert read[:, 0].tolist() == [2.0, 0.0, 0.0]


def _only_product(scorer: Scorer, product: Product) -> Scorer:
    from dataclasses import replace

    return replace(scorer, product=product)


def test_what_is_missing_never_warns() -> None:
    below = indicator(name="below", feature="x", operator="<=")
    assert hits((LATE, below), np.array([[np.nan, np.nan], [30.0, 1.0], [29.9, 1.1]])).tolist() == [
        [False, False],
        [True, True],
        [False, False],
    ]


def test_a_book_in_parts_reads_as_in_one(scorer_with, book_source, day_of_month) -> None:
    reader = make_reader(scorer_with(LATE, RISE, DOUBLED))
    one, many = (
        list(look_over(reader, book_source, day_of_month(MONTH), Tally("b", 0.0), lambda *_: None, each))
        for each in (50_000, 90)
    )
    assert len(one) == 1
    assert len(many) > 2
    np.testing.assert_array_equal(one[0].values, np.concatenate([look.values for look in many]))


def test_quality_is_counted_by_hand(scorer_with, tables, unchanged: Portfolio, day_of_month) -> None:
    reader = make_reader(scorer_with(LATE))
    ids, days = asked(tables, day_of_month(MONTH), 3000)
    standing = unchanged.customer_id[unchanged.standing(MONTH)]
    ids = ids[np.isin(ids, standing)]
    default = unchanged.default_month[pd.Index(unchanged.customer_id).get_indexer(ids)]
    bad = default <= MONTH + unchanged.window_months
    days = days[: len(ids)]
    (found,) = quality(reader, tables, Labels(ids, days, bad.astype(np.int8), 0), NEVER - 1)
    hit = readings(reader, tables, ids, days)[:, 0] >= 30
    assert (found.hits, found.defaults_hit) == (hit.sum(), (hit & bad).sum())
    assert found.precision == pytest.approx(bad[hit].mean())
    assert found.lift == pytest.approx(bad[hit].mean() / bad.mean())
    assert found.recall == pytest.approx(hit[bad].mean())
    ends = unchanged.month_ends
    dated = default[hit & bad & (default < len(ends))]
    assert found.lead_days == np.median([(ends[month] - ends[MONTH]).days for month in dated])


def test_without_dates_of_default_there_is_no_lead_time(scorer_with, tables, day_of_month) -> None:
    ids, days = asked(tables, day_of_month(MONTH))
    undated = {
        **tables,
        "outcomes": {**tables["outcomes"], "defaulted_on": np.full_like(tables["outcomes"]["as_of"], 2**31 - 1)},
    }
    labels = Labels(ids, days, np.ones(len(ids), np.int8), 0)
    (found,) = quality(make_reader(scorer_with(LATE)), undated, labels, NEVER - 1)
    assert found.lead_days is None


def test_the_day_of_default_is_that_of_the_version_known_last(scorer_with, tables, day_of_month) -> None:
    ids, days = asked(tables, day_of_month(MONTH))
    outcomes = {
        "customer_id": Text.of(np.repeat(ids, 3)),
        "as_of": np.repeat(days, 3),
        "known_time": np.tile(np.array([200, 300, 100], np.int32), len(ids)) + days[0],
        "defaulted_on": np.tile(np.array([20, 30, 10], np.int32), len(ids)) + days[0],
    }
    labels = Labels(ids, days, np.ones(len(ids), np.int8), 0)
    reader = make_reader(scorer_with(indicator(name="late", feature="days_past_due_last", bound=0.0)))
    leads = [
        quality(reader, {**tables, "outcomes": outcomes}, labels, int(days[0]) + now)[0].lead_days
        for now in (150, 250, 350)
    ]
    assert leads == [10.0, 20.0, 30.0]


def test_a_product_without_indicators_is_told_where_they_go(scorer_with) -> None:
    with pytest.raises(InputError, match=r"add \[\[customers.warnings\]\]"):
        make_reader(scorer_with())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"feature": "utilisation_lst"}, "did you mean 'utilisation_last'"),
        ({"fact": "invoices.invoice_id", "says": "x", "window_months": 1}, "no table 'invoices'"),
        ({"fact": "statements.balance", "says": "x", "window_months": 1}, "no text column 'balance'"),
    ],
)
def test_an_indicator_on_nothing_is_refused(scorer_with, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make_reader(scorer_with(indicator(**given)))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "say either feature or fact"),
        ({"feature": "x", "compare": "rise"}, "window_months is missing"),
        ({"fact": "a.b", "window_months": 1}, "fact and says belong together"),
    ],
)
def test_an_indicator_that_says_too_little_is_refused(shipped, given: dict[str, Any], told: str) -> None:
    one = {"name": "sign", "operator": ">=", "bound": 1.0, **TO_DO, **given}
    with pytest.raises(ConfigError, match=told):
        parse(Product, {**shipped("consumer_platform").model_dump(), "customers": {"warnings": [one]}}, "p")
