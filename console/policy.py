"""Policy: what differs between two of a product's policies, and what the change would do to the last decisions."""

from __future__ import annotations

from typing import Any

import msgspec

from configs.errors import InputError
from configs.settings import Product, load_product, product_names
from console.visit import Page, State, Visit
from serving.compare import compare, differences
from serving.recorded import cases

_RECORDED = 20


def page(visit: Visit) -> Page:
    """The choice of two policies, and the two held against each other once both are chosen."""
    choices = _choices(visit)
    before, after = visit.asked("before") or "in-force", visit.asked("after")
    shown: dict[str, Any] = {"choices": choices, "before": before, "after": after, "differences": None, "effect": None}
    if after:
        old, new = (_policy(visit, which) for which in (before, after))
        shown["differences"] = [(key, _told(a), _told(b)) for key, a, b in differences(old, new)]
        if visit.asked("decisions"):
            shown |= _effect(visit.state, old, new)
    return Page("policy.html", {**shown, "wants_decisions": bool(visit.asked("decisions"))})


def _choices(visit: Visit) -> list[tuple[str, str]]:
    """(value, what it is called): in force, the product files as they are now, those the ledger holds."""
    product = visit.scorer.product.name
    files = [
        (f"file:{name}", visit.say("product file {name}, as it is now", name=name)) for name in _files(visit.state)
    ]
    recorded = [
        (f"ledger:{one.entry.subject}", f"{one.entry.subject[:12]} · {one.entry.at[:10]}")
        for one in visit.state.ledger.recent("policy", product, limit=_RECORDED)
    ]
    return [("in-force", visit.say("in force")), *files, *recorded]


def _files(state: State) -> list[str]:
    return product_names(state.settings.home)


def _policy(visit: Visit, which: str) -> Product:
    kind, _, name = which.partition(":")
    if which == "in-force":
        return visit.scorer.product
    if kind == "file" and name in _files(visit.state):  # a name, never a path
        return load_product(name, visit.state.settings.home)
    record = visit.state.ledger.latest_about("policy", name) if kind == "ledger" else None
    if record is None or record.entry.product != visit.scorer.product.name:
        raise InputError(visit.say("There is no such policy."))
    return Product.model_validate_json(msgspec.json.encode(record.body()))


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(name if isinstance(part, dict) else f"{name} {part}" for name, part in value.items())
    return "–" if value is None else str(value)


def _effect(state: State, old: Product, new: Product) -> dict[str, Any]:
    """Both policies on the last decisions of the one that is in force; None where there is none to decide anew."""
    records = state.ledger.recent("decision", old.name, limit=state.settings.console.recent_decisions)
    kept = [record for record in records if not record.erased]
    found = list(cases(kept, (old, new), lambda version: _names(state, old.name, version)))
    return {"effect": compare(old, new, found) if found else None, "currency": old.currency}


def _names(state: State, product: str, version: str) -> list[str]:
    return [feature["name"] for feature in state.facts(product, version)["features"]]
