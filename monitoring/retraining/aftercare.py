"""What follows a retraining: the challenger in the shadow, promotion within limits, a watch, and the way back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from configs.errors import BundleError, ConfigError, Refusal
from configs.settings import Product, Settings
from monitoring.outcomes.early import Estimate
from monitoring.retraining import limits, shadow
from monitoring.retraining.limits import Breached
from monitoring.retraining.shadow import Compared
from serving import approval, champion, chosen, finding
from serving.champion import Promotion
from serving.ledger import Entry, Ledger, Record, canonical
from serving.score import make_scorer
from training import bundle as bundles
from training.gate import Check
from training.signature import trusted_in


@dataclass(frozen=True, slots=True)
class Standing:
    """A challenger that waits: how its shadow compares, and what its promotion without a person still lacks."""

    version: str
    compared: Compared | None
    checks: tuple[Check, ...]

    @property
    def ready(self) -> bool:
        """Whether it may be promoted without a person."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True, slots=True)
class Watched:
    """A new champion beside the former one, and what it shows that it may not, each in a sentence.

    `blind` says why the former one could not decide beside it, None where it could.
    """

    promotion: Promotion
    compared: Compared | None
    breached: Mapping[Breached, str]
    blind: str | None = None

    @property
    def breaches(self) -> tuple[str, ...]:
        """The sentences."""
        return tuple(self.breached.values())


def follow_challenger(ledger: Ledger, product: Product, settings: Settings, at: str) -> Standing | None:
    """Let the latest challenger decide what the champion decided since it was made; None where none waits."""
    record, current = ledger.latest("retraining", product.name), champion.current(ledger, product.name)
    if record is None or current is None or not _waits(ledger, record, product.name):
        return None
    body = record.body()
    scorer = make_scorer(_load(settings.home, product.name, body["challenger"]), product)
    shadow.follow(ledger, current.version, scorer, record.seq, at)
    compared = shadow.compare(ledger, product.name, current.version, body["challenger"], record.seq)
    today = dt.datetime.fromisoformat(at).date()
    checks = limits.promotion_checks(body, compared, settings.retraining, today)
    return Standing(body["challenger"], compared, checks)


def promote_within_limits(
    ledger: Ledger, product: Product, standing: Standing, settings: Settings, at: str
) -> Promotion:
    """Promote a challenger that needs no person.

    Raises Refusal that names what it lacks, and for what persons said of it all the same: an open finding, a rejection,
    another model chosen in its place, or none where one must be.
    """
    limits.require(standing.checks, standing.version)
    bundle, (weighed_at, _) = _load(settings.home, product.name, standing.version), ledger.head()
    expected, by = champion.current(ledger, product.name), limits.signed(settings.retraining.automatic)
    finding.require_none(ledger, bundle, settings.governance.blocking_severity, dt.date.fromisoformat(at[:10]))
    chosen.require(ledger, bundle, settings.fairness.choice_required)
    approval.require(ledger, bundle, product.digest(), 0, by)
    reason = "; ".join(f"{check.name} {check.measured:g} ({check.wanted})" for check in standing.checks)
    return champion.promote(ledger, bundle, expected, by, reason, at, weighed_at=weighed_at)


def watch_champion(
    ledger: Ledger, product: Product, settings: Settings, outcomes: Estimate | None, at: str
) -> Watched | None:
    """Let the former champion decide what the new one decided; None where there is none, or no watch is due."""
    promotion = champion.current(ledger, product.name)
    today = dt.datetime.fromisoformat(at).date()
    if promotion is None or promotion.previous is None or promotion.undoes is not None:
        return None
    if (today - dt.datetime.fromisoformat(promotion.at).date()).days > settings.retraining.breach.watch_days:
        return None
    record = ledger.by_id(promotion.record_id)
    assert record is not None  # the pointer is a record of this ledger
    compared, blind = None, None
    try:
        former = make_scorer(_load(settings.home, product.name, promotion.previous), product)
    except (BundleError, ConfigError) as why:
        blind = str(why)
    else:
        shadow.follow(ledger, promotion.version, former, record.seq, at)
        compared = shadow.compare(ledger, product.name, promotion.version, promotion.previous, record.seq)
    found = limits.breaches(promotion, compared, outcomes, settings.retraining.breach, today)
    return Watched(promotion, compared, found, blind)


def roll_back(ledger: Ledger, product: Product, watched: Watched, settings: Settings, at: str) -> Promotion:
    """Go back to the former champion because of breaches, within approved limits. Raises Refusal where none are."""
    automatic = settings.retraining.automatic
    told = "; ".join(watched.breaches)
    if not watched.breaches:
        raise Refusal(f"{watched.promotion.version} shows no breach: nothing to roll back")
    if not (automatic.roll_back and limits.in_force(automatic, dt.datetime.fromisoformat(at).date())):
        raise Refusal(
            f"{watched.promotion.version}: {told}. No limits are in force that let it be rolled back without a person: "
            f"creditloop models rollback --product {product.name} --by NAME --reason WHY"
        )
    return champion.rollback(ledger, settings.home, product, limits.signed(automatic), f"breach: {told}", at)


def record_breach(ledger: Ledger, product: str, watched: Watched, at: str) -> None:
    """The breach goes into the ledger whether or not anything follows from it; the same one once."""
    body = {"model": watched.promotion.version, "breaches": list(watched.breaches)}
    key = f"breach-{watched.promotion.record_id}-{'-'.join(watched.breached)}"
    entry = Entry(key, "breach", product, watched.promotion.version, at, canonical(body), key)
    ledger.append([entry])


def _waits(ledger: Ledger, record: Record, product: str) -> bool:
    """Whether the challenger of a retraining was made since the last promotion or rollback."""
    promotion = ledger.latest(champion.KIND, product)
    return promotion is not None and promotion.seq < record.seq


def _load(home: Path, product: str, version: str) -> bundles.Bundle:
    return bundles.load(champion.bundle_folder(home, product, version), trusted_in(home))
