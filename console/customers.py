"""Customers: one credit file, where the service reads the raw tables itself; else what the ledger holds."""

from __future__ import annotations

from typing import Any

from configs.errors import InputError
from console import looked
from console.visit import Page, Visit
from features.contracts import to_day
from monitoring.customers.credit_file import credit_file
from monitoring.customers.history import events


def page(visit: Visit) -> Page:
    """The search for a customer, and the file of the one asked for."""
    customer, product = visit.asked("customer"), visit.scorer.product
    as_of = visit.day("as_of") or visit.now.date()
    shown: dict[str, Any] = {
        "customer": customer,
        "as_of": as_of.isoformat(),
        "credit": None,
        "events": [],
        "told": "",
        "title": product.title,
    }
    if not customer:
        return Page("customers.html", shown)
    ledger, source = visit.state.ledger, visit.state.live.sources.get(product.name)
    if source is not None:
        try:
            made = credit_file(visit.scorer, source, ledger, customer, to_day(as_of))
            looked.at_customer(visit, customer, "credit file")
            return Page("customers.html", {**shown, "credit": made, "events": made["events"]})
        except InputError as error:
            shown["told"] = str(error)
    found = events(ledger, product.name, customer, as_of.isoformat())
    if found:
        looked.at_customer(visit, customer, "credit file")
    return Page("customers.html", {**shown, "events": found}, 200 if found else 404)
