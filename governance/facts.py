"""All that is on record of one model version, read once: the papers are pure functions of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.settings import Product, Settings
from serving import approval, authorship, champion, finding, waiver
from serving.approval import Approval
from serving.champion import Promotion
from serving.events import Event, events
from serving.finding import Finding
from serving.ledger import Ledger
from serving.overlay import Overlay, overlays
from serving.waiver import Waiver
from training.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Decided:
    """What a version decided: how often, from when to when, by decision, and how often a person decided otherwise."""

    count: int
    first_id: str | None
    first_at: str | None
    last_id: str | None
    last_at: str | None
    by_decision: Mapping[str, int]
    overridden: int


@dataclass(frozen=True, slots=True)
class Facts:
    """A version, the product it is of, and every record about it, each in the ledger's order."""

    bundle: Bundle
    product: Product
    settings: Settings
    author: str | None
    trained_at: str | None
    approvals: tuple[Approval, ...]
    waivers: tuple[Waiver, ...]
    findings: tuple[Finding, ...]
    history: tuple[Promotion, ...]
    retraining: Mapping[str, Any] | None
    verdicts: tuple[Mapping[str, Any], ...]
    decided: Decided
    events: tuple[Event, ...]
    overlays: tuple[Overlay, ...]
    written_at: str

    @property
    def promotions(self) -> tuple[Promotion, ...]:
        """Those that made this version the champion."""
        return tuple(made for made in self.history if made.version == self.bundle.version)

    @property
    def status(self) -> str:
        """Champion, former champion, retired, or challenger."""
        if any(one.kind == "retirement" for one in self.events):
            return "retired"
        if self.history and self.history[-1].version == self.bundle.version:
            return "champion"
        return "former champion" if self.promotions else "challenger"


def gather(bundle: Bundle, product: Product, settings: Settings, ledger: Ledger, at: str) -> Facts:
    """Everything on record about a version, as of now."""
    about = ledger.about([bundle.version])
    trained = next((made for made in about if made.entry.kind == authorship.KIND), None)
    retrained = next((made for made in about if made.entry.kind == "retraining"), None)
    return Facts(
        bundle=bundle,
        product=product,
        settings=settings,
        author=authorship.author(ledger, bundle.version),
        trained_at=None if trained is None else trained.entry.at,
        approvals=tuple(approval.all_of(ledger, bundle.version)),
        waivers=tuple(waiver.waivers(ledger, bundle.version)),
        findings=tuple(one for one in finding.findings(ledger, product.name) if one.version == bundle.version),
        history=tuple(champion.history(ledger, product.name)),
        retraining=None if retrained is None else {**retrained.body(), "at": retrained.entry.at},
        verdicts=tuple({**made.body(), "at": made.entry.at} for made in about if made.entry.kind == "verdict"),
        decided=_decided(ledger, bundle.version, product.name),
        events=tuple(one for one in events(ledger, product.name) if one.version == bundle.version),
        overlays=tuple(overlays(ledger, product.name)),
        written_at=at,
    )


def _decided(ledger: Ledger, version: str, product: str) -> Decided:
    first = last = None
    count, by_decision, ids = 0, {"approve": 0, "refer": 0, "decline": 0}, set()
    for made in ledger.records("decision", product):
        answer = made.body()["answer"]
        if answer["model"] != version:
            continue
        first, last, count = first or made.entry, made.entry, count + 1
        by_decision[answer["decision"]] += 1
        ids.add(made.entry.id)
    overridden = {made.body()["decision_id"] for made in ledger.records("override", product)} & ids
    return Decided(
        count=count,
        first_id=first.id if first else None,
        first_at=first.at if first else None,
        last_id=last.id if last else None,
        last_at=last.at if last else None,
        by_decision=by_decision,
        overridden=len(overridden),
    )
