"""May a version become the champion: findings, the gate or a waiver, four eyes, then the pointer; all in one place."""

from __future__ import annotations

import datetime as dt

from configs.errors import InputError
from configs.settings import Product, Settings
from serving import approval, champion, chosen, finding, waiver
from serving.champion import Promotion
from serving.ledger import Ledger
from training.bundle import Bundle


def promote(
    ledger: Ledger,
    settings: Settings,
    bundle: Bundle,
    product: Product,
    by: str,
    reason: str,
    at: str,
    despite_gate: str | None = None,
) -> Promotion:
    """Make `bundle` the champion by the word of `by`.

    Raises Refusal that names what stands in the way: what `require` refuses, a pointer that moved meanwhile, or
    words about the version that landed meanwhile.
    """
    if not by.strip() or not reason.strip():
        raise InputError("a promotion is on record with the name of who decides, and the reason: neither may be empty")
    weighed_at, _ = ledger.head()
    expected = champion.current(ledger, product.name)
    waived = require(ledger, settings, bundle, product, by, at, despite_gate)
    return champion.promote(ledger, bundle, expected, by, f"{reason}{waived}", at, weighed_at=weighed_at)


def require(
    ledger: Ledger,
    settings: Settings,
    bundle: Bundle,
    product: Product,
    by: str,
    at: str,
    despite_gate: str | None = None,
) -> str:
    """Raise Refusal unless `bundle` may decide about customers by the word of `by`: for an open finding, a gate that
    was not passed and not waived, another model chosen in its place, a rejection or too few approvals.

    Returns what belongs to the reason on record: why it may although the gate said no, empty where it did not.
    """
    rules, on, waived = settings.governance, dt.date.fromisoformat(at[:10]), ""
    finding.require_none(ledger, bundle, rules.blocking_severity, on)
    if not bundle.training["gate"]["passed"]:
        # Where one pair of eyes is enough, so is one person's word against the gate.
        if rules.approvals == 0 and despite_gate is not None:
            waived = f"; despite the gate: {despite_gate}"
        else:
            given = waiver.require(ledger, bundle, product.digest(), by, on)
            waived = f"; gate waived until {given.until} by {given.by}: {given.reason}"
    chosen.require(ledger, bundle, settings.fairness.choice_required)
    approval.require(ledger, bundle, product.digest(), rules.approvals, by, must_know_author=rules.identity == "keys")
    return waived
