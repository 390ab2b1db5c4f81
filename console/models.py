"""Models: every version of a product, one of them, two side by side; approve, reject, promote and roll back by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from configs.errors import BundleError, InputError, Refusal
from configs.settings import Product, load_product
from console.visit import Elsewhere, Page, State, Visit
from serving import approval, champion
from serving.approval import Word
from serving.live import utc_now
from serving.score import make_scorer
from training import bundle as bundles
from training.bundle import Bundle
from training.signature import trusted_keys

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
    rows = [_line(state, product, version) for version in reversed(champion.versions(state.settings.home, product.name))]
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
    state, product, version = visit.state, visit.scorer.product, _version(visit)
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
    rows = [(told, *(_measured(facts, name) for facts in both)) for told, name in MEASURES]
    return Page(
        "compare.html",
        {
            "versions": list(reversed(versions)),
            "a": first,
            "b": second,
            "rows": [(told, old, new, _change(old[0], new[0])) for told, old, new in rows],
            "only_a": sorted(names[0] - names[1]),
            "only_b": sorted(names[1] - names[0]),
            "shared": len(names[0] & names[1]),
            "both": both,
        },
    )


def _measured(facts: dict[str, Any], name: str) -> tuple[float | None, float | None, float | None]:
    """Value, low and high of a measure; a number without an interval has no bounds."""
    found = facts["validation"].get(name)
    return (found["value"], found["low"], found["high"]) if isinstance(found, dict) else (found, None, None)


def _change(old: float | None, new: float | None) -> float | None:
    return None if old is None or new is None else new - old


def _version(visit: Visit) -> str:
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


def approve(visit: Visit) -> Elsewhere:
    """Say yes, by the name of who is signed in."""
    return _say(visit, "approve")


def reject(visit: Visit) -> Elsewhere:
    """Say no."""
    return _say(visit, "reject")


def _say(visit: Visit, word: Word) -> Elsewhere:
    bundle, product = _loaded(visit)
    approval.record(visit.state.ledger, bundle, product.digest(), word, visit.by, visit.said("reason"), utc_now())
    return Elsewhere(f"/models/{bundle.version}?product={product.name}&done={word}")


def promote(visit: Visit) -> Elsewhere:
    """Make the version the champion, once enough others approved it."""
    state, (bundle, product) = visit.state, _loaded(visit)
    gate = bundle.training["gate"]
    if not gate["passed"]:
        lacking = ", ".join(check["name"] for check in gate["checks"] if not check["passed"])
        told = "{version} did not pass the gate ({checks}); the console promotes no such version"
        raise Refusal(visit.say(told, version=bundle.version, checks=lacking))
    approval.require(state.ledger, bundle, product.digest(), state.settings.governance.approvals, visit.by)
    expected = champion.current(state.ledger, product.name)
    if expected is not None and expected.version == bundle.version:
        raise Refusal(visit.say("{version} is the champion already", version=bundle.version))
    made = champion.promote(state.ledger, bundle, expected, visit.by, visit.said("reason"), utc_now())
    _mirror(state, product.name, made.version)
    return Elsewhere(f"/models?product={product.name}&done=promote")


def rollback(visit: Visit) -> Elsewhere:
    """Make the former champion the champion again."""
    state = visit.state
    product = load_product(visit.scorer.product.name, state.settings.home)
    made = champion.rollback(state.ledger, state.settings.home, product, visit.by, visit.said("reason"), utc_now())
    _mirror(state, product.name, made.version)
    return Elsewhere(f"/models?product={product.name}&done=rollback")


def _loaded(visit: Visit) -> tuple[Bundle, Product]:
    """The version asked for, loaded and fit for the product as its file is now."""
    settings = visit.state.settings
    product = load_product(visit.scorer.product.name, settings.home)
    folder = champion.bundle_folder(settings.home, product.name, _version(visit))
    bundle = bundles.load(folder, trusted_keys(settings.signing))
    make_scorer(bundle, product)
    return bundle, product


def _mirror(state: State, product: str, version: str) -> None:
    """MLflow's alias follows in a process of its own: its import alone takes seconds, and serving does not need it."""
    program = "import sys; from training.registry import mirror_champion; mirror_champion(*sys.argv[1:])"
    subprocess.Popen(
        [sys.executable, "-c", program, product, version, state.settings.stores.tracking],
        cwd=Path(__file__).parents[1], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
