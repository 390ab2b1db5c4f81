"""What a ledger holds: entries to be recorded, records that are, and the hash that chains them (see ledger.py)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from serving.vault import Erased


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded. `subject` is the customer, version or decision it is about; `body` canonical JSON.

    `personal`: the subject is a customer, and the record is sealed with their key where the ledger has a vault.
    """

    id: str
    kind: str
    product: str
    subject: str
    at: str
    body: bytes
    idempotency_key: str | None = None
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A recorded entry, its place in the chain, and whether this call wrote it or found it under the same key.

    Of an `erased` one the body is empty and the subject a pseudonym.
    """

    seq: int
    entry: Entry
    hash: str
    new: bool = True
    erased: bool = False

    def body(self) -> Any:
        """The body as values. Raises Erased."""
        if self.erased:
            raise Erased(f"record {self.entry.id} is about a customer who was erased")
        return msgspec.json.decode(self.entry.body)


def canonical(values: Any) -> bytes:
    """JSON with sorted keys and shortest exact floats: the same values give the same bytes."""
    return msgspec.json.encode(values, order="sorted")


def entry_hash(seq: int, entry: Entry, previous: str) -> str:
    """The hash of one record, as the module says."""
    body = hashlib.sha256(entry.body).hexdigest()
    columns = [seq, entry.id, entry.kind, entry.product, entry.subject, entry.at, entry.idempotency_key]
    return hashlib.sha256(b"\x00" + canonical([*columns, body, previous])).hexdigest()
