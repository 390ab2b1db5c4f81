"""Four eyes: who approved or rejected a model version under a policy, bound to the bytes of both, in the ledger.

An approval is of one bundle (its manifest's digest covers model, calibration, report, predictions) and of one policy.
Where either changes it stands no more. Of what one person said of both, the last word counts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from configs.errors import InputError, Refusal
from serving.ledger import Entry, Ledger, Record, canonical
from training.bundle import Bundle

KIND = "approval"
Word = Literal["approve", "reject"]


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word on a version under a policy."""

    version: str
    word: Word
    by: str
    reason: str
    at: str
    digest: str
    policy: str


def record(ledger: Ledger, bundle: Bundle, policy: str, word: Word, by: str, reason: str, at: str) -> Approval:
    """Put a person's word on record. Raises InputError without a name or a reason."""
    if not by.strip() or not reason.strip():
        raise InputError("an approval is on record with the name of who gives it, and the reason: neither may be empty")
    body = canonical({"word": word, "by": by, "reason": reason, "digest": bundle.digest, "policy": policy})
    identity = f"approval-{hashlib.sha256(body + at.encode()).hexdigest()[:32]}"
    (made,) = ledger.append([Entry(identity, KIND, bundle.product, bundle.version, at, body)])
    return _approval(made)


def standing(ledger: Ledger, bundle: Bundle, policy: str) -> list[Approval]:
    """The last word of each person on these bytes and this policy, in the order they were given."""
    last: dict[str, Approval] = {}
    for made in ledger.about([bundle.version]):
        if made.entry.kind != KIND:
            continue
        said = _approval(made)
        if (said.digest, said.policy) == (bundle.digest, policy):
            last.pop(said.by, None)
            last[said.by] = said
    return list(last.values())


def require(ledger: Ledger, bundle: Bundle, policy: str, needed: int, promoter: str) -> None:
    """Raise Refusal where somebody's last word is no, or fewer than `needed` persons beside `promoter` said yes."""
    said = standing(ledger, bundle, policy)
    against = [one for one in said if one.word == "reject"]
    if against:
        told = "; ".join(f"{one.by}: {one.reason}" for one in against)
        raise Refusal(f"{bundle.version} was rejected ({told}); who rejected it may approve it after all")
    others = [one.by for one in said if one.by.strip().casefold() != promoter.strip().casefold()]
    if len(others) < needed:
        helps = f"creditloop models approve --product {bundle.product} {bundle.version}"
        raise Refusal(
            f"{bundle.version} needs the approval of {needed} beside {promoter}, under the policy as it is now, "
            f"and has {', '.join(others) or 'none'}: {helps}"
        )


def _approval(made: Record) -> Approval:
    body, entry = made.body(), made.entry
    said = (body["word"], body["by"], body["reason"])
    return Approval(entry.subject, *said, entry.at, body["digest"], body["policy"])
