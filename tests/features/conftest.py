"""What tests of this room share: random histories as frames."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features import history

Frames = dict[str, pd.DataFrame]


@pytest.fixture(scope="session")
def histories_of() -> Callable[..., Frames]:
    """Ragged tables of customers (`a` and `b`) by seed: gaps, late and restated rows, ties, missing values, zeros."""
    return cache(random_frames)


def random_frames(seed: int, customers: str = "ab") -> Frames:
    rng = np.random.default_rng(seed)
    makers = (_customers, _statements, _financials, _invoices, _investigations, _questionnaires)
    return {make.__name__.strip("_"): make(rng, customers) for make in makers}


def _some_missing(rng: np.random.Generator, values: np.ndarray, share: float = 0.15) -> np.ndarray:
    return np.where(rng.random(len(values)) < share, np.nan, values)


def _customers(rng: np.random.Generator, customers: str) -> pd.DataFrame:
    since = [dt.date(2021, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 900, len(customers))]
    return pd.DataFrame({"customer_id": list(customers), "since": since, "known_time": None})


def _statements(rng: np.random.Generator, customers: str) -> pd.DataFrame:
    ends = [day.date() for day in pd.date_range("2021-09-30", periods=30, freq="ME")]
    keys = [(c, a, m) for c in customers for a in "xy" for m in ends if rng.random() < 0.5]
    rows = [(*key, key[2] + dt.timedelta(int(lag))) for key in keys for lag in [rng.integers(0, 20)]]
    rows += [(*row[:3], row[3] + dt.timedelta(45)) for row in rows if rng.random() < 0.2]  # restated
    n = len(rows)
    frame = pd.DataFrame(rows, columns=["customer_id", "account_id", "month", "known_time"])
    return frame.assign(
        balance=_some_missing(rng, rng.normal(500, 400, n).round(2)),
        credit_limit=_some_missing(rng, rng.choice([0.0, 500.0, 1000.0, 2500.0], n)),
        amount_due=_some_missing(rng, rng.choice([0.0, 10.0, 99.9, 120.5], n)),
        amount_paid=_some_missing(rng, rng.choice([0.0, 10.0, 55.5], n)),
        days_past_due=_some_missing(rng, rng.choice([0.0, 0.0, 29.0, 30.0, 61.0], n)),
        inflow=_some_missing(rng, rng.gamma(2.0, 500.0, n).round(2)),
        outflow=_some_missing(rng, rng.gamma(2.0, 450.0, n).round(2)),
        transactions=_some_missing(rng, rng.poisson(12, n).astype(float)),
    )


def _financials(rng: np.random.Generator, customers: str) -> pd.DataFrame:
    rows = [
        (c, dt.date(year, 12, 31), dt.date(year + 1, int(rng.integers(2, 9)), 15))
        for c in customers
        for year in range(2018, 2024)
        if rng.random() < 0.7
    ]
    rows += [(c, end, known + dt.timedelta(60)) for c, end, known in rows if rng.random() < 0.3]
    frame = pd.DataFrame(rows, columns=["customer_id", "period_end", "known_time"])
    names = [name for name in history.STREAMS["financials"].columns if name != "loss"]
    signed = ("net_income", "equity", "ebit", "interest", "operating_cash_flow", "cost_of_sales", "retained_earnings")
    draw = {n: rng.normal(100, 80, len(rows)).round(2) for n in names}
    return frame.assign(**{n: _some_missing(rng, v if n in signed else np.maximum(v, 0.0)) for n, v in draw.items()})


def _invoices(rng: np.random.Generator, customers: str) -> pd.DataFrame:
    rows = []
    for number in range(int(rng.integers(1, 60) if len(customers) < 3 else 25 * len(customers))):
        issued = dt.date(2021, 6, 1) + dt.timedelta(int(rng.integers(0, 1000)))
        due = issued + dt.timedelta(int(rng.choice([0, 30, 60])))
        paid = None if rng.random() < 0.2 else issued + dt.timedelta(int(rng.integers(0, 120)))
        first = (rng.choice(list(customers)), f"{number}", issued, due, paid, issued)
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


def _restated(rng: np.random.Generator, rows: dict[tuple[Any, ...], None]) -> list[tuple[Any, ...]]:
    """Each key known some days after its date, its last part; some of them once more, later."""
    known = [(*key, key[-1] + dt.timedelta(int(rng.integers(0, 30)))) for key in rows]
    return known + [(*row[:-1], row[-1] + dt.timedelta(40)) for row in known if rng.random() < 0.25]


def _investigations(rng: np.random.Generator, customers: str) -> pd.DataFrame:
    days = [dt.date(2020, 6, 30) + dt.timedelta(int(d)) for d in rng.integers(0, 1300, 40 * len(customers))]
    keys = {
        (rng.choice(list(customers)), rng.choice(["agency", "registry"]), rng.choice(history.INVESTIGATED), day): None
        for day in days
    }
    frame = pd.DataFrame(_restated(rng, keys), columns=["customer_id", "source", "type", "date", "known_time"])
    return frame.assign(
        severity=_some_missing(rng, rng.integers(0, 6, len(frame)).astype(float)),
        amount=_some_missing(rng, rng.gamma(2.0, 300.0, len(frame)).round(2), 0.4),
    )


def _questionnaires(rng: np.random.Generator, customers: str) -> pd.DataFrame:
    days = [day.date() for day in pd.date_range("2021-01-15", periods=7, freq="5ME")]
    keys = {(c, i, day): None for c in customers for i in history.ASSESSED for day in days if rng.random() < 0.5}
    frame = pd.DataFrame(_restated(rng, keys), columns=["customer_id", "item", "date", "known_time"])
    return frame.assign(level=rng.integers(1, 6, len(frame)))
