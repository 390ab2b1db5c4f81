"""Every declared feature, recomputed in SQL by DuckDB from what the documentation says, over random books."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import matrix
from features.catalogue import DECLARED, compile_program
from features.contracts import to_day
from features.declaration import Constant, Expression, Operation, Series, Statistic
from features.history import ASSESSED, INVESTIGATED, STREAMS

duckdb = pytest.importorskip("duckdb", reason="the SQL oracle needs DuckDB: pip install duckdb (group dev)")

NAN = float("nan")
CUSTOMERS = "abcdefghijklmnopqrstuvwxyz"
AS_OF = (  # month ends and not, before, amid and after the histories
    dt.date(2020, 5, 5),
    dt.date(2022, 2, 28),
    dt.date(2022, 12, 31),
    dt.date(2023, 3, 30),
    dt.date(2023, 7, 14),
    dt.date(2024, 2, 29),
    dt.date(2027, 1, 1),
)
EVENT = {
    "customers": "since",
    "statements": "month",
    "financials": "period_end",
    "invoices": "issued",
    "investigations": "date",
    "questionnaires": "date",
}
KEY = {
    "customers": ["customer_id"],
    "statements": ["account_id", "month"],
    "financials": ["period_end"],
    "invoices": ["invoice_id"],
    "investigations": ["source", "type", "date"],
    "questionnaires": ["item", "date"],
}

# A row is known from known_time on, and the version known last of its key is the one that holds.
VERSIONS = """
CREATE OR REPLACE TABLE {table}_versions AS
SELECT raw.*, question.as_of,
    row_number() OVER (
        PARTITION BY raw.customer_id, question.as_of, {key} ORDER BY coalesce(known_time, {event}) DESC
    ) = 1 AS newest
FROM {table} AS raw JOIN question USING (customer_id)
WHERE coalesce(known_time, {event}) <= question.as_of
"""
FLAG = "CASE WHEN {known} IS NULL THEN NULL ELSE ({flag})::INT::DOUBLE END"


def when(known: str, flag: str) -> str:
    """1 or 0 where `known` is known."""
    return FLAG.format(known=known, flag=flag)


# What each stream makes of the rows of its table: the day a row counts from, whether it holds, and derived numbers.
UNPAID = "newest AND (paid IS NULL OR paid > as_of)"
DERIVED: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "customers": ("customers", "since", "newest", {"rows": "1.0"}),
    "statements": (
        "statements",
        "month",
        "newest",
        {
            "rows": "1.0",
            "over_30_days": when("days_past_due", "days_past_due >= 30"),
            "over_60_days": when("days_past_due", "days_past_due >= 60"),
            "unpaid": when("amount_paid + amount_due", "amount_due > 0 AND amount_paid = 0"),
            "over_90_percent": when("balance + nullif(credit_limit, 0)", "balance > 0.9 * credit_limit"),
        },
    ),
    "financials": ("financials", "period_end", "newest", {"loss": when("net_income", "net_income < 0")}),
    "invoices": ("invoices", "issued", "newest", {"rows": "1.0", "amount_squared": "amount * amount"}),
    "open_invoices": ("invoices", "issued", UNPAID, {}),
    "overdue_invoices": ("invoices", "due + 1", UNPAID, {}),
    "paid_invoices": (
        "invoices",
        "paid",
        "newest",
        {"days_beyond_terms": "(paid - due)::DOUBLE", "late_amount": "CASE WHEN paid > due THEN amount ELSE 0 END"},
    ),
    "investigations": (
        "investigations",
        "date",
        "newest",
        {"rows": "1.0", "severe": when("severity", "severity >= 3")}
        | {kind: f"(type = '{kind}')::INT::DOUBLE" for kind in INVESTIGATED}
        | {f"{kind}_severity": f"CASE WHEN type = '{kind}' THEN severity END" for kind in INVESTIGATED}
        | {f"{kind}_amount": f"CASE WHEN type = '{kind}' THEN amount ELSE 0 END" for kind in INVESTIGATED},
    ),
    "questionnaires": (
        "questionnaires",
        "date",
        "newest",
        {"rows": "1.0"} | {item: f"CASE WHEN item = '{item}' THEN level::DOUBLE END" for item in ASSESSED},
    ),
}
FACTS = """
CREATE OR REPLACE TABLE {stream}_facts AS
SELECT *{derived}, {day} AS day, {holds} AS holds FROM {table}_versions WHERE {day} <= as_of
"""

# Of several accounts on one day the worst counts, money adds up; whatever else happens on one day stays apart.
WORST = ("days_past_due", "over_30_days", "over_60_days", "unpaid", "over_90_percent", "rows")
PANEL = """
WITH facts AS (
    SELECT customer_id, as_of, day, holds, {over}::DOUBLE AS over, {under}::DOUBLE AS under
    FROM {stream}_facts WHERE {over} IS NOT NULL AND {under} IS NOT NULL
),
seen AS (SELECT DISTINCT customer_id, as_of FROM facts),
folded AS ({folded}),
wanted AS (
    SELECT customer_id, as_of, day, over / under AS value FROM folded WHERE under > 0 AND {inside}
),
stepped AS (
    SELECT *, lag(value) OVER past AS before, date_diff('day', as_of, day) / 30.4375 AS month
    FROM wanted WINDOW past AS (PARTITION BY customer_id, as_of ORDER BY day)
)
SELECT customer_id, as_of,
    count(value) AS count,
    coalesce(sum(value), 0) AS total,
    avg(value) AS mean,
    max(value) AS max,
    min(value) AS min,
    CASE WHEN count(value) > 1 THEN stddev_samp(value) END AS deviation,
    CASE WHEN count(DISTINCT day) > 1 THEN regr_slope(value, month) END AS slope,
    arg_max(value, day) AS last,
    list(value ORDER BY day DESC)[2] AS previous,
    count(*) FILTER (value > 0) AS positives,
    date_diff('day', min(day), as_of) AS days_since_first,
    date_diff('day', max(day), as_of) AS days_since_last,
    date_diff('day', max(day) FILTER (value > 0), as_of) AS days_since_positive,
    count(*) FILTER (value > before) AS rises,
    count(*) FILTER (value < before) AS falls
