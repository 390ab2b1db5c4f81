"""Which model a person chose among a version's less discriminatory alternatives, on record, bound to its bytes.

A version is the model that the tuner chose. Where its search found one that is as good and treats groups more alike,
a person says which of them shall decide, and why; of several words the last counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from configs.errors import InputError, Refusal
from serving.ledger import Entry, Ledger, Record, canonical
from training.alternatives import CHOSEN
from training.bundle import Bundle
from training.choice import choose

KIND = "alternative_choice"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice as it is on record."""

    version: str
    model: str
    by: str
    reason: str
    refusals: Mapping[str, str]
    at: str
    digest: str


def record(
    ledger: Ledger, bundle: Bundle, model: str, by: str, reason: str, refusals: Mapping[str, str], at: str
) -> Chosen:
    """Put a choice on record.

    Raises InputError for a version without alternatives, a model that was not judged, no name or no reason, and Refusal
    where an alternative that had to be shown is refused without one.
    """
    if "alternatives" not in bundle.training:
        raise InputError(f"{bundle.version} holds no search for alternatives: its product lists no table `protected`")
    if not by.strip():
        raise InputError("a choice is on record with the name of who makes it: it may not be empty")
    made = choose(bundle.training["alternatives"], model, reason, refusals)
    body = canonical({**asdict(made), "by": by, "digest": bundle.digest})
    identity = f"choice-{hashlib.sha256(body + at.encode()).hexdigest()[:32]}"
    (kept,) = ledger.append([Entry(identity, KIND, bundle.product, bundle.version, at, body)])
    return _chosen(kept)


def standing(ledger: Ledger, bundle: Bundle) -> Chosen | None:
    """The last choice made about these bytes."""
    said = [_chosen(made) for made in ledger.about([bundle.version]) if made.entry.kind == KIND]
    return next((one for one in reversed(said) if one.digest == bundle.digest), None)


def require(ledger: Ledger, bundle: Bundle, required: bool) -> None:
    """Raise Refusal where another model was chosen, or where one must be (`required`) and none was."""
    said = standing(ledger, bundle)
    if said is not None and said.model != CHOSEN:
        raise Refusal(
            f"{bundle.version}: {said.by} chose {said.model!r} instead ({said.reason}); train that, or choose again"
        )
    shown = bundle.training.get("alternatives", {}).get("must_be_shown", ())
    if required and shown and said is None:
        raise Refusal(
            f"{bundle.version} has alternatives that treat groups more alike ({', '.join(shown)}), and nobody chose: "
            f"creditloop models choose --product {bundle.product} {bundle.version}"
        )


def _chosen(made: Record) -> Chosen:
    body, entry = made.body(), made.entry
    said = (body["model"], body["by"], body["reason"], body["refusals"])
    return Chosen(entry.subject, *said, entry.at, body["digest"])
