"""Whom the ledger puts on the next review: nobody is passed over because a review ran earlier the same day."""

from __future__ import annotations

import datetime as dt

from configs.customers import Indicator
from configs.settings import Product
from features.contracts import to_day
from monitoring.customers import called, requests
from monitoring.customers.watchlist import raise_for, warnings_of
from serving.ledger import Entry, Ledger, Record, canonical

SIGN = Indicator(
    name="late", feature="x", operator=">=", bound=1.0, level="high", action="Call", owner="clerk", due_days=3
)
MARCH, APRIL = dt.date(2024, 3, 31), dt.date(2024, 4, 30)
STANDS = {"grade": "C", "decision": "approve", "limit": 10_000.0}


def at(hour: int, day: dt.date = MARCH) -> str:
    return f"{day}T{hour:02d}:00:00.000000+00:00"


def warn(ledger: Ledger, product: Product, customer: str, on: dt.date, hour: int) -> None:
    known = warnings_of(ledger, product.name)
    ledger.append(raise_for(known, product.name, [(customer, SIGN, 2.0)], on, at(hour, on)))


def grant(ledger: Ledger, product: Product, customer: str, hour: int) -> None:
    asked = requests.ask(ledger, product, customer, 40_000.0, "2024-12-31", "ann", "an order", at(hour))
    said = ("approve", "bob", "credit_controller", "seen", STANDS, at(hour))
    requests.decide(ledger, product, asked.entry.id, *said)


def reviewed(ledger: Ledger, product: Product, hour: int) -> Record:
    body = canonical({"as_of": MARCH.isoformat()})
    (made,) = ledger.append([Entry("review-1", "review", product.name, MARCH.isoformat(), at(hour), body)])
    return made


def test_what_came_after_a_review_of_the_same_day_is_for_the_next(ledger: Ledger, product: Product) -> None:
    warn(ledger, product, "warned before", MARCH, 7)
    grant(ledger, product, "granted before", 7)
    record = reviewed(ledger, product, 8)
    warn(ledger, product, "warned after", MARCH, 9)
    grant(ledger, product, "granted after", 9)
    warn(ledger, product, "warned later", APRIL, 9)
    names, granted = called.since(ledger, product.name, record, to_day(APRIL))
    assert names == {"warned after", "granted after", "warned later"}
    assert granted == {"granted before": 40_000.0, "granted after": 40_000.0}
    assert called.since(ledger, product.name, record, to_day(APRIL) - 1)[0] == {"warned after", "granted after"}
    first, _ = called.since(ledger, product.name, None, to_day(MARCH))
    assert first == {"warned before", "granted before", "warned after", "granted after"}
