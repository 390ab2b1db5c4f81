"""Signed words on where the chain stood, kept outside the ledger: whoever rewrites all of it cannot rewrite them.

What is older than the last checkpoint cannot change unseen by whoever holds the anchor folder and the public key. So
the folder belongs on another disk or a write-once bucket, and the private key where the ledger's keeper cannot read it.
"""

from __future__ import annotations

import os
from pathlib import Path

from configs.settings import Settings, Signing
from configs.whole import beside
from serving.ledger import Ledger
from serving.verify_ledger import SUFFIX, Checkpoint, statement
from training.signature import PrivateKey, public_key, signing_key, trusted_keys


def witnesses(settings: Signing) -> tuple[str, ...]:
    """The public keys whose checkpoints count: those that are trusted, and the home's own where it has one."""
    trusted = trusted_keys(settings)
    if not Path(settings.private_key).exists():
        return trusted
    return tuple(dict.fromkeys((*trusted, public_key(signing_key(settings)))))


def write(seq: int, head: str, at: str, key: PrivateKey, folder: Path) -> Path:
    """Sign that record `seq` has the hash `head` and keep it in `folder`, durably; what is there is left as it is."""
    path = folder / f"{seq:012d}-{head[:12]}{SUFFIX}"
    if path.exists():
        return path
    signed = statement(seq, head, at)
    beside(path, signed + f"{public_key(key)} {key.sign(signed).hex()}\n".encode()).replace(path)
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
    return path


class Checkpoints:
    """Writes a checkpoint of a ledger when enough records came, or enough time went by, since the last."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._folder = Path(settings.serving.anchor)
        self._key = signing_key(settings.signing)
        self._records = settings.serving.checkpoint_records
        self._seconds = settings.serving.checkpoint_seconds
        self._seq, self._since = 0, 0.0

    def follow(self, now: float, at: str) -> Path | None:
        """Look at the head at `now` (seconds of a clock that only rises); the checkpoint where one was due."""
        seq, head = self._ledger.head()
        due = seq - self._seq >= self._records or now - self._since >= self._seconds
        if seq == self._seq or not due:
            return None
        return self._write(seq, head, now, at)

    def finish(self, now: float, at: str) -> Path | None:
        """The last checkpoint, of whatever is not yet under one."""
        seq, head = self._ledger.head()
        return None if seq == self._seq else self._write(seq, head, now, at)

    def _write(self, seq: int, head: str, now: float, at: str) -> Path:
        path = write(seq, head, at, self._key, self._folder)
        self._seq, self._since = seq, now
        return path


def told(checkpoints: list[Checkpoint]) -> str:
    """What the checkpoints vouch for, in a sentence."""
    if not checkpoints:
        return "no checkpoint: a chain rewritten as a whole would not show (creditloop decisions checkpoint)"
    return f"{len(checkpoints):,} checkpoints met, the last of record {checkpoints[-1].seq:,}"
