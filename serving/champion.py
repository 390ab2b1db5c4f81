"""Which model version answers: a pointer in the ledger, moved by compare-and-swap, never by whoever comes last."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path

from configs.errors import BundleError, InputError, Refusal
from configs.settings import Product, load_settings
from serving import overlay
from serving.ledger import Entry, Ledger, Record, canonical
from serving.score import Scorer, make_scorer
from training import bundle as bundles
from training import depot
from training.bundle import Bundle
from training.fallback import SUFFIX
from training.signature import trusted_in

KIND = "promotion"


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion of a product: what was made champion, in place of what, by whom and why.

    `undoes` is the promotion that a rollback took back, None where it is none.
    """

    record_id: str
    version: str
    digest: str
    previous: str | None
    by: str
    reason: str
    at: str
    undoes: str | None = None


def current(ledger: Ledger, product: str) -> Promotion | None:
    """The promotion in force, None before the first."""
    record = ledger.latest(KIND, product)
    return None if record is None else _promotion(record)


def history(ledger: Ledger, product: str) -> list[Promotion]:
    """Every promotion and rollback of a product, in order."""
    return [_promotion(record) for record in ledger.records(KIND, product)]


def live_at(ledger: Ledger, product: str, moment: dt.datetime) -> Promotion | None:
    """The promotion in force at a moment (with its time zone), None before the first.

    The order is the ledger's: where a clock was set back, the later record of an earlier time still is the later.
    """
    by_then = [made for made in history(ledger, product) if dt.datetime.fromisoformat(made.at) <= moment]
    return by_then[-1] if by_then else None


def former(ledger: Ledger, product: str) -> Promotion:
    """The promotion that a rollback returns to: what answered before, past all that was rolled back already.

    Raises Refusal where there is none.
    """
    standing: list[Promotion] = []
    for made in history(ledger, product):
        again = bool(standing) and standing[-1].version == made.version
        if made.undoes is not None or again:
            standing.pop()
        if made.undoes is None:
            standing.append(made)
    if len(standing) < 2:
        raise Refusal(f"{product} has no former champion to go back to; creditloop models history shows its promotions")
    return standing[-2]


def _promotion(record: Record) -> Promotion:
    body, entry = record.body(), record.entry
    said = (body["version"], body["digest"], body["previous"], body["by"], body["reason"])
    return Promotion(entry.id, *said, entry.at, body.get("undoes"))


def retirement_id(version: str) -> str:
    """The id of the record that ends a version's life: there is one at most (events.py)."""
    return f"retirement-{version}"


def require_may_decide(ledger: Ledger, bundle: Bundle, at: str) -> None:
    """Raise Refusal where a version was retired, or does not fit an overlay in force at the moment `at`."""
    if (retired := ledger.by_key(retirement_id(bundle.version))) is not None:
        raise Refusal(f"{bundle.version} was retired by {retired.body()['by']}: {retired.body()['told']}")
    on = dt.date.fromisoformat(at[:10])
    overlay.require_fits(ledger, bundle.product, bundle.version, lambda: bundle.program.names, on)


def promote(
    ledger: Ledger,
    bundle: Bundle,
    expected: Promotion | None,
    by: str,
    reason: str,
    at: str,
    undoes: str | None = None,
    weighed_at: int | None = None,
) -> Promotion:
    """Make `bundle` the champion, provided `expected` still is what the pointer says, and nothing was recorded about it
    since the ledger's sequence `weighed_at`, by default that of this call. Raises Refusal if it moved, something was,
    the version was retired or does not fit an overlay in force, InputError without a name or a reason.

    The record binds the digest of the manifest: a version whose bytes change later is not what was promoted.
    """
    if not by.strip() or not reason.strip():
        raise InputError("a promotion is on record with the name of who decides, and the reason: neither may be empty")
    since = ledger.head()[0] if weighed_at is None else weighed_at
    require_may_decide(ledger, bundle, at)
    previous = expected.version if expected else None
    body = {
        "version": bundle.version,
        "digest": bundle.digest,
        "previous": previous,
        "by": by,
        "reason": reason,
        "undoes": undoes,
    }
    after = canonical([bundle.product, bundle.version, expected.record_id if expected else None])
    record_id = f"promotion-{hashlib.sha256(after).hexdigest()[:32]}"
    entry = Entry(record_id, KIND, bundle.product, bundle.version, at, canonical(body))
    swap = (KIND, bundle.product, expected.record_id if expected else None)
    ledger.append([entry], swap, (bundle.version, since))
    return Promotion(entry.id, bundle.version, bundle.digest, previous, by, reason, at, undoes)


