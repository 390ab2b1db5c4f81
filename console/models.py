"""Models: every version of a product, one of them, two side by side."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any

from configs.errors import BundleError, InputError
from configs.settings import Product, load_product
from console.visit import Page, State, Visit
from serving import approval, authorship, champion, finding, waiver

Measured = tuple[float | None, float | None, float | None]
MEASURES = (
    ("AUC", "auc"),
    ("Gini", "gini"),
    ("KS", "ks"),
    ("Log-loss", "log_loss"),
    ("Brier score", "brier"),
    ("Calibration slope", "calibration_slope"),
    ("Observed over expected defaults", "observed_to_expected"),
    ("Test rows", "rows"),
    ("Defaults among them", "defaults"),
)


def page(visit: Visit) -> Page:
    """All versions, the newest first."""
    state, product = visit.state, visit.scorer.product
    current = champion.current(state.ledger, product.name)
    rows = [
        _line(state, product, version) for version in reversed(champion.versions(state.settings.home, product.name))
    ]
    history = champion.history(state.ledger, product.name)
    return Page(
        "models.html",
        {
            "rows": rows,
            "champion": current.version if current else "",
            "history": list(reversed(history))[:10],
            "approvals": state.settings.governance.approvals,
        },
    )


def _line(state: State, product: Product, version: str) -> dict[str, Any]:
    try:
        facts = state.facts(product.name, version)
    except BundleError as error:  # one bad version does not hide the others
        return {"version": version, "unusable": str(error)}
    return {
        "version": version,
        "unusable": "",
        "made_on": facts["made_on"],
        "auc": facts["validation"]["auc"],
        "gate": facts["training"]["gate"]["passed"],
        "features": len(facts["features"]),
        "report": _report(state, product.name, version),
    }


def _report(state: State, product: str, version: str) -> str:
    name = f"{version}.html"
    return name if (state.settings.home / "reports" / product / name).is_file() else ""


def one(visit: Visit) -> Page:
    """One version: what it measured, its gate, who said what of it, and what may be done."""
    state, product, version = visit.state, visit.scorer.product, version_of(visit)
    facts = state.facts(product.name, version)
    current = champion.current(state.ledger, product.name)
    said = _standing(state, product, version, facts["digest"])
    return Page(
        "model.html",
        {
            "version": version,
            "facts": facts,
            "measures": [(told, *_measured(facts, name)) for told, name in MEASURES],
            "gate": facts["training"]["gate"],
            "author": authorship.author(state.ledger, version),
            "found": _found(visit, product.name, version),
            "waivers": [
                _waiver(one, facts["digest"], visit.now.date()) for one in waiver.waivers(state.ledger, version)
            ],
            "severities": finding.SEVERITIES,
            "blocking": state.settings.governance.blocking_severity,
            "may_validate": visit.may("validate"),
            "may_waive": visit.may("waive") and not facts["training"]["gate"]["passed"],
            "findings": [test for test in facts["validation"].get("tests", []) if test.get("light") != "green"],
            "leakage": facts["training"].get("leakage", []),
            "said": said,
            "is_champion": current is not None and current.version == version,
            "champion": current.version if current else "",
            "report": _report(state, product.name, version),
            "approvals": state.settings.governance.approvals,
            "may_approve": visit.may("approve"),
            "may_promote": visit.may("promote"),
        },
    )


def _found(visit: Visit, product: str, version: str) -> list[dict[str, Any]]:
    """What persons found about a version; `blocks` where it stops a promotion today."""
    rules, today = visit.state.settings.governance, visit.now.date()
    every = [one for one in finding.findings(visit.state.ledger, product) if one.version == version]
    blocking = {one.id for one in finding.blocking(every, version, rules.blocking_severity, today)}
    return [
        {**asdict(one), "blocks": one.id in blocking, "overdue": finding.is_overdue(one, today)}
        for one in reversed(every)
    ]


def _waiver(one: waiver.Waiver, digest: str, today: dt.date) -> dict[str, Any]:
    return {**asdict(one), "stands": one.digest == digest and today <= dt.date.fromisoformat(one.until)}


def compare(visit: Visit) -> Page:
    """Two versions side by side."""
    state, product = visit.state, visit.scorer.product
    versions = champion.versions(state.settings.home, product.name)
    current = champion.current(state.ledger, product.name)
    first = visit.asked("a") or (current.version if current else versions[0])
    second = visit.asked("b") or next((name for name in reversed(versions) if name != first), first)
    for version in (first, second):
        if version not in versions:
            raise InputError(visit.say("There is no such version."))
    both = [state.facts(product.name, version) for version in (first, second)]
    names = [{feature["name"] for feature in facts["features"]} for facts in both]
    rows = [(told, _measured(both[0], name), _measured(both[1], name)) for told, name in MEASURES]
    return Page(
        "compare.html",
        {
            "versions": list(reversed(versions)),
            "a": first,
            "b": second,
            "rows": [(told, old, new, _change(old, new)) for told, old, new in rows],
            "only_a": sorted(names[0] - names[1]),
            "only_b": sorted(names[1] - names[0]),
            "shared": len(names[0] & names[1]),
            "both": both,
        },
    )


def _measured(facts: dict[str, Any], name: str) -> Measured:
    """Value, low and high of a measure; a number without an interval has no bounds."""
    found = facts["validation"].get(name)
    return (found["value"], found["low"], found["high"]) if isinstance(found, dict) else (found, None, None)


def _change(old: Measured, new: Measured) -> float | None:
    return None if old[0] is None or new[0] is None else new[0] - old[0]


def version_of(visit: Visit) -> str:
    """The version in the path. Raises InputError where the product has none of that name."""
    version, product = visit.names["version"], visit.scorer.product.name
    if version not in champion.versions(visit.state.settings.home, product):
        raise InputError(visit.say("There is no such version."))
    return version


def _standing(state: State, product: Product, version: str, digest: str) -> list[dict[str, Any]]:
    """The words on these bytes; `counts` where they are on the policy as it is now, too."""
    policy = load_product(product.name, state.settings.home).digest()
    found = [one for one in state.ledger.about([version]) if one.entry.kind == approval.KIND]
    rows = [{**one.body(), "at": one.entry.at} for one in found]
    return [{**row, "counts": (row["digest"], row["policy"]) == (digest, policy)} for row in rows]
