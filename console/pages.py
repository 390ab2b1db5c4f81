"""What all pages have around them: where one can go, what was just done, and what is said where somebody may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from console.visit import Page, Visit
from serving.access import ACTIONS, Action

NAVIGATION = (
    ("/", "Overview"),
    ("/drift", "Drift and performance"),
    ("/models", "Models"),
    ("/decisions", "Decisions"),
    ("/customers", "Customers"),
    ("/watchlist", "Watchlist"),
    ("/collections", "Collections"),
    ("/policy", "Policy"),
    ("/audit", "Audit"),
)
DONE = {
    "approve": "Your approval is on record.",
    "reject": "Your rejection is on record.",
    "find": "The finding is on record.",
    "close-finding": "The finding is closed, on record.",
    "waive": "The waiver is on record.",
    "promote": "The version is the champion; the service follows within seconds.",
    "rollback": "The former champion answers again; the service follows within seconds.",
    "acknowledge": "The warning is acknowledged, on record.",
    "close": "The warning is closed, on record.",
    "contact": "The contact is on record.",
    "promise": "The promise is on record.",
    "hold": "Collection is held, on record.",
    "release": "Collection goes on, on record.",
    "signed-out": "You are signed out.",
}


def named(visit: Visit, names: Mapping[str, str]) -> Visit:
    """The visit, with the names in its path."""
    return replace(visit, names=names)


def wrong(visit: Visit, told: str) -> Visit:
    """The visit, with what was wrong with its form."""
    return replace(visit, error=told)


def not_allowed(visit: Visit, action: Action) -> Page:
    """The page for somebody whose role does not open it."""
    roles = sorted(ACTIONS[action])
    return Page("refused.html", {"needed": roles}, 403)


def product_shown(visit: Visit) -> str:
    """The product that links lead on with; none where one is not served."""
    name = visit.form.get("product") or visit.query.get("product") or (visit.products or [""])[0]
    return name if name in visit.products else ""
