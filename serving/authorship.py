"""Who made a model version: the person who asked for its training, in the ledger. They do not approve it."""

from __future__ import annotations

from serving.ledger import Entry, Ledger, canonical
from training.bundle import Bundle

KIND = "training"


def record(ledger: Ledger, bundle: Bundle, by: str | None, at: str) -> None:
    """Put on record who had a version trained, None where nobody was named. Who did so first made it."""
    identity = f"training-{bundle.digest}"
    body = canonical({"by": by, "digest": bundle.digest})
    ledger.append([Entry(identity, KIND, bundle.product, bundle.version, at, body, identity)])


def author(ledger: Ledger, version: str) -> str | None:
    """Who had a version trained; None where that is not on record."""
    made = ledger.latest_about(KIND, version)
    return None if made is None else made.body()["by"]
