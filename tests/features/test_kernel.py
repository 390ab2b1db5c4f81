"""Every statistic and a good sample of features, recomputed in plain words from the documentation."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable
from functools import cache
from itertools import pairwise
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
    ("statements", "over_90_percent", None),
    ("customers", "rows", None),
    ("financials", "net_income", None),
    ("financials", "loss", None),
    ("financials", "total_liabilities", "total_assets"),
    ("invoices", "amount", None),
    ("invoices", "amount_squared", None),
    ("invoices", "disputed", None),
    ("open_invoices", "amount", None),
    ("overdue_invoices", "amount", None),
    ("paid_invoices", "days_beyond_terms", None),
    ("paid_invoices", "late_amount", None),
    ("investigations", "rows", None),
    ("investigations", "severe", None),
    ("investigations", "court", None),
    ("investigations", "tax_severity", None),
    ("investigations", "news_amount", None),
    ("investigations", "inquiry", None),
    ("investigations", "trade_reference_severity", None),
    ("questionnaires", "rows", None),
    ("questionnaires", "governance", None),
)
TWO_ON_A_DAY = ("invoices", "open_invoices", "overdue_invoices", "paid_invoices", "investigations")
ORDERED = ("last", "previous", "rises", "falls")  # which of two facts of one day comes last is not promised


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
    steps = [after - before for before, after in pairwise(values.tolist())]
    few = {
        "count": len(values),
        "total": values.sum(),
        "positives": len(late),
        "rises": sum(step > 0 for step in steps),
        "falls": sum(step < 0 for step in steps),
    }
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
EVENT = {
    "statements": "month",
    "customers": "since",
    "financials": "period_end",
    "invoices": "issued",
    "investigations": "date",
    "questionnaires": "date",
}
KEY = {
    "statements": ("account_id", "month"),
    "customers": (),
    "financials": ("period_end",),
    "invoices": ("invoice_id",),
    "investigations": ("source", "type", "date"),
    "questionnaires": ("item", "date"),
}
WORST = ("days_past_due", "over_30_days", "over_60_days", "unpaid", "over_90_percent", "rows")


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
            return [{**row, **_flags(row), "over_90_percent": _nearly_used(row["balance"], row["credit_limit"])}]
        if stream == "financials":
            net = row["net_income"]
            return [{**row, "loss": None if net is None else float(net < 0)}]
        if stream == "invoices":
            return [{**row, "amount_squared": row["amount"] ** 2}]
        if stream == "investigations":
            severity = row["severity"]
            return [{**row, **_by_type(row), "severe": None if severity is None else float(severity >= 3)}]
        if stream == "questionnaires":
            return [{**row, **dict.fromkeys(history.ASSESSED), row["item"]: row["level"]}]
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


def _flags(row: Row) -> Row:
    late, paid, due = row["days_past_due"], row["amount_paid"], row["amount_due"]
    return {
        "over_30_days": None if late is None else float(late >= 30),
        "over_60_days": None if late is None else float(late >= 60),
        "unpaid": None if paid is None or due is None else float(due > 0 and paid == 0),
    }


def _nearly_used(balance: float | None, limit: float | None) -> float | None:
    return None if balance is None or not limit else float(balance > 0.9 * limit)


def _by_type(row: Row) -> Row:
    """An event counts for its own type, and is nothing to the others: no severity, an amount of zero."""
    made: Row = {}
    for kind in history.INVESTIGATED:
        own = row["type"] == kind
        made |= {kind: float(own), f"{kind}_severity": row["severity"] if own else None}
        made[f"{kind}_amount"] = row["amount"] if own else 0.0
    return made


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
def test_every_statistic_agrees_with_the_oracle(seed: int, as_of: dt.date, tables_of, asked, histories_of) -> None:
    frames = histories_of(seed)
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


def invoiced(oracle: Oracle, name: str, months: int) -> float:
    return oracle.statistic("invoices", "amount", None, name, months)


def level(oracle: Oracle, item: str) -> float:
    return oracle.statistic("questionnaires", item, None, "last")


def herfindahl(oracle: Oracle, months: int) -> float:
    """The sum of squared shares, share by share."""
    facts = oracle.facts("invoices", "amount", None)[0]
    amounts = np.array([amount for day, amount in facts if day > months_before(oracle.as_of, months)])
    return float(np.sum((amounts / amounts.sum()) ** 2)) if len(amounts) else NAN


def altman(oracle: Oracle, weights: dict[str, float]) -> float:
    """The weighted sum of Altman's ratios: working capital, retained earnings, EBIT, equity, revenue."""
    now = {name: reports("last", name)(oracle) for name in history.STREAMS["financials"].columns}
    ratios = {
        "x1": over(now["current_assets"] - now["current_liabilities"], now["total_assets"]),
        "x2": over(now["retained_earnings"], now["total_assets"]),
        "x3": over(now["ebit"], now["total_assets"]),
        "x4": over(now["equity"], now["total_liabilities"]),
        "x5": over(now["revenue"], now["total_assets"]),
    }
    return sum(weight * ratios[name] for name, weight in weights.items())


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
    "days_on_book": lambda seen: np.minimum(accounts("days_since_first", "rows")(seen), 365),
    "days_since_statement": accounts("days_since_last", "rows"),
    "days_as_customer": lambda seen: np.minimum(of("customers", "days_since_first")(seen), 1825),
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
    "debt_to_equity": reports("last", "total_liabilities", 0, "equity"),
    "cash_cycle_days": lambda seen: (
        ratio(reports("last", "receivables"), reports("last", "revenue"), 365)(seen)
        + ratio(reports("last", "inventory"), reports("last", "cost_of_sales"), 365)(seen)
    ),
    "equity_growth": lambda seen: ratio(reports("last", "equity"), reports("previous", "equity"))(seen) - 1,
    "loss_reports_36m": reports("positives", "loss", 36),
    "altman_z_private": lambda seen: altman(seen, {"x1": 0.717, "x2": 0.847, "x3": 3.107, "x4": 0.420, "x5": 0.998}),
    "altman_z_emerging": lambda seen: altman(seen, {"x1": 6.56, "x2": 3.26, "x3": 6.72, "x4": 1.05}),
    "revenue_slope_36m": ratio(reports("slope", "revenue", 36), reports("mean", "revenue", 36)),
    "revenue_variation_60m": ratio(reports("deviation", "revenue", 60), reports("mean", "revenue", 60)),
    "operating_margin_deviation_60m": reports("deviation", "ebit", 60, "revenue"),
    "cost_ratio_slope_36m": reports("slope", "cost_of_sales", 36, "revenue"),
    "revenue_to_worst_year_60m": ratio(reports("last", "revenue"), reports("min", "revenue", 60)),
    "invoiced_growth_3m": lambda seen: over(4 * invoiced(seen, "total", 3), invoiced(seen, "total", 12)) - 1,
    "invoice_size_variation_12m": ratio(
        of("invoices", "deviation", 12, "amount"), of("invoices", "mean", 12, "amount")
    ),
    "largest_invoice_share_12m": ratio(of("invoices", "max", 12, "amount"), of("invoices", "total", 12, "amount")),
    "invoice_concentration_12m": lambda seen: herfindahl(seen, 12),
    "purchases_to_cost_of_sales": ratio(of("invoices", "total", 12, "amount"), reports("last", "cost_of_sales")),
    "days_as_buyer": lambda seen: np.minimum(of("invoices", "days_since_first")(seen), 365),
    "inflow_peak_12m": ratio(accounts("max", "inflow", 12), accounts("mean", "inflow", 12)),
    "rolls_12m": accounts("rises", "days_past_due", 12),
    "cures_12m": accounts("falls", "days_past_due", 12),
    "share_of_months_late_24m": ratio(
        accounts("positives", "days_past_due", 24), accounts("count", "days_past_due", 24)
    ),
    "utilisation_over_90_months_6m": accounts("positives", "over_90_percent", 6),
    "payment_ratio_slope_12m": accounts("slope", "amount_paid", 12, "amount_due"),
    "open_days_of_sales": ratio(of("open_invoices", "total", 0, "amount"), of("invoices", "total", 12, "amount"), 365),
    "open_share_overdue": ratio(
        of("overdue_invoices", "total", 0, "amount"), of("open_invoices", "total", 0, "amount")
    ),
    "court_events_12m": of("investigations", "positives", 12, "court"),
    "court_severity_36m": of("investigations", "max", 36, "court_severity"),
    "court_amount_36m": of("investigations", "total", 36, "court_amount"),
    "days_since_tax_event": of("investigations", "days_since_positive", 0, "tax"),
    "inquiries_speeding_up": ratio(
        of("investigations", "positives", 3, "inquiry"), of("investigations", "positives", 12, "inquiry"), 4
    ),
    "trade_reference_severity_24m": of("investigations", "mean", 24, "trade_reference_severity"),
    "severe_events_12m": of("investigations", "positives", 12, "severe"),
    "events_36m": of("investigations", "count", 36),
    "governance_level": of("questionnaires", "last", 0, "governance"),
    "governance_change": less(
        of("questionnaires", "last", 0, "governance"), of("questionnaires", "previous", 0, "governance")
    ),
    "management_level": lambda seen: np.mean([level(seen, item) for item in history.ASSESSED]),
    "management_weakest_level": lambda seen: np.min([level(seen, item) for item in history.ASSESSED]),
    "days_since_assessment": of("questionnaires", "days_since_last"),
}


@given(seed=st.integers(0, 2**32 - 1), as_of=st.sampled_from(AS_OF))
@on_random_histories
def test_a_sample_of_features_agrees_with_the_oracle(
    seed: int, as_of: dt.date, tables_of, asked, program_of, histories_of
) -> None:
    program: Program = program_of("trade_credit")
    frames = histories_of(seed)
    tables = tables_of("trade_credit", {name: frame.to_dict("list") for name, frame in frames.items()})
    found = matrix.build(program, tables, *asked(("a", as_of), ("b", as_of)))
    places = [program.names.index(name) for name in BY_HAND]
    for row, customer in enumerate("ab"):
        oracle = Oracle(frames, customer, as_of)
        agree(found[row, places], [rule(oracle) for rule in BY_HAND.values()], list(BY_HAND))


def test_the_sample_is_a_good_part_of_what_is_declared() -> None:
    groups = {item.name: item.group for item in catalogue.DECLARED}
    assert set(BY_HAND) <= set(groups)
    assert len(BY_HAND) >= 75
    assert {groups[name] for name in BY_HAND} == set(groups.values())


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
