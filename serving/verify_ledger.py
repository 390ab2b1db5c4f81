"""Verify a ledger and its signed checkpoints, with Python's standard library and `cryptography` alone.

    python -m serving.verify_ledger ledger.db --anchors anchors --key PUBLIC

A record's hash is SHA256(0x00 || JSON of [seq, id, kind, product, subject, at, key, SHA256(body), hash before it]).
A checkpoint is a text file of five lines: a headline, sequence, hash, time, and PUBLIC KEY SIGNATURE in hexadecimal
digits: Ed25519 (RFC 8032) over the four lines before. Whoever rewrites the whole chain has every hash right; the
checkpoints tell, as far as they lie where he could not write. Exit code 0: all holds, 1: it does not, 2: wrong usage.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

START = "0" * 64
SUFFIX = ".checkpoint"
_HEADLINE = "creditloop ledger checkpoint 1"
# One spelling only: no byte can change and still be accepted.
_FORM = re.compile(
    re.escape(_HEADLINE) + r"\n([1-9][0-9]*)\n([0-9a-f]{64})\n([0-9T:.+-]+)\n([0-9a-f]{64}) ([0-9a-f]{128})\n"
)
_COLUMNS = "seq, id, kind, product, subject, at, idempotency_key, body, previous, hash"


class Breach(Exception):
    """The ledger, or a checkpoint of it, is not what it was."""


class CutTail(Breach):
    """The chain ends before a record that a checkpoint witnesses."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What somebody signed: at this time, record `seq` had this hash."""

    seq: int
    hash: str
    at: str
    name: str


def statement(seq: int, head: str, at: str) -> bytes:
    """The bytes that a checkpoint's signature covers."""
    return f"{_HEADLINE}\n{seq}\n{head}\n{at}\n".encode()


def record_hash(columns: Sequence[Any], body: bytes, previous: str) -> str:
    """The hash of one record; `columns` are seq, id, kind, product, subject, at and idempotency key."""
    values = [*columns, hashlib.sha256(body).hexdigest(), previous]
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(b"\x00" + text.encode()).hexdigest()


def read_checkpoint(path: Path, trusted: Sequence[str]) -> Checkpoint:
    """The checkpoint in `path`. Raises Breach unless it is well formed and a `trusted` public key signed it."""
    found = _FORM.fullmatch(path.read_bytes().decode("ascii", errors="replace"))
    if found is None:
        raise Breach(f"{path}: not a checkpoint")
    seq, head, at, signer, signature = found.groups()
    if signer not in trusted:
        raise Breach(f"{path}: signed by {signer}, which is not trusted here")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer))
        key.verify(bytes.fromhex(signature), statement(int(seq), head, at))
    except InvalidSignature:
        raise Breach(f"{path}: not what {signer} signed") from None
    return Checkpoint(int(seq), head, at, path.name)


def read_anchors(folder: Path, trusted: Sequence[str]) -> list[Checkpoint]:
    """The checkpoints in `folder`, by sequence. Raises Breach at one that is not to be trusted."""
    return sorted((read_checkpoint(p, trusted) for p in folder.glob(f"[!.]*{SUFFIX}")), key=lambda found: found.seq)


def check(rows: Iterable[Sequence[Any]], checkpoints: Sequence[Checkpoint] = ()) -> tuple[int, str]:
    """Recompute every hash of `rows` (the ten columns, by seq) and meet every checkpoint; the length and the head.

    Raises Breach that names the first bad record. Of a chain that was rewritten with all its hashes, the records
    between the last checkpoint that holds and the first that does not.
    """
    waiting = sorted(checkpoints, key=lambda checkpoint: -checkpoint.seq)
    seq, head, witnessed = 0, START, 0
    for row in rows:
        seq += 1
        if row[0] != seq:
            raise Breach(f"record {seq} is missing: the chain goes on at {row[0]}")
        if not _intact(row, head):
            raise Breach(f"record {seq} ({row[2]} {row[1]}) is not what was written")
        head = row[9]
        while waiting and waiting[-1].seq == seq:
            checkpoint = waiting.pop()
            if checkpoint.hash != head:
                raise Breach(
                    f"record {witnessed + 1}, or one after it up to {seq}, was rewritten: "
                    f"{checkpoint.name} of {checkpoint.at} witnesses another chain"
                )
            witnessed = seq
    if waiting:
        last = waiting[-1]
        raise CutTail(f"record {seq + 1} is missing: the chain ends, and {last.name} of {last.at} witnesses {last.seq}")
    return seq, head


def _intact(row: Sequence[Any], previous: str) -> bool:
    try:
        return bool(row[8] == previous and row[9] == record_hash(row[:7], row[7], previous))
    except (TypeError, ValueError):  # a value of a kind that is never written
        return False


def rows_of(path: Path) -> Iterator[Sequence[Any]]:
    """The records of an SQLite ledger by seq, opened for reading alone."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.text_factory = lambda stored: stored.decode(errors="surrogateescape")
    try:
        yield from connection.execute(f"SELECT {_COLUMNS} FROM records ORDER BY seq")
    finally:
        connection.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Verify as the command line says."""
    parser = argparse.ArgumentParser(prog="verify_ledger", description="Verify a creditloop ledger kept in SQLite.")
    parser.add_argument("file", type=Path, help="the ledger")
    parser.add_argument("--anchors", type=Path, metavar="DIR", help="the folder of its signed checkpoints")
    parser.add_argument("--key", action="append", default=[], metavar="PUBLIC", help="trusted to sign; repeatable")
    arguments = parser.parse_args(argv)
    if (arguments.anchors is None) != (not arguments.key):
        parser.error("--anchors DIR and --key PUBLIC go together")
    try:
        anchors = [] if arguments.anchors is None else read_anchors(arguments.anchors, arguments.key)
        if arguments.anchors is not None and not anchors:
            raise Breach(f"{arguments.anchors}: no checkpoint there; a chain rewritten as a whole would not show")
        count, head = check(rows_of(arguments.file), anchors)
    except Breach as breach:
        print(f"verify_ledger: {breach}", file=sys.stderr)
        if isinstance(breach, CutTail):  # cp of the one file of a ledger in use looks just like it
            print("A copy? What was written last may lie in the ledger's -wal file: it belongs to it", file=sys.stderr)
        return 1
    except (sqlite3.Error, OSError) as error:
        print(f"verify_ledger: {arguments.file}: {error}", file=sys.stderr)
        return 2
    print(f"{count} records, every hash holds, {len(anchors)} checkpoints met; head {head}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
