"""Limits that only persons grant: one asks, another with the authority agrees, and the next reviews keep to it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from configs.errors import InputError, Refusal
from configs.persons import known_as
from configs.settings import Product
from monitoring.customers import review_report
from serving.ledger import Entry, Ledger, Record, canonical
from serving.override import Override, authorise

KIND, STEP = "limit_request", "limit_decision"
Word = Literal["approve", "decline"]


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks for a limit that stands until the day `until`; `word` is what another person said to it."""

    id: str
    customer_id: str
    limit: float
    until: str
    by: str
    reason: str
    at: str
    word: Word | None = None
    decided_by: str = ""
    authority: str = ""
    decided_at: str = ""


def ask(
    ledger: Ledger, product: Product, customer_id: str, limit: float, until: str, by: str, reason: str, at: str
) -> Record:
    """Put a request on record; the same again gives the first. Raises InputError without name, reason or amount."""
    if not by.strip() or not reason.strip():
        raise InputError("a request goes on record with the name of who asks, and why: neither may be empty")
    if not 0 < limit < math.inf or until < at[:10]:
        raise InputError(f"a limit of {limit:g} until {until}: expected an amount above 0, until {at[:10]} or later")
    body = {"customer_id": customer_id, "limit": limit, "until": until, "by": by, "reason": reason}
    key = f"limit-request-{hashlib.sha256(canonical([product.name, body])).hexdigest()[:32]}"
    (made,) = ledger.append([Entry(key, KIND, product.name, customer_id, at, canonical(body), key, personal=True)])
    return made


def decide(
    ledger: Ledger,
    product: Product,
    request_id: str,
    word: Word,
    by: str,
    authority: str,
    reason: str,
    stands: dict[str, Any],
    at: str,
) -> Record:
    """Record another person's word; `stands` is what the last review says: grade, decision, limit.

    Raises InputError for an unknown request or level, Refusal where the same person asked, the level may not grant as
    much to such a grade, or somebody decided otherwise already: of two at once one is refused.
    """
    asked = _found(ledger, product, request_id)
    if known_as(asked.by) == known_as(by):
        raise Refusal(f"{request_id} was asked for by {asked.by}: another person decides it")
    override = Override(request_id, word, asked.limit if word == "approve" else 0.0, authority, by, reason)
    authorise(product, stands, override)
    body = {"word": word, "by": by, "authority": authority, "reason": reason}
    key = f"limit-decision-{hashlib.sha256(request_id.encode()).hexdigest()[:32]}"
    (made,) = ledger.append([Entry(key, STEP, product.name, request_id, at, canonical(body), key)])
    if made.body() != body:
        raise Refusal(f"{made.body()['by']} was faster: {request_id} was decided already ({made.body()['word']})")
    return made


def stands(ledger: Ledger, product: Product, request_id: str, day: int) -> dict[str, Any]:
    """What the last review by `day` (days since 1970) says of the customer of a request: grade, decision and limit.

    Raises InputError for an unknown request, or a customer whom no review has seen: nobody decides blindly.
    """
    asked = _found(ledger, product, request_id)
    standing = review_report.standing_of(ledger, product, asked.customer_id, day)
    if standing is None:
        raise InputError(f"{asked.customer_id}: no review has graded this customer; run creditloop customers review")
    return {name: standing[name] for name in ("grade", "decision", "limit")}


def requests_of(ledger: Ledger, product: str) -> list[Request]:
    """Every request of a product with what became of it, in the order they were made."""
    records = [*ledger.records(KIND, product), *ledger.records(STEP, product)]
    return list(_replayed(sorted(records, key=lambda record: record.seq)).values())


def granted(requests: Iterable[Request], day: str) -> dict[str, float]:
    """The limits that persons granted by `day` (ISO) and that still stand, by customer; the last word counts."""
    stand = [one for one in requests if one.word == "approve" and one.decided_at[:10] <= day <= one.until]
    return {one.customer_id: one.limit for one in sorted(stand, key=lambda one: one.decided_at)}


def plain(request: Request) -> dict[str, Any]:
    """A request as values."""
    return asdict(request)


def _replayed(records: Iterable[Record]) -> dict[str, Request]:
    found: dict[str, Request] = {}
    for record in records:
        body, entry = record.body(), record.entry
        if entry.kind == KIND:
            found[entry.id] = Request(id=entry.id, at=entry.at, **body)
        elif entry.subject in found:
            said = {"word": body["word"], "decided_by": body["by"], "authority": body["authority"]}
            found[entry.subject] = replace(found[entry.subject], **said, decided_at=entry.at)
    return found


def _found(ledger: Ledger, product: Product, request_id: str) -> Request:
    raised = ledger.by_id(request_id)
    if raised is None or raised.entry.kind != KIND or raised.entry.product != product.name:
        raise InputError(f"the ledger has no request {request_id!r} of {product.name}")
    return Request(id=raised.entry.id, at=raised.entry.at, **raised.body())
