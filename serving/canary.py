"""A canary: a share of a product's customers is decided by a challenger, until it is promoted or stopped.

Who meets it is told by a hash of the customer id and the version alone: a customer always meets the same model, and
whoever met the challenger at a small share still does at a larger one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from configs.errors import InputError, Refusal
from serving import champion
from serving.circumstances import Arm
from serving.ledger import Entry, Ledger, Record, canonical
from training.bundle import Bundle

KIND = "canary"


@dataclass(frozen=True, slots=True)
class Canary:
    """A challenger's share of the traffic beside the promotion `champion`; of 0 where it was stopped."""

    record_id: str
    version: str
    digest: str
    share: float
    champion: str
    by: str
    reason: str
    at: str

    def arm(self, customer_id: str) -> Arm:
        """Where a customer stands, and whether the challenger decides for that."""
        at = place(self.version, customer_id)
        return Arm(canary=self.record_id, place=at, share=self.share, challenger=at < self.share)


@dataclass(frozen=True, slots=True)
class Decided:
    """What one arm of a canary decided: how many, by decision, the mean PD, the sum of limits in currency."""

    model: str
    decisions: int
    approve: int
    refer: int
    decline: int
    mean_default_probability: float | None
    limits: float


def place(version: str, customer_id: str) -> float:
    """Where a customer stands for a version, from 0 on and below 1: 53 bits of SHA-256, evenly spread."""
    digest = hashlib.sha256(canonical([version, customer_id])).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2.0**53


def current(ledger: Ledger, product: str) -> Canary | None:
    """The canary in force: the last one, unless it was stopped or the champion changed since."""
    record, promotion = ledger.latest(KIND, product), champion.current(ledger, product)
    if record is None or promotion is None:
        return None
    found = _canary(record)
    return found if found.share > 0 and found.champion == promotion.record_id else None


def start(
    ledger: Ledger,
    bundle: Bundle,
    tables: set[str],
    share: float,
    by: str,
    reason: str,
    at: str,
    weighed_at: int | None = None,
) -> Canary:
    """Give `bundle` a share of its product's traffic, on record; `tables` are those that the champion reads.

    Whether it may decide about anybody is for promoting.require to say, which weighed the ledger as it was at the
    sequence `weighed_at`, by default that of this call. Raises InputError for a share that is none, without a name or
    a reason, and Refusal where there is no champion beside it, it was retired, does not fit an overlay in force,
    something was said about it since it was weighed, or it reads other tables: the same request must do for both.
    """
    if not 0 < share < 1:
        raise InputError(f"--share {share:g}: expected a share between 0 and 1, such as 0.05")
    promotion = champion.current(ledger, bundle.product)
    if promotion is None or promotion.version == bundle.version:
        raise Refusal(f"{bundle.version} would stand beside no other champion of {bundle.product}")
    if other := set(bundle.program.tables) ^ tables:
        raise Refusal(f"{bundle.version} and the champion do not read the same tables: {', '.join(sorted(other))}")
    since = ledger.head()[0] if weighed_at is None else weighed_at
    champion.require_may_decide(ledger, bundle, at)
    unsaid = (bundle.version, since)
    return _put(
        ledger, bundle.product, bundle.version, bundle.digest, share, promotion.record_id, by, reason, at, unsaid
    )


def stop(ledger: Ledger, product: str, by: str, reason: str, at: str) -> Canary:
    """Give all traffic back to the champion, on record. Raises Refusal where there is no canary, InputError."""
    found = current(ledger, product)
    if found is None:
        raise Refusal(f"{product} has no canary to stop")
    return _put(ledger, product, found.version, found.digest, 0.0, found.champion, by, reason, at)


def decided(ledger: Ledger, product: str, canary: Canary) -> tuple[Decided, Decided]:
    """What the challenger and the champion decided about the customers of `canary`."""
    arms: dict[bool, list[dict[str, object]]] = {True: [], False: []}
    for record in ledger.records("decision", product):
        body = record.body()
        arm = body["question"].get("circumstances", {}).get("canary")
        if arm is not None and arm["canary"] == canary.record_id:
            arms[arm["challenger"]].append(body["answer"])
    return _decided(arms[True]), _decided(arms[False])


def _decided(answers: list[dict[str, object]]) -> Decided:
    said = [str(answer["decision"]) for answer in answers]
    pds = [float(str(answer["default_probability"])) for answer in answers]
    return Decided(
        model=str(answers[-1]["model"]) if answers else "",
        decisions=len(answers),
        approve=said.count("approve"),
        refer=said.count("refer"),
        decline=said.count("decline"),
        mean_default_probability=sum(pds) / len(pds) if pds else None,
        limits=sum(float(str(answer["limit"])) for answer in answers),
    )


def _put(ledger: Ledger, product: str, version: str, digest: str, share: float, beside: str, by: str, reason: str,
         at: str, unsaid: tuple[str, int] | None = None) -> Canary:  # fmt: skip
    if not by.strip() or not reason.strip():
        raise InputError("a canary is on record with the name of who decides, and the reason: neither may be empty")
    last = ledger.latest(KIND, product)
    before = None if last is None else last.entry.id
    said = {"digest": digest, "share": share, "champion": beside, "by": by, "reason": reason}
    identity = f"{KIND}-{hashlib.sha256(canonical([product, version, share, before])).hexdigest()[:32]}"
    entry = Entry(identity, KIND, product, version, at, canonical(said))
    ledger.append([entry], (KIND, product, before), unsaid)
    return Canary(identity, version, digest, share, beside, by, reason, at)


def _canary(record: Record) -> Canary:
    return Canary(record.entry.id, record.entry.subject, **record.body(), at=record.entry.at)
