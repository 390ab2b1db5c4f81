"""A trade creditor's world for `benchmarks.customers`: who wants to buy, who stops paying, and what it is worth.

The house's simulated companies give demand (their invoices), payments and the day of default. What the simulator lacks
is added here: default means 90 days past due, so whoever defaults stopped paying 90 days before, and that can be seen,
but for a share that fails without a sign. Limits do not change who defaults, and features see what customers wanted to
buy, whatever they were sold: every policy sees the same facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from configs.customers import TradeRules
from configs.settings import Product
from features.simulate import Portfolio

BASE_TERMS = 30  # days on which the simulator invoices
HEADROOM, LATE_DAYS = 2.0, 15.0


@dataclass(frozen=True, slots=True)
class Economics:
    """What a sale is worth: shares of the amount, `funding_rate` a year; `terms_gain` is more demand by 30 days more.

    `sudden_share` of defaults come without arrears before. Sales above the limit are lost, none is prepaid.
    """

    margin: float = 0.05
    funding_rate: float = 0.06
    loss_given_default: float = 0.45
    terms_gain: float = 0.04
    sudden_share: float = 0.3
    warning_cost: float = 25.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy earned over all months, in currency; `sales_kept` is a share of demand at 30 days."""

    sales: float
    sales_kept: float
    bad_debt: float
    funding: float
    handling: float
    profit: float


@dataclass(frozen=True, slots=True)
class Orders:
    """Every invoice wanted, by day: the customer's place, month of the order (from 1), day, paid day, and amount.

    `paid` counts from terms of 30 days; far away where it is never paid. `default_day` is one for each customer.
    """

    customer: np.ndarray
    month: np.ndarray
    day: np.ndarray
    paid: np.ndarray
    amount: np.ndarray
    default_day: np.ndarray


FAR = 10**6


def with_trade_rules(product: Product, how: Economics) -> Product:
    """The product, told what a sale earns and costs in this world; the loss given default is the world's, too."""
    rules = TradeRules(
        margin_share=how.margin,
        funding_rate=how.funding_rate,
        sales_gain=how.terms_gain,
        late_days=LATE_DAYS,
        purchases_feature="invoiced_monthly_12m",
        headroom=HEADROOM,
    )
    policy = product.policy.model_copy(update={"loss_given_default": how.loss_given_default})
    customers = product.customers.model_copy(update={"trade": rules})
    return product.model_copy(update={"customers": customers, "policy": policy})


def with_arrears(portfolio: Portfolio, sudden_share: float, seed: int) -> Portfolio:
    """The portfolio where whoever defaults is seen to stop paying: arrears of 30 and 60 days, invoices left unpaid."""
    rng = np.random.default_rng([seed, 7])
    day = default_days(portfolio)
    sudden = rng.random(len(day)) < sudden_share
    stopped = pd.Series(day - np.where(sudden, 1, 90), portfolio.customer_id)
    tables = dict(portfolio.tables)
    invoices = tables["invoices"].copy()
    due = days_of(invoices["due"])
    never = due > stopped.loc[invoices["customer_id"]].to_numpy()
    invoices.loc[never, "paid"] = pd.NaT
    tables["invoices"] = invoices
    statements = tables["statements"].copy()
    since = days_of(statements["month"]) - stopped.loc[statements["customer_id"]].to_numpy()
    for least, late in ((20, 30.0), (50, 60.0)):
        behind = since >= least
        statements.loc[behind, "days_past_due"] = np.maximum(statements.loc[behind, "days_past_due"], late)
        statements.loc[behind, "amount_paid"] = 0.0
    tables["statements"] = statements
    return replace(portfolio, tables=tables)


def default_days(portfolio: Portfolio) -> np.ndarray:
    """The day of default of each customer, (customers,) days since 1970; FAR where there is none."""
    months = len(portfolio.month_ends) + portfolio.window_months
    ends = pd.date_range(portfolio.month_ends[0], periods=months, freq="ME")
    known = days_of(pd.Series(ends))
    month = portfolio.default_month
    return np.where(month < len(known), known[np.minimum(month, len(known) - 1)], FAR)


def days_of(dates: pd.Series) -> np.ndarray:
    """Dates as days since 1970."""
    return np.asarray(dates.to_numpy().astype("datetime64[D]").astype(np.int64))


def orders(portfolio: Portfolio, months: int) -> Orders:
    """The invoices wanted in months 1 to `months`, by day."""
    invoices = portfolio.tables["invoices"]
    ends = days_of(pd.Series(portfolio.month_ends))
    day = days_of(invoices["issued"])
    month = np.searchsorted(ends, day)
    there = np.flatnonzero((month >= 1) & (month <= months))
    there = there[np.argsort(day[there], kind="stable")]
    customer = pd.Index(portfolio.customer_id).get_indexer(invoices["customer_id"].to_numpy()[there])
    never = invoices["paid"].isna().to_numpy()[there]
    paid = np.where(never, FAR, days_of(invoices["paid"].fillna(pd.Timestamp("1970-01-01")))[there])
    amount = invoices["amount"].to_numpy()[there]
    return Orders(customer, month[there], day[there], paid, amount, default_days(portfolio))


def live(
    asked: Orders, limits: Sequence[np.ndarray], terms: Sequence[np.ndarray], warnings: int, last: int, how: Economics
) -> Result:
    """Sell month by month under `limits` and `terms`, (customers,) in force in months 1, 2, ...; what is open at a
    default by the day `last` is lost by the loss given default, less nothing else."""
    open_items: list[list[tuple[int, float]]] = [[] for _ in asked.default_day]
    sales = funding = wanted = 0.0
    columns = [column.tolist() for column in (asked.customer, asked.month, asked.day, asked.paid, asked.amount)]
    rows = zip(*columns, strict=True)
    for customer, month, day, paid, amount in rows:
        wanted += amount
        days = int(terms[month - 1][customer])
        own = [item for item in open_items[customer] if item[0] > day]
        ordered = amount * (1 + how.terms_gain * (days - BASE_TERMS) / 30)
        if sum(item[1] for item in own) + ordered <= limits[month - 1][customer]:
            until = FAR if paid == FAR else paid + days - BASE_TERMS
            own.append((until, ordered))
            sales += ordered
            held = min(until, int(asked.default_day[customer]), last) - day
            funding += ordered * max(held, 0) * how.funding_rate / 365
        open_items[customer] = own
    lost = [
        item[1]
        for own, on in zip(open_items, asked.default_day.tolist(), strict=True)
        if on <= last
        for item in own
        if item[0] > on
    ]
    bad_debt, handling = sum(lost) * how.loss_given_default, warnings * how.warning_cost
    profit = how.margin * sales - bad_debt - funding - handling
    return Result(sales, sales / wanted, bad_debt, funding, handling, profit)


def told(result: Result) -> dict[str, float]:
    """The result as plain values."""
    return asdict(result)
