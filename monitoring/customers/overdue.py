"""The overdue book at a day: buckets, roll rates, vintages, and whom to call first."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from configs.customers import CollectionRules
from configs.settings import Product
from features.contracts import EPOCH, Columns, iso
from features.history import in_force
from features.matrix import window_starts
from monitoring.customers import ageing, contacts
from monitoring.customers.ageing import Items
from monitoring.customers.contacts import Step

SHOWN = 60
_VINTAGE_MONTHS = 4


def overview(
    product: Product,
    tables: Mapping[str, Columns],
    steps: Sequence[Step],
    default_probability: Mapping[str, float],
    as_of: int,
) -> dict[str, Any]:
    """What the collections page says, as plain values; amounts in the product's currency.

    `default_probability` holds the PD of customers that a review scored.
    """
    rules = product.customers.collections
    days = month_days(as_of, rules.months)
    books = [ageing.open_items(tables, day) for day in days]
    sums = np.array([ageing.ageing(book, rules.buckets) for book in books])
    moved = sum(
        (ageing.rolled(one, other, rules.buckets) for one, other in itertools.pairwise(books)),
        np.zeros((len(rules.buckets) + 1, len(rules.buckets) + 2)),
    )
    shares = ageing.roll_shares(moved)
    loss = ageing.chance_of_loss(shares, rules.horizon_months)
    late = books[-1].days_past_due > 0
    promised = contacts.promises(steps, tables, as_of)
    return {
        "product": product.name,
        "title": product.title,
        "currency": product.currency,
        "as_of": iso(as_of),
        "rules": rules.model_dump(),
        "buckets": ageing.bucket_names(rules.buckets),
        "months": [iso(day)[:7] for day in days],
        "amounts": sums.tolist(),
        "items": len(books[-1].key),
        "owed": float(books[-1].amount.sum()),
        "overdue": float(books[-1].amount[late].sum()),
        "disputed": float(books[-1].amount[late & books[-1].disputed].sum()),
        "shares": shares.tolist(),
        "roll_rates": ageing.roll_rates(shares).tolist(),
        "cure_rates": ageing.cure_rates(shares).tolist(),
        "chance_of_loss": loss.tolist(),
        "vintages": vintages(tables["invoices"], as_of, rules) if "invoices" in tables else [],
        "promises": dict(Counter(promise.state for promise in promised)),
        "queue": queue(books[-1], steps, loss, default_probability, product, as_of),
        "shown": SHOWN,
    }


def month_days(as_of: int, months: int) -> list[int]:
    """`as_of` and the same day of the months before, oldest first."""
    back = tuple(range(months - 1, 0, -1))
    return [*map(int, window_starts(np.array([as_of], np.int32), back)[:, 0]), as_of]


def queue(
    items: Items,
    steps: Sequence[Step],
    chance: np.ndarray,
    default_probability: Mapping[str, float],
    product: Product,
    as_of: int,
) -> list[dict[str, Any]]:
    """Overdue customers by value at risk, largest first: sum of amount x chance of loss x LGD, less the contact's cost.

    The chance is that of the bucket to roll to the end, or the customer's PD where that is larger.
    Disputed items are owed but not collected. Who is on hold, has promised, or was contacted enough stays in the list
    with the reason, after those who may be called.
    """
    rules, day = product.customers.collections, dt.date.fromordinal(as_of + EPOCH)
    bucket = ageing.bucket_of(items.days_past_due, rules.buckets)
    late = items.days_past_due > 0
    ids, place = np.unique(items.customer_id.astype(str), return_inverse=True)
    owed = np.bincount(place, items.amount, len(ids))
    overdue = np.bincount(place, items.amount * (late & ~items.disputed), len(ids))
    disputed = np.bincount(place, items.amount * (late & items.disputed), len(ids))
    known = np.array([default_probability.get(one, 0.0) for one in ids.tolist()])
    likely = np.maximum(chance[bucket], known[place])
    risk = np.bincount(place, items.amount * likely * ~items.disputed, len(ids))
    worst = np.zeros(len(ids), np.int64)
    np.maximum.at(worst, place, items.days_past_due)
    own: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        own[step.customer_id].append(step)
    value = risk * product.policy.loss_given_default - rules.contact_cost
    rows = [
        {
            "customer_id": str(ids[row]),
            "owed": float(owed[row]),
            "overdue": float(overdue[row]),
            "disputed": float(disputed[row]),
            "days_past_due": int(worst[row]),
            "value_at_risk": float(value[row]),
            "held": _why_held(overdue[row], own[str(ids[row])], day, rules),
        }
        for row in np.flatnonzero(overdue + disputed > 0).tolist()
    ]
    return sorted(rows, key=lambda row: (row["held"] is not None, -row["value_at_risk"], row["customer_id"]))


def _why_held(overdue: float, steps: Sequence[Step], day: dt.date, rules: CollectionRules) -> str | None:
    return "all that is late is disputed" if overdue <= 0 else contacts.held(steps, day, rules)


def vintages(invoices: Columns, as_of: int, rules: CollectionRules) -> list[dict[str, Any]]:
    """The share of a month's invoiced amount that was more than `buckets[1]` days late, 1, 2, ... months after it.

    A month on book that has not passed by `as_of` is missing.
    """
    ends = month_days(month_end(as_of), rules.months + 1)
    current = in_force("invoices", invoices, as_of)
    found = []
    for start, end in itertools.pairwise(ends):
        of_month = current & (invoices["issued"] > start) & (invoices["issued"] <= end)
        amount, due, paid = (invoices[name][of_month] for name in ("amount", "due", "paid"))
        later = window_starts(np.array([end], np.int32), tuple(-m for m in range(1, _VINTAGE_MONTHS + 1)))[:, 0]
        late = [
            float(amount[(paid > day) & (day - due.astype(np.int64) > rules.buckets[1])].sum())
            for day in later.tolist()
        ]
        total = float(amount.sum())
        known = [value / total if total and day <= as_of else None for value, day in zip(late, later, strict=True)]
        found.append({"month": iso(end)[:7], "amount": total, "late": known})
    return found


def month_end(as_of: int) -> int:
    """The last day of the month of `as_of`, days since 1970."""
    day = dt.date.fromordinal(as_of + EPOCH)
    following = (day.replace(day=28) + dt.timedelta(4)).replace(day=1)
    return as_of + (following - dt.timedelta(1) - day).days
