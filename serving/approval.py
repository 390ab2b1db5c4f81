"""Four eyes: who approved or rejected a model version under a policy, bound to the bytes of both, in the ledger.

An approval is of one bundle (its manifest's digest covers model, calibration, report, predictions) and of one policy.
Where either changes it stands no more. Of what one person said of both, the last word counts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from configs.errors import InputError, Refusal
from configs.persons import known_as
from serving import authorship
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
    """Put a person's word on record.

    Raises InputError without a name or a reason, and Refusal where a version's author approves it.
    """
    if not by.strip() or not reason.strip():
        raise InputError("an approval is on record with the name of who gives it, and the reason: neither may be empty")
    maker = authorship.author(ledger, bundle.version)
    if word == "approve" and maker is not None and known_as(maker) == known_as(by):
        raise Refusal(f"{bundle.version} was trained by {maker}, who does not approve it")
    body = canonical({"word": word, "by": by, "reason": reason, "digest": bundle.digest, "policy": policy})
    identity = f"approval-{hashlib.sha256(body + at.encode()).hexdigest()[:32]}"
    (made,) = ledger.append([Entry(identity, KIND, bundle.product, bundle.version, at, body)])
    return _approval(made)


def standing(ledger: Ledger, bundle: Bundle, policy: str) -> list[Approval]:
    """The last word of each person on these bytes and this policy, in the order they were given."""
    last: dict[str, Approval] = {}
    for said in all_of(ledger, bundle.version):
        if (said.digest, said.policy) == (bundle.digest, policy):
            last.pop(known_as(said.by), None)
            last[known_as(said.by)] = said
    return list(last.values())


def all_of(ledger: Ledger, version: str) -> list[Approval]:
    """Every word on a version in order, whether it is of its bytes and policy of today or not."""
    return [_approval(made) for made in ledger.about([version]) if made.entry.kind == KIND]


def require(
    ledger: Ledger, bundle: Bundle, policy: str, needed: int, promoter: str, must_know_author: bool = False
) -> None:
    """Raise Refusal where somebody's last word is no, or fewer than `needed` persons beside `promoter` said yes.

    The author of the version is not one of them; `must_know_author`: nor may it be unknown who that is.
    """
    said = standing(ledger, bundle, policy)
    against = [one for one in said if one.word == "reject"]
    if against:
        told = "; ".join(f"{one.by}: {one.reason}" for one in against)
        raise Refusal(f"{bundle.version} was rejected ({told}); who rejected it may approve it after all")
    maker = authorship.author(ledger, bundle.version)
    if needed and must_know_author and maker is None:
        raise Refusal(
            f"who had {bundle.version} trained is not on record, so nobody can be told to be another: train it again "
            "with a key in CREDITLOOP_KEY"
        )
    involved = {known_as(name) for name in (promoter, maker) if name is not None}
    others = [one.by for one in said if known_as(one.by) not in involved]
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