FROM seen LEFT JOIN stepped USING (customer_id, as_of) GROUP BY customer_id, as_of
"""
APART = "SELECT customer_id, as_of, day, over, under FROM facts WHERE holds"
TOGETHER = """
    SELECT customer_id, as_of, day, {fold}(over) AS over, {under}(under) AS under
    FROM facts WHERE holds GROUP BY customer_id, as_of, day
"""
# The window holds the days after the same day `months` before; from a month end it goes to a month end.
INSIDE = """day > CASE WHEN as_of = last_day(as_of) THEN last_day((as_of - INTERVAL {months} MONTH)::DATE)
                       ELSE (as_of - INTERVAL {months} MONTH)::DATE END"""

Answers = dict[tuple[str, dt.date], float]


class Oracle:
    """DuckDB over raw frames: any statistic of any series at every question."""

    def __init__(self, frames: Mapping[str, pd.DataFrame], questions: list[tuple[str, dt.date]]) -> None:
        self.database = duckdb.connect()
        self.questions = questions
        asked = pd.DataFrame(questions, columns=["customer_id", "as_of"])
        self._put("question", asked)
        for table, frame in frames.items():
            self._put(table, frame)
            self._run(VERSIONS, table=table, event=EVENT[table], key=", ".join(f"raw.{k}" for k in KEY[table]))
        for stream, (table, day, holds, columns) in DERIVED.items():
            derived = "".join(f", {formula} AS {name}" for name, formula in columns.items())
            self._run(FACTS, stream=stream, table=table, day=day, holds=holds, derived=derived)
        self.panel = cache(self._panel)

    def _put(self, name: str, frame: pd.DataFrame) -> None:
        self.database.register("frame", pa.Table.from_pandas(frame, preserve_index=False))  # missing becomes NULL
        dates = [c for c in ("known_time", "as_of", *EVENT.values(), "due", "paid") if c in frame.columns]
        replaced = ", ".join(f"{c}::DATE AS {c}" for c in dict.fromkeys(dates))
        self._run(f"CREATE OR REPLACE TABLE {name} AS SELECT * REPLACE ({replaced}) FROM frame")
        self.database.unregister("frame")

    def _run(self, query: str, **parts: str) -> Any:
        return self.database.execute(query.format(**parts))

    def _panel(self, series: Series, months: int) -> dict[str, Answers]:
        """Every statistic of a series over one window."""
        fold = "max" if series.numerator in WORST else "sum"
        together = TOGETHER.format(fold=fold, under=fold if series.denominator else "max")
        found = self._run(
            PANEL,
            stream=series.stream,
            over=series.numerator,
            under=series.denominator or "1.0",
            folded=together if series.stream == "statements" else APART,
            inside=INSIDE.format(months=months) if months else "true",
        ).fetchall()
        names = [column[0] for column in self.database.description][2:]
        return {
            name: {(row[0], row[1]): NAN if row[place + 2] is None else float(row[place + 2]) for row in found}
            for place, name in enumerate(names)
        }

    def values(self, formula: Expression) -> np.ndarray:
        """A formula at every question; over zero or less it is missing, and so is what is not finite."""
        if isinstance(formula, Statistic):
            answers = self.panel(formula.series, formula.months)[formula.name]
            return np.array([answers.get(question, NAN) for question in self.questions])
        if isinstance(formula, Constant):
            return np.full(len(self.questions), formula.value)
        assert isinstance(formula, Operation)
        left, right = self.values(formula.left), self.values(formula.right)
        if formula.name == "divide":
            return left / np.where(right > 0, right, NAN)
        joined = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}
        return {**joined, "larger": np.maximum, "smaller": np.minimum}[formula.name](left, right)


def disagreeing(found: np.ndarray, expected: np.ndarray, questions: list[tuple[str, dt.date]]) -> list[Any]:
    near = np.isclose(found, expected, rtol=1e-9, atol=1e-9, equal_nan=True)
    return [(*questions[i], found[i], expected[i]) for i in np.flatnonzero(~near)[:5]]


@pytest.mark.parametrize("seed", range(4))
def test_every_feature_agrees_with_sql_over_a_random_book(seed: int, histories_of, tables_of, asked) -> None:
    frames = histories_of(seed, CUSTOMERS)
    questions = list(itertools.product(CUSTOMERS, AS_OF))
    oracle = Oracle(frames, questions)
    tables = tables_of("trade_credit", {name: frame.to_dict("list") for name, frame in frames.items()})
    found = matrix.build(compile_program(DECLARED), tables, *asked(*questions))
    wrong = {
        item.name: bad
        for place, item in enumerate(DECLARED)
        if (bad := disagreeing(found[:, place], oracle.values(item.formula), questions))
    }
    assert wrong == {}


def test_most_features_have_a_value_in_the_random_books(histories_of, tables_of, asked) -> None:
    # An oracle that agrees on nothing but missing values would prove nothing.
    frames = histories_of(0, CUSTOMERS)
    tables = tables_of("trade_credit", {name: frame.to_dict("list") for name, frame in frames.items()})
    found = matrix.build(compile_program(DECLARED), tables, *asked(*itertools.product(CUSTOMERS, AS_OF)))
    there = (~np.isnan(found)).sum(0)
    assert {item.name: int(n) for item, n in zip(DECLARED, there, strict=True) if n < 15} == {}


def test_the_oracle_knows_every_stream_and_what_it_derives() -> None:
    assert set(DERIVED) == set(STREAMS)
    for stream, (table, *_, derived) in DERIVED.items():
        assert table == STREAMS[stream].table
        assert set(derived) <= set(STREAMS[stream].columns)


@pytest.mark.parametrize(
    ("as_of", "months", "day"),
    [
        ("2023-06-30", 3, "2023-03-31"),
        ("2024-02-29", 12, "2023-02-28"),
        ("2024-03-31", 1, "2024-02-29"),
        ("2023-03-30", 1, "2023-02-28"),
        ("2023-06-15", 3, "2023-03-15"),
    ],
)
def test_the_oracles_window_is_that_worked_by_hand(as_of: str, months: int, day: str) -> None:
    start = re.sub(r"^day > ", "", INSIDE.format(months=months))
    found = duckdb.sql(f"SELECT {start} FROM (SELECT DATE '{as_of}' AS as_of)").fetchall()
    assert found == [(dt.date.fromisoformat(day),)]
    start_days = matrix.window_starts(np.array([to_day(dt.date.fromisoformat(as_of))], np.int32), (months,))
    assert start_days.tolist() == [[to_day(dt.date.fromisoformat(day))]]
