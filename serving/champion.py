"""Which model version answers: a pointer in the ledger, moved by compare-and-swap, never by whoever comes last."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from configs.errors import BundleError, Refusal
from serving.ledger import Entry, Ledger, canonical
from training import bundle as bundles
from training.bundle import Bundle
from training.signature import trusted_in

KIND = "promotion"


@dataclass(frozen=True, slots=True)
class Promotion:
    """The latest promotion of a product: what was made champion, in place of what, by whom and why."""

    record_id: str
    version: str
    digest: str
    previous: str | None
    by: str
    reason: str
    at: str


def current(ledger: Ledger, product: str) -> Promotion | None:
    """The promotion in force, None before the first."""
    record = ledger.latest(KIND, product)
    if record is None:
        return None
    body = record.body()
    return Promotion(
        record.entry.id,
        body["version"],
        body["digest"],
        body["previous"],
        body["by"],
        body["reason"],
        record.entry.at,
    )


def promote(ledger: Ledger, bundle: Bundle, expected: Promotion | None, by: str, reason: str, at: str) -> Promotion:
    """Make `bundle` the champion, provided `expected` still is what the pointer says. Raises Refusal if it moved.

    The record binds the digest of the manifest: a version whose bytes change later is not what was promoted.
    """
    previous = expected.version if expected else None
    body = {
        "version": bundle.version,
        "digest": bundle.digest,
        "previous": previous,
        "by": by,
        "reason": reason,
    }
    after = canonical([bundle.product, bundle.version, expected.record_id if expected else None])
    record_id = f"promotion-{hashlib.sha256(after).hexdigest()[:32]}"
    entry = Entry(record_id, KIND, bundle.product, bundle.version, at, canonical(body))
    ledger.append([entry], expect=(KIND, bundle.product, expected.record_id if expected else None))
    return Promotion(entry.id, bundle.version, bundle.digest, previous, by, reason, at)


def bundle_folder(home: Path, product: str, version: str) -> Path:
    """Where a version of a product lies."""
    return home / "bundles" / product / version


def load_champion(ledger: Ledger, home: Path, product: str) -> Bundle:
    """The champion's bundle, loaded and checked. Raises Refusal without one, BundleError if it is not as promoted."""
    promotion = current(ledger, product)
    if promotion is None:
        raise Refusal(f"{product} has no champion yet: creditloop models promote --product {product} VERSION")
    bundle = bundles.load(bundle_folder(home, product, promotion.version), trusted_in(home))
    if bundle.digest != promotion.digest:
        raise BundleError(f"{bundle.folder}: not the bytes that were promoted on {promotion.at}; do not use it")
    return bundle


def versions(home: Path, product: str) -> list[str]:
    """All complete versions of a product in the home folder, oldest first."""
    folder = home / "bundles" / product
    return sorted(path.name for path in folder.glob("[!.]*") if path.is_dir())
