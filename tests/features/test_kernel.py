"""Every statistic and a good sample of features, recomputed in plain words from the documentation."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import catalogue, history, kernel, matrix
from features.catalogue import Program, compile_program
from features.declaration import Expression, Feature, Series, Statistic

NAN = float("nan")
WINDOWS = (0, 1, 3, 12)
SERIES = (
    ("statements", "balance", None),  # two accounts of a day: their sum
    ("statements", "balance", "credit_limit"),  # the ratio of their sums
    ("statements", "days_past_due", None),  # the worse of the two
    ("statements", "over_30_days", None),
    ("statements", "unpaid", None),
    ("statements", "rows", None),
    ("customers", "rows", None),
    ("financials", "net_income", None),
    ("financials", "total_liabilities", "total_assets"),
    ("invoices", "amount", None),
    ("invoices", "disputed", None),
    ("open_invoices", "amount", None),
    ("overdue_invoices", "amount", None),
    ("paid_invoices", "days_beyond_terms", None),
    ("paid_invoices", "late_amount", None),
)
TWO_ON_A_DAY = ("invoices", "open_invoices", "overdue_invoices", "paid_invoices")
ORDERED = ("last", "previous")  # which of two facts of one day comes last is not promised


def months_before(day: dt.date, months: int) -> dt.date:
    """The same day of the earlier month or its end; a month end goes to a month end."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    length = calendar.monthrange(year, month + 1)[1]
    at_end = day.day == calendar.monthrange(day.year, day.month)[1]
    return dt.date(year, month + 1, length if at_end else min(day.day, length))


def summarised(facts: list[tuple[dt.date, float]], seen: bool, as_of: dt.date, name: str) -> float:
    """A statistic of (day, value) facts in the order of their days; missing where none was ever seen."""
    if not seen:
        return NAN
    values, days = np.array([value for _, value in facts]), [(as_of - day).days for day, _ in facts]
    late = [(as_of - day).days for day, value in facts if value > 0]
    few = {"count": len(values), "total": values.sum(), "positives": len(late)}
    if name in few:
        return float(few[name])
    if not len(values):
        return NAN
    worked: dict[str, Callable[[], float]] = {
        "mean": lambda: values.mean(),
        "max": lambda: values.max(),
        "min": lambda: values.min(),
        "deviation": lambda: np.std(values, ddof=1) if len(values) > 1 else NAN,
        "slope": lambda: slope(np.array(days) / -30.4375, values),
        "last": lambda: values[-1],
        "previous": lambda: values[-2] if len(values) > 1 else NAN,
        "days_since_first": lambda: max(days),
        "days_since_last": lambda: min(days),
        "days_since_positive": lambda: min(late, default=NAN),
    }
    return float(worked[name]())


def slope(months: np.ndarray, values: np.ndarray) -> float:
    """Least squares; missing without two different days."""
    if len(np.unique(months)) < 2:
        return NAN
    return float(np.linalg.lstsq(np.column_stack([months, np.ones(len(months))]), values, rcond=None)[0][0])


Row = dict[str, Any]
EVENT = {"statements": "month", "customers": "since", "financials": "period_end", "invoices": "issued"}
KEY = {
    "statements": ("account_id", "month"),
    "customers": (),
    "financials": ("period_end",),
    "invoices": ("invoice_id",),
}
WORST = ("days_past_due", "over_30_days", "over_60_days", "unpaid", "rows")


