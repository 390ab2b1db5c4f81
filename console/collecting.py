"""Collections: whom to call first, from the last overview of the overdue book; contacts and promises on record."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from configs.errors import InputError
from configs.settings import Product
from console import looked
from console.overview import latest
from console.visit import Elsewhere, Page, Visit
from monitoring.customers import contacts
from monitoring.customers.contacts import WHAT, Step
from serving.live import utc_now


def page(visit: Visit) -> Page:
    """The queue as of the last overview, with what was done since."""
    product, settings = visit.scorer.product, visit.state.settings.console
    book = latest(visit.state.settings.home / "customers" / product.name, "collections")
    queue = _held_now(visit, product, book["queue"]) if book else []
    free = [row for row in queue if row["held"] is None]
    if queue:
        looked.at_list(visit, f"collections of {product.name}, {min(len(queue), settings.rows)} customers")
    return Page(
        "collections.html",
        {
            "book": book,
            "queue": queue[: settings.rows],
            "length": len(queue),
            "free": len(free),
            "at_risk": sum(row["value_at_risk"] for row in free),
            "what": WHAT,
            "today": visit.now.date().isoformat(),
            "currency": product.currency,
            "may": visit.may("customers"),
        },
    )


def _held_now(visit: Visit, product: Product, queue: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The queue with those left alone today marked and last: promises and contacts may be of this morning."""
    own: dict[str, list[Step]] = defaultdict(list)
    for step in contacts.steps_of(visit.state.ledger, product.name):
        own[step.customer_id].append(step)
    rules, day = product.customers.collections, visit.now.date()
    rows = [
        {
            **row,
            "held": row["held"] if row["overdue"] <= 0 else contacts.held(own[row["customer_id"]], day, rules),
            "steps": [one for one in reversed(own[row["customer_id"]])][:5],
        }
        for row in queue
    ]
    return sorted(rows, key=lambda row: (row["held"] is not None, -row["value_at_risk"], row["customer_id"]))


def step(visit: Visit) -> Elsewhere:
    """Put a contact, a promise, a hold or its release on record."""
    what, product = visit.said("what"), visit.scorer.product
    if what not in WHAT:
        raise InputError(visit.say("{name}: expected one of {known}", name="what", known=", ".join(WHAT)))
    if not visit.said("customer"):
        raise InputError(visit.say("Say which customer it is about."))
    made = Step(
        customer_id=visit.said("customer"),
        what=what,
        by=visit.by,
        note=visit.said("note"),
        on=visit.said_day("on").isoformat(),
        amount=_amount(visit) if what == "promise" else None,
        due=visit.said_day("due").isoformat() if what == "promise" else None,
    )
    contacts.record(visit.state.ledger, product.name, made, product.customers.collections, utc_now())
    return Elsewhere(f"/collections?product={product.name}&done={what}")


def _amount(visit: Visit) -> float:
    try:
        return float(visit.said("amount"))
    except ValueError:
        raise InputError(visit.say("{name}: expected a number", name="amount")) from None
