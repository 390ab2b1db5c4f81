"""The watchlist: open warnings, the worst first; acknowledged and closed by whoever is signed in."""

from __future__ import annotations

from typing import cast, get_args

from configs.customers import LEVELS
from configs.errors import InputError
from console import looked
from console.visit import Elsewhere, Page, Visit
from monitoring.customers import watchlist
from monitoring.customers.watchlist import Act, Finding
from serving.live import utc_now


def page(visit: Visit) -> Page:
    """Open warnings, of a level and a state where asked for."""
    product, settings = visit.scorer.product, visit.state.settings.console
    every = watchlist.open_ones(watchlist.warnings_of(visit.state.ledger, product.name))
    level, state = visit.asked("level"), visit.asked("state")
    found = [one for one in every if level in ("", one.level) and state in ("", one.state)]
    if found:
        looked.at_list(visit, f"watchlist of {product.name}, {min(len(found), settings.rows)} warnings")
    return Page(
        "watchlist.html",
        {
            "warnings": found[: settings.rows],
            "found": len(found),
            "counts": {name: sum(one.level == name for one in every) for name in reversed(LEVELS)},
            "late": {one.id for one in every if watchlist.overdue(one, visit.now.date())},
            "levels": tuple(reversed(LEVELS)),
            "level": level,
            "state": state,
            "four_eyes_from": product.customers.four_eyes_from,
            "may": visit.may("customers"),
        },
    )


def act(visit: Visit) -> Elsewhere:
    """Acknowledge a warning, or close it with what was found."""
    done, finding = visit.said("act"), visit.said("finding") or None
    if done not in get_args(Act):
        raise InputError(visit.say("{name}: expected one of {known}", name="act", known=", ".join(get_args(Act))))
    product = visit.scorer.product
    watchlist.act(
        visit.state.ledger,
        product,
        visit.names["id"],
        cast(Act, done),
        visit.by,
        visit.said("reason"),
        utc_now(),
        cast(Finding, finding) if done == "close" else None,
    )
    return Elsewhere(f"/watchlist?product={product.name}&done={done}")
