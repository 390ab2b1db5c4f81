"""The same customer on the same day, scored from tables and asked over HTTP (R19): one PD, to the last bit."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.settings import Product
from features.contracts import TABLES, Columns, to_day
from features.simulate import Portfolio
from serving.score import Scorer
from tests.campaign.trials import Trials

TOGETHER = 2_000  # customers that are scored from tables in one call
BATCH = 40  # questions in one request: some hundred kilobytes


def histories(portfolio: Portfolio, product: Product) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Of each customer the rows of each table, as a request has them."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {customer: {} for customer in portfolio.customer_id}
    for name in product.tables:
        frame, event = portfolio.tables[name], TABLES[name].event
        for row in frame.assign(**{event: frame[event].dt.strftime("%Y-%m-%d")}).to_dict("records"):
            found.setdefault(row.pop("customer_id"), {}).setdefault(name, []).append(row)
    return found


def asked(histories: dict[str, Any], customer: str, on: dt.date, product: Product) -> dict[str, Any]:
    """A question about a customer with all that had happened by a day."""
    known = {
        name: [row for row in rows if row[TABLES[name].event] <= on.isoformat()]
        for name, rows in histories[customer].items()
    }
    return {"product": product.name, "customer_id": customer, "as_of": on.isoformat(), "records": known}


def drawn(trials: Trials, portfolio: Portfolio) -> Iterator[list[tuple[str, dt.date]]]:
    """Customers, each with a day of the portfolio's two years, as many at once as tables are scored for together."""
    rng, left = np.random.default_rng(trials.seed), trials.count
    first, last = (portfolio.month_ends[place].date() for place in (2, -1))
    while left:
        size = min(TOGETHER, left)
        days = rng.integers(0, (last - first).days, size)
        chosen = rng.choice(portfolio.customer_id, size)
        yield [(str(customer), first + dt.timedelta(int(day))) for customer, day in zip(chosen, days, strict=True)]
        left -= size


@pytest.mark.campaign
def test_a_row_of_a_book_and_a_request_have_one_pd(
    running: Any,
    scorer: Scorer,
    portfolio: Portfolio,
    product: Product,
    tables: dict[str, Columns],
    trials: Trials,
) -> None:
    rows = histories(portfolio, product)
    widest = 0.0
    for pairs in drawn(trials, portfolio):
        customers = np.array([customer for customer, _ in pairs], object)
        days = np.array([to_day(on) for _, on in pairs], np.int32)
        offline = scorer.score(tables, customers, days).default_probability
        for low in range(0, len(pairs), BATCH):
            batch = slice(low, low + BATCH)
            online = np.array(default_probabilities(running, [asked(rows, *one, product) for one in pairs[batch]]))
            same = online == offline[batch]
            assert same.all(), [one for one, equal in zip(pairs[batch], same, strict=True) if not equal]
            widest = max(widest, float(np.abs(online - offline[batch]).max()))
            trials.done(len(same))
    trials.found(largest_difference=widest)


def default_probabilities(running: Any, questions: list[dict[str, Any]]) -> list[float]:
    """What the service answers to questions that it gets together."""
    content = json.dumps(questions, default=_plain)
    answer = running.score.post("/v1/decide/batch", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text[:500]
    told = answer.json()
    assert {one["status"] for one in told} == {200}, [one for one in told if one["status"] != 200][:1]
    return [one["answer"]["default_probability"] for one in told]


def _plain(value: Any) -> Any:
    """Of the portfolio's cells what JSON does not know: days, and days that are not told."""
    if value is pd.NaT:
        return None
    return value.strftime("%Y-%m-%d") if isinstance(value, pd.Timestamp) else value.item()
