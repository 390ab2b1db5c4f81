"""Data quality: numbers worked by hand, and a page that needs nothing but itself."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from configs.settings import Freshness, Product
from features.contracts import to_day
from features.load import Loaded, load
from features.quality import Quality, TableSummary, page, quarantine_csv, stale, summarise
from features.sources import Frames

AS_OF = to_day(dt.date(2023, 4, 10))


def tables() -> dict[str, pd.DataFrame]:
    """Three customers; five statements, of which the last cannot be and the one before lies ahead."""
    plain = dict.fromkeys(("credit_limit", "amount_due", "amount_paid"), 1.0)
    statements = {
        "customer_id": ["a", "a", "b", "b", "b"],
        "account_id": ["x", "x", "x", "<b>y</b>", "x"],
        "month": ["2023-01-31", "2023-02-28", "2023-03-31", "2023-05-31", "2023-01-31"],
        "balance": [10.0, None, 30.0, 10.0, 99.0],
        "days_past_due": [0.0, 30.0, 0.0, 0.0, -1.0],
        **plain,
    }
    customers = {"customer_id": ["a", "b", "c"], "since": ["2020-01-01", "2021-06-30", "2019-12-31"], "kind": "company"}
    return {"customers": pd.DataFrame(customers), "statements": pd.DataFrame(statements)}


@pytest.fixture
def product(shipped) -> Product:
    """A product of two tables."""
    return shipped("bank_lending").model_copy(update={"tables": ("customers", "statements")})


@pytest.fixture
def loaded(product: Product) -> Loaded:
    return load(Frames(tables(), "here"), product, quarantine_share=1.0)


@pytest.fixture
def quality(loaded: Loaded) -> Quality:
    return summarise(loaded, "<script>here</script>", AS_OF)


def table(quality: Quality, name: str) -> TableSummary:
    return next(item for item in quality.tables if item.name == name)


def test_rows_customers_freshness_and_rows_set_aside_are_those_counted_by_hand(quality: Quality) -> None:
    found = table(quality, "statements")
    assert (found.rows, found.customers, found.newest, found.age_days, found.set_aside) == (4, 2, "2023-03-31", 10, 1)
    found = table(quality, "customers")
    assert (found.rows, found.customers, found.newest, found.set_aside) == (3, 3, "2021-06-30", 0)


@pytest.mark.parametrize(
    ("column", "missing", "low", "high", "distinct"),
    [
        ("balance", 0.25, "10", "30", 2),
        ("days_past_due", 0.0, "0", "30", 2),
        ("month", 0.0, "2023-01-31", "2023-05-31", 4),
        ("account_id", 0.0, "<b>y</b>", "x", 2),
        ("inflow", 1.0, "", "", 0),
        ("known_time", 0.0, "2023-01-31", "2023-05-31", 4),
    ],
)
def test_a_column_is_summarised_as_by_hand(
    column: str, missing: float, low: str, high: str, distinct: int, quality: Quality
) -> None:
    found = next(item for item in table(quality, "statements").columns if item.name == column)
    assert (found.missing, found.low, found.high, found.distinct) == (missing, low, high, distinct)


def test_the_reasons_of_rows_set_aside_are_counted_with_the_first_row(quality: Quality) -> None:
    assert quality.reasons == (
        {"table": "statements", "column": "days_past_due", "reason": "outside [0, 10000]", "rows": 1, "first": 5},
    )


def test_a_clean_source_has_no_reasons(product: Product) -> None:
    clean = tables()
    clean["statements"] = clean["statements"].iloc[:4]
    quality = summarise(load(Frames(clean, "here"), product), "here", AS_OF)
    assert quality.reasons == ()
    assert "Every row holds its contract." in page(quality)


def test_a_table_with_nothing_before_the_day_has_no_age(loaded: Loaded) -> None:
    found = table(summarise(loaded, "here", to_day(dt.date(2010, 1, 1))), "statements")
    assert (found.newest, found.age_days) == ("never", -1)


def test_a_table_whose_every_row_is_bad_is_empty_not_an_error(product: Product) -> None:
    frames = tables()
    frames["statements"]["days_past_due"] = -1.0
    quality = summarise(load(Frames(frames, "here"), product, quarantine_share=1.0), "here", AS_OF)
    found = table(quality, "statements")
    assert (found.rows, found.customers, found.newest, found.set_aside) == (0, 0, "never", 5)
    assert page(quality)


def test_the_summary_is_plain_json(quality: Quality) -> None:
    again = json.loads(json.dumps(quality.to_json(), allow_nan=False))
    assert again["as_of"] == "2023-04-10"
    assert [item["name"] for item in again["tables"]] == ["customers", "statements"]
    assert again["reasons"][0]["rows"] == 1


def test_the_page_needs_nothing_but_itself(quality: Quality) -> None:
    text = page(quality)
    assert re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!#)[^\"'\s>]+", text) == []
    assert "http" not in text
    assert "@import" not in text
    assert (
        set(re.findall(r'href="#(\w+)"', text)) == {"customers", "statements"} <= set(re.findall(r'id="(\w+)"', text))
    )


def test_the_page_escapes_what_the_data_say(quality: Quality) -> None:
    text = page(quality)
    assert "<script" not in text
    assert "<b>y</b>" not in text
    assert "&lt;b&gt;y&lt;/b&gt;" in text


def test_the_page_shows_the_numbers(quality: Quality) -> None:
    text = page(quality)
    for shown in ("2023-03-31", "outside [0, 10000]", "25.0 %", "100.0 %"):
        assert shown in text


def test_the_quarantine_is_written_with_a_line_for_each_breach(loaded: Loaded, tmp_path: Path) -> None:
    path = tmp_path / "quarantine" / "p.csv"
    quarantine_csv(loaded.quarantine, path)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "table,row,column,reason",
        'statements,5,days_past_due,"outside [0, 10000]"',
    ]
    assert [item.name for item in path.parent.iterdir()] == ["p.csv"]


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ({"statements": 10}, []),
        ({"statements": 9}, ["statements: the newest event is of 2023-03-31; freshness.statements allows 9 days"]),
        ({"invoices": 1}, []),  # not a table of this product
    ],
)
def test_a_table_older_than_its_product_allows_is_told(days: dict[str, int], told: list[str], loaded: Loaded) -> None:
    assert stale(loaded.tables, Freshness(**days), AS_OF) == told


def test_a_table_without_a_past_event_is_never_fresh(loaded: Loaded) -> None:
    assert stale(loaded.tables, Freshness(statements=10_000), to_day(dt.date(2000, 1, 1)))[0].startswith("statements: ")
