"""Every page and form, declared once: method, path, what a visitor must be allowed, what makes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from console import (
    audit,
    collecting,
    customers,
    decisions,
    drift,
    model_acts,
    models,
    overview,
    policy,
    signing_in,
    watching,
)
from console.visit import Answer, Page, Visit
from serving.access import Action


@dataclass(frozen=True, slots=True)
class Route:
    """`action` None: open to everybody. `back` shows the page of a form again where what was said is refused."""

    method: str
    path: str
    action: Action | None
    run: Callable[[Visit], Answer]
    back: Callable[[Visit], Page] | None = None


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", "read", overview.page),
    Route("GET", "/sign-in", None, signing_in.page),
    Route("POST", "/sign-in", None, signing_in.sign_in),
    Route("POST", "/sign-out", None, signing_in.sign_out),
    Route("POST", "/language", None, signing_in.speak),
    Route("GET", "/drift", "read", drift.page),
    Route("GET", "/reports/{product}/{name}", "read", drift.report),
    Route("GET", "/models", "read", models.page),
    Route("GET", "/models/compare", "read", models.compare),
    Route("POST", "/models/rollback", "rollback", model_acts.rollback, models.page),
    Route("GET", "/models/{version}", "read", models.one),
    Route("POST", "/models/{version}/approve", "approve", model_acts.approve, models.one),
    Route("POST", "/models/{version}/reject", "approve", model_acts.reject, models.one),
    Route("POST", "/models/{version}/find", "validate", model_acts.find, models.one),
    Route("POST", "/models/{version}/close", "validate", model_acts.close, models.one),
    Route("POST", "/models/{version}/waive", "waive", model_acts.waive, models.one),
    Route("POST", "/models/{version}/promote", "promote", model_acts.promote, models.one),
    Route("GET", "/decisions", "read", decisions.page),
    Route("GET", "/decisions/{id}", "read", decisions.one),
    Route("POST", "/decisions/{id}/replay", "read", decisions.replayed),
    Route("GET", "/customers", "read", customers.page),
    Route("GET", "/watchlist", "read", watching.page),
    Route("POST", "/watchlist/{id}", "customers", watching.act, watching.page),
    Route("GET", "/collections", "read", collecting.page),
    Route("POST", "/collections", "customers", collecting.step, collecting.page),
    Route("GET", "/policy", "read", policy.page),
    Route("GET", "/audit", "read", audit.page),
    Route("POST", "/audit/verify", "read", audit.verify, audit.page),
    Route("GET", "/audit/progress", "read", audit.progress),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A route and the names in the path."""

    route: Route
    names: Mapping[str, str]


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


_PATTERNS = tuple((route, _pattern(route.path)) for route in ROUTES)


def find(method: str, path: str) -> Found | None:
    """The route of a request; the first declared that fits. A HEAD is answered as a GET."""
    asked = "GET" if method == "HEAD" else method
    for route, pattern in _PATTERNS:
        if route.method == asked and (match := pattern.fullmatch(path)):
            return Found(route, match.groupdict())
    return None