def rollback(ledger: Ledger, home: Path, product: Product, by: str, reason: str, at: str) -> Promotion:
    """Make the former champion the champion again. Raises Refusal without one, BundleError where it is damaged or
    does not fit the product any more.
    """
    expected, back = current(ledger, product.name), former(ledger, product.name)
    bundle = _as_promoted(back, home, product.name)
    make_scorer(bundle, product)
    return promote(ledger, bundle, expected, by, reason, at, expected.record_id if expected else None)


def bundle_folder(home: Path, product: str, version: str) -> Path:
    """Where a version of a product lies (its scorecard lies in it), brought from stores.bundles where the home does not
    have it. Raises BundleError where that place cannot be read, or does not have it either.
    """
    version = version.removesuffix(SUFFIX)
    folder = home / "bundles" / product / version
    shared = "" if folder.exists() else load_settings(home).stores.bundles
    return depot.pull(shared, product, version, home) if shared else folder


def load_champion(ledger: Ledger, home: Path, product: str) -> Bundle:
    """The champion's bundle, loaded and checked. Raises Refusal without one, BundleError if it is not as promoted."""
    return _as_promoted(require(ledger, product), home, product)


def require(ledger: Ledger, product: str) -> Promotion:
    """The promotion in force. Raises Refusal before the first."""
    promotion = current(ledger, product)
    if promotion is None:
        raise Refusal(f"{product} has no champion yet: creditloop models promote --product {product} VERSION")
    return promotion


def champion_scorer(ledger: Ledger, home: Path, product: Product) -> Scorer:
    """The champion under the policy of `product`. Raises as `load_champion` does, ConfigError where they do not fit."""
    return make_scorer(load_champion(ledger, home, product.name), product)


def challenger_scorer(home: Path, product: Product, version: str, digest: str) -> Scorer:
    """A version beside the champion. Raises BundleError where it is not of the bytes of `digest`, its manifest's."""
    bundle = bundles.load(bundle_folder(home, product.name, version), trusted_in(home))
    if bundle.digest != digest:
        raise BundleError(f"{bundle.folder}: not the bytes that were given a share of the traffic; do not use it")
    return make_scorer(bundle, product)


def _as_promoted(promotion: Promotion, home: Path, product: str) -> Bundle:
    bundle = bundles.load(bundle_folder(home, product, promotion.version), trusted_in(home))
    if bundle.digest != promotion.digest:
        raise BundleError(f"{bundle.folder}: not the bytes that were promoted on {promotion.at}; do not use it")
    return bundle


def versions(home: Path, product: str) -> list[str]:
    """All complete versions of a product in the home folder and in stores.bundles, oldest first: by the day in their
    name, then by the time their manifest was written here.
    """
    below, shared = home / "bundles" / product, load_settings(home).stores.bundles
    folders = {path for path in below.glob("[!.]*") if path.is_dir()}
    folders |= {below / name for name in depot.versions(shared, product)} if shared else set()
    return [path.name for path in sorted(folders, key=_made)]


def _made(folder: Path) -> tuple[str, int, str]:
    manifest = folder / bundles.MANIFEST
    written = manifest.stat().st_mtime_ns if manifest.exists() else 0
    return folder.name.rsplit("-", 2)[-2:][0], written, folder.name