class Oracle:
    """What one customer looks like at `as_of`, by the words of the design and nothing else."""

    def __init__(self, frames: dict[str, pd.DataFrame], customer: str, as_of: dt.date) -> None:
        self.as_of = as_of
        self.facts = cache(self._facts)
        self.tables = {}
        for table, frame in frames.items():
            rows = [row for row in frame.to_dict("records") if row["customer_id"] == customer]
            rows = [{name: None if pd.isna(value) else value for name, value in row.items()} for row in rows]
            self.tables[table] = self._known(table, rows)

    def _known(self, table: str, rows: list[Row]) -> list[Row]:
        """The rows known by now, the newest version of each marked as the one that holds."""
        for row in rows:
            row |= {"day": row[EVENT[table]], "known": row["known_time"] or row[EVENT[table]], "rows": 1.0}
        rows = sorted((row for row in rows if row["known"] <= self.as_of), key=lambda row: row["known"])
        newest = {tuple(row[name] for name in KEY[table]): row for row in rows}
        return [{**row, "holds": any(row is last for last in newest.values())} for row in rows]

    def statistic(self, stream: str, over: str, under: str | None, name: str, months: int = 0) -> float:
        facts, seen = self.facts(stream, over, under)
        if months:
            facts = [fact for fact in facts if fact[0] > months_before(self.as_of, months)]
        return summarised(facts, seen, self.as_of, name)

    def _facts(self, stream: str, over: str, under: str | None) -> tuple[list[tuple[dt.date, float]], bool]:
        table = "invoices" if stream.endswith("invoices") else stream
        rows = [derived for row in self.tables[table] for derived in self._derived(stream, row)]
        rows = [row for row in rows if row[over] is not None and (under is None or row[under] is not None)]
        days: dict[Any, list[Row]] = {}
        for place, row in enumerate(row for row in rows if row["holds"]):
            days.setdefault(row["day"] if stream == "statements" else (row["day"], place), []).append(row)
        facts = []
        for _, facts_of_day in sorted(days.items()):
            join = max if over in WORST else sum
            value = join(row[over] for row in facts_of_day)
            below = join(row[under] for row in facts_of_day) if under else 1.0
            if below > 0:
                facts.append((facts_of_day[0]["day"], value / below if under else value))
        return facts, bool(rows)

    def _derived(self, stream: str, row: Row) -> list[Row]:
        """What a stream makes of a row; nothing where the row is no fact of the stream yet."""
        paid = row.get("paid") is not None and row["paid"] <= self.as_of
        if stream == "statements":
            return [{**row, **_flags(row["days_past_due"], row["amount_paid"], row["amount_due"])}]
        if stream == "open_invoices":
            return [{**row, "holds": row["holds"] and not paid}]
        if stream == "overdue_invoices":
            overdue_from = row["due"] + dt.timedelta(1)
            late = {**row, "day": overdue_from, "holds": row["holds"] and not paid}
            return [late] if overdue_from <= self.as_of else []
        if stream == "paid_invoices":
            beyond = (row["paid"] - row["due"]).days if paid else 0
            late_amount = row["amount"] if beyond > 0 else 0.0
            made = {"day": row["paid"], "days_beyond_terms": beyond, "late_amount": late_amount}
            return [{**row, **made}] if paid else []
        return [row]


def _flags(late: float | None, paid: float | None, due: float | None) -> Row:
    return {
        "over_30_days": None if late is None else float(late >= 30),
        "over_60_days": None if late is None else float(late >= 60),
        "unpaid": None if paid is None or due is None else float(due > 0 and paid == 0),
    }


def random_frames(seed: int) -> dict[str, pd.DataFrame]:
    """Ragged tables of customers `a` and `b`: gaps, late and restated rows, missing values, zeros."""
    rng = np.random.default_rng(seed)
    return {
        "customers": _customers(rng),
        "statements": _statements(rng),
        "financials": _financials(rng),
        "invoices": _invoices(rng),
    }


def _customers(rng: np.random.Generator) -> pd.DataFrame:
    since = [dt.date(2021, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 900, 2)]
    return pd.DataFrame({"customer_id": ["a", "b"], "since": since, "known_time": None})


def _some_missing(rng: np.random.Generator, values: np.ndarray, share: float = 0.15) -> np.ndarray:
    return np.where(rng.random(len(values)) < share, np.nan, values)


def _statements(rng: np.random.Generator) -> pd.DataFrame:
    ends = [day.date() for day in pd.date_range("2021-09-30", periods=30, freq="ME")]
    keys = [(c, a, m) for c in "ab" for a in "xy" for m in ends if rng.random() < 0.5]
    rows = [(*key, key[2] + dt.timedelta(int(lag)), 0) for key in keys for lag in [rng.integers(0, 20)]]
    rows += [(*row[:3], row[3] + dt.timedelta(45), 1) for row in rows if rng.random() < 0.2]  # restated
    n = len(rows)
    frame = pd.DataFrame(rows, columns=["customer_id", "account_id", "month", "known_time", "_"])
    return frame.drop(columns="_").assign(
        balance=_some_missing(rng, rng.normal(500, 400, n).round(2)),
        credit_limit=_some_missing(rng, rng.choice([0.0, 1000.0, 2500.0], n)),
        amount_due=_some_missing(rng, rng.choice([0.0, 10.0, 99.9, 120.5], n)),
        amount_paid=_some_missing(rng, rng.choice([0.0, 10.0, 55.5], n)),
        days_past_due=_some_missing(rng, rng.choice([0.0, 0.0, 29.0, 30.0, 61.0], n)),
        inflow=_some_missing(rng, rng.gamma(2.0, 500.0, n).round(2)),
        outflow=_some_missing(rng, rng.gamma(2.0, 450.0, n).round(2)),
        transactions=_some_missing(rng, rng.poisson(12, n).astype(float)),
    )


def _financials(rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        (c, dt.date(year, 12, 31), dt.date(year + 1, int(rng.integers(2, 9)), 15))
        for c in "ab"
        for year in range(2018, 2024)
        if rng.random() < 0.7
    ]
    rows += [(c, end, known + dt.timedelta(60)) for c, end, known in rows if rng.random() < 0.3]
    frame = pd.DataFrame(rows, columns=["customer_id", "period_end", "known_time"])
    names = [n for n, c in history.STREAMS["financials"].columns.items()]
    signed = ("net_income", "equity", "ebit", "interest", "operating_cash_flow", "cost_of_sales")
    draw = {n: rng.normal(100, 80, len(rows)).round(2) for n in names}
    return frame.assign(**{n: _some_missing(rng, v if n in signed else np.maximum(v, 0.0)) for n, v in draw.items()})


def _invoices(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for number in range(int(rng.integers(0, 60))):
        issued = dt.date(2021, 6, 1) + dt.timedelta(int(rng.integers(0, 1000)))
        due = issued + dt.timedelta(int(rng.choice([0, 30, 60])))
        paid = None if rng.random() < 0.2 else issued + dt.timedelta(int(rng.integers(0, 120)))
        first = (rng.choice(["a", "b"]), f"{number}", issued, due, paid, issued)
        rows.append(first)
        if rng.random() < 0.25:  # restated: what was open turns out to be paid, or the other way round
            turned = None if paid else issued + dt.timedelta(20)
            rows.append((*first[:4], turned, issued + dt.timedelta(int(rng.integers(1, 90)))))
    names = ["customer_id", "invoice_id", "issued", "due", "paid", "known_time"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.assign(
        amount=rng.gamma(2.0, 800.0, len(rows)).round(2),
        disputed=_some_missing(rng, rng.integers(0, 2, len(rows)).astype(float)),
    )


def statistic_program() -> tuple[Program, list[Statistic]]:
    """Every statistic of every series over every window, each a feature of its own."""
    leaves = [
        Statistic(Series(*series), name, months)
        for series in SERIES
        for name in kernel.STATISTICS
        for months in WINDOWS
        if not (series[0] in TWO_ON_A_DAY and name in ORDERED)
    ]
    plain = {"meaning": "m", "unit": "u", "risk": "unknown", "reason": "r", "reason_zh": "r"}
    features = [Feature(name=str(leaf), group="behavioral", formula=leaf, **plain) for leaf in leaves]
    return compile_program(tuple(features)), leaves


PROGRAM, LEAVES = statistic_program()
AS_OF = (dt.date(2022, 12, 31), dt.date(2023, 3, 30), dt.date(2024, 2, 29))
on_random_histories = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def agree(found: np.ndarray, expected: list[float], names: list[str]) -> None:
    want = np.array(expected)
    near = np.isclose(found, want, rtol=1e-9, atol=1e-9, equal_nan=True)
    wrong = [(names[i], found[i], want[i]) for i in np.flatnonzero(~near)]
    assert wrong == []


@given(seed=st.integers(0, 2**32 - 1), as_of=st.sampled_from(AS_OF))
@on_random_histories
def test_every_statistic_agrees_with_the_oracle(seed: int, as_of: dt.date, tables_of, asked) -> None:
    frames = random_frames(seed)
    tables = tables_of("trade_credit", {name: frame.to_dict("list") for name, frame in frames.items()})
    found = matrix.build(PROGRAM, tables, *asked(("a", as_of), ("b", as_of)))
    for row, customer in enumerate("ab"):
        oracle = Oracle(frames, customer, as_of)
        expected = [
            oracle.statistic(s.stream, s.numerator, s.denominator, leaf.name, leaf.months)
            for leaf in LEAVES
            for s in [leaf.series]
        ]
        agree(found[row], expected, list(PROGRAM.names))


def over(top: float, bottom: float) -> float:
    """A ratio; over zero, less, or missing it is missing."""
    return top / bottom if bottom > 0 else NAN


def of(stream: str, name: str, months: int = 0, column: str = "rows", under: str | None = None) -> Any:
    return lambda oracle: oracle.statistic(stream, column, under, name, months)


def accounts(name: str, column: str, months: int = 0, under: str | None = None) -> Any:
    return of("statements", name, months, column, under)


def reports(name: str, column: str, months: int = 0, under: str | None = None) -> Any:
    return of("financials", name, months, column, under)


def ratio(top: Callable[[Oracle], float], bottom: Callable[[Oracle], float], times: float = 1.0) -> Any:
    return lambda oracle: over(top(oracle), bottom(oracle)) * times


def less(top: Callable[[Oracle], float], taken: Callable[[Oracle], float]) -> Any:
    return lambda oracle: top(oracle) - taken(oracle)


INVOICED_MONTHLY = lambda oracle: of("invoices", "total", 12, "amount")(oracle) / 12  # noqa: E731
BY_HAND: dict[str, Callable[[Oracle], float]] = {
    "utilisation_last": accounts("last", "balance", 0, "credit_limit"),
    "utilisation_mean_3m": accounts("mean", "balance", 3, "credit_limit"),
    "utilisation_deviation_6m": accounts("deviation", "balance", 6, "credit_limit"),
    "utilisation_slope_6m": accounts("slope", "balance", 6, "credit_limit"),
    "balance_change_6m": ratio(accounts("slope", "balance", 6), accounts("mean", "balance", 6)),
    "payment_ratio_min_6m": accounts("min", "amount_paid", 6, "amount_due"),
    "paid_share_6m": ratio(accounts("total", "amount_paid", 6), accounts("total", "amount_due", 6)),
    "months_without_payment_6m": accounts("positives", "unpaid", 6),
    "days_past_due_previous": accounts("previous", "days_past_due"),
    "days_past_due_max_12m": accounts("max", "days_past_due", 12),
    "months_late_3m": accounts("positives", "days_past_due", 3),
    "months_over_30_days_12m": accounts("positives", "over_30_days", 12),
    "months_over_60_days_12m": accounts("positives", "over_60_days", 12),
    "days_since_late": accounts("days_since_positive", "days_past_due"),
    "inflow_variation_6m": ratio(accounts("deviation", "inflow", 6), accounts("mean", "inflow", 6)),
    "outflow_to_inflow_6m": ratio(accounts("total", "outflow", 6), accounts("total", "inflow", 6)),
    "transactions_mean_3m": accounts("mean", "transactions", 3),
    "days_on_book": accounts("days_since_first", "rows"),
    "days_since_statement": accounts("days_since_last", "rows"),
    "days_as_customer": of("customers", "days_since_first"),
    "invoiced_monthly_12m": INVOICED_MONTHLY,
    "invoices_12m": of("invoices", "count", 12),
    "disputed_share_12m": of("invoices", "mean", 12, "disputed"),
    "days_beyond_terms_mean_6m": of("paid_invoices", "mean", 6, "days_beyond_terms"),
    "days_beyond_terms_slope_12m": of("paid_invoices", "slope", 12, "days_beyond_terms"),
    "late_amount_share_6m": ratio(
        of("paid_invoices", "total", 6, "late_amount"), of("paid_invoices", "total", 6, "amount")
    ),
    "open_to_monthly_sales": ratio(of("open_invoices", "total", 0, "amount"), INVOICED_MONTHLY),
    "overdue_amount": of("overdue_invoices", "total", 0, "amount"),
    "overdue_to_monthly_sales": ratio(of("overdue_invoices", "total", 0, "amount"), INVOICED_MONTHLY),
    "oldest_overdue_days": lambda seen: of("overdue_invoices", "days_since_first", 0, "amount")(seen) + 1,
    "debt_ratio": reports("last", "total_liabilities", 0, "total_assets"),
    "debt_ratio_slope_36m": reports("slope", "total_liabilities", 36, "total_assets"),
    "quick_ratio": ratio(
        less(reports("last", "current_assets"), reports("last", "inventory")),
        reports("last", "current_liabilities"),
    ),
    "interest_cover": reports("last", "ebit", 0, "interest"),
    "gross_margin": ratio(
        less(reports("last", "revenue"), reports("last", "cost_of_sales")), reports("last", "revenue")
    ),
    "receivable_days": ratio(reports("last", "receivables"), reports("last", "revenue"), 365),
    "revenue_growth": lambda oracle: ratio(reports("last", "revenue"), reports("previous", "revenue"))(oracle) - 1,
    "days_since_report": reports("days_since_last", "total_assets"),
}


@given(seed=st.integers(0, 2**32 - 1), as_of=st.sampled_from(AS_OF))
@on_random_histories
def test_a_sample_of_features_agrees_with_the_oracle(seed: int, as_of: dt.date, tables_of, asked, program_of) -> None:
    program: Program = program_of("trade_credit")
    frames = random_frames(seed)
    tables = tables_of("trade_credit", {name: frame.to_dict("list") for name, frame in frames.items()})
    found = matrix.build(program, tables, *asked(("a", as_of), ("b", as_of)))
    places = [program.names.index(name) for name in BY_HAND]
    for row, customer in enumerate("ab"):
        oracle = Oracle(frames, customer, as_of)
        agree(found[row, places], [rule(oracle) for rule in BY_HAND.values()], list(BY_HAND))


def test_the_sample_is_a_good_part_of_what_is_declared() -> None:
    assert set(BY_HAND) <= {item.name for item in catalogue.DECLARED}
    assert len(BY_HAND) >= 25


def test_every_stream_of_the_house_is_held_against_the_oracle() -> None:
    assert {series[0] for series in SERIES} == set(history.STREAMS)


def result(formula: Expression, slots: dict[Statistic, float]) -> float:
    """A formula evaluated over given statistics."""
    plain = {"meaning": "m", "unit": "u", "risk": "unknown", "reason": "r", "reason_zh": "r"}
    program = compile_program((Feature(name="f", group="behavioral", formula=formula, **plain),))
    values = np.array([[slots[leaf] for leaf in slots]])
    out = np.empty((1, 1))
    kernel.evaluate(values, program.operation, program.argument, program.constants, program.first_step, out)
    return float(out[0, 0])


LEFT = Statistic(Series("statements", "balance"), "last", 0)
RIGHT = Statistic(Series("statements", "inflow"), "last", 0)


@pytest.mark.parametrize(
    ("formula", "left", "right", "expected"),
    [
        (LEFT + RIGHT, 6.0, 4.0, 10.0),
        (LEFT - RIGHT, 6.0, 4.0, 2.0),
        (LEFT * RIGHT, 6.0, 4.0, 24.0),
        (LEFT / RIGHT, 6.0, 4.0, 1.5),
        (LEFT / RIGHT, 6.0, 0.0, NAN),
        (LEFT / RIGHT, 6.0, -4.0, NAN),
        (LEFT / RIGHT, 6.0, NAN, NAN),
        (LEFT / RIGHT, 1e300, 1e-300, NAN),
        (LEFT * RIGHT, 1e300, 1e300, NAN),
        (LEFT.at_least(RIGHT), 6.0, 4.0, 6.0),
        (LEFT.at_most(RIGHT), 6.0, 4.0, 4.0),
        (LEFT.at_least(RIGHT), 6.0, NAN, NAN),
        (LEFT.at_most(RIGHT), NAN, 4.0, NAN),
        ((LEFT - RIGHT) / 4 + 0.5, 6.0, 4.0, 1.0),
        (LEFT / (RIGHT - 4), 6.0, 4.0, NAN),
    ],
    ids=lambda value: str(value) if isinstance(value, Expression) else None,
)
def test_a_formula_is_worked_as_it_is_written(formula: Expression, left: float, right: float, expected: float) -> None:
    np.testing.assert_equal(result(formula, {LEFT: left, RIGHT: right}), expected)


def test_the_slope_of_a_line_is_its_rise_a_month(tables_of, asked) -> None:
    # 10 more every 10 days is 1 a day, and a month has 30.4375 days.
    rows: Row = {
        "customer_id": "a",
        "account_id": "x",
        "credit_limit": 1.0,
        "amount_due": 0.0,
        "amount_paid": 0.0,
    }
    days = [dt.date(2023, 1, 1) + dt.timedelta(10 * k) for k in range(5)]
    rows["days_past_due"] = 0.0
    history_rows = [{**rows, "month": day, "balance": 10.0 * k} for k, day in enumerate(days)]
    place = LEAVES.index(Statistic(Series("statements", "balance"), "slope", 0))
    found = matrix.build(
        PROGRAM, tables_of("trade_credit", {"statements": history_rows}), *asked(("a", dt.date(2023, 12, 31)))
    )
    assert found[0, place] == pytest.approx(30.4375, rel=1e-12)
