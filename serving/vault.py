"""Records about a customer, sealed under a key of that customer's own: whoever deletes the key has erased the customer.

The chain is over the sealed bytes, so it holds, and can be verified without any key, before and after. In the ledger a
customer then goes by a random pseudonym. Customers' keys lie beside the records, themselves sealed under the master
key, which lies elsewhere: a copy of the database alone tells nothing about anybody. AES-256-GCM (NIST SP 800-38D).
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from configs.errors import ConfigError, CreditloopError
from configs.whole import make_once

_SEALED = b"\x01"  # no canonical JSON begins so
_NONCE = 12
_KEY = 32


class Erased(CreditloopError):
    """The record is about a customer whose key was deleted: nobody can read it any more."""


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """A customer, the name they have in the ledger, and their key as it is stored: sealed."""

    customer: str
    pseudonym: str
    sealed_key: bytes


class Vault:
    """Seals and opens records with customers' keys, and these with the master key in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._master: AESGCM | None = None

    def start(self, witness: CustomerKey | None) -> None:
        """Read the master key; it is made where no customer has a key yet (`witness` is None).

        Raises ConfigError where it is absent or no key, or does not open the `witness`.
        """
        if witness is None and not self._path.exists():
            with suppress(FileExistsError):  # another process was faster: its key is the one
                make_once(self._path, f"{secrets.token_hex(_KEY)}\n".encode())
        try:
            key = bytes.fromhex(self._path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            told = f"privacy.master_key: {self._path}: {error}; without it no decision can be read"
            raise ConfigError(told) from None
        if len(key) != _KEY:
            raise ConfigError(f"privacy.master_key: {self._path}: expected {2 * _KEY} hexadecimal digits")
        self._master = AESGCM(key)
        if witness is not None:
            try:
                self._key(witness)
            except InvalidTag:
                raise ConfigError(f"privacy.master_key: {self._path} is not the key of this ledger") from None

    def new(self, customer: str) -> CustomerKey:
        """A key for a customer who has none."""
        assert self._master is not None
        pseudonym, nonce = f"c-{secrets.token_hex(16)}", os.urandom(_NONCE)
        sealed = nonce + self._master.encrypt(nonce, os.urandom(_KEY), pseudonym.encode())
        return CustomerKey(customer, pseudonym, sealed)

    def seal(self, key: CustomerKey, record_id: str, body: bytes) -> bytes:
        """`body` as it is stored; it opens as the record `record_id` alone."""
        nonce = os.urandom(_NONCE)
        return _SEALED + nonce + self._key(key).encrypt(nonce, body, record_id.encode())

    def open(self, key: CustomerKey, record_id: str, stored: bytes) -> bytes:
        """The body that was sealed. Raises CreditloopError where these are not the bytes `seal` made."""
        nonce, sealed = stored[1 : 1 + _NONCE], stored[1 + _NONCE :]
        try:
            return self._key(key).decrypt(nonce, sealed, record_id.encode())
        except (InvalidTag, ValueError):  # a ValueError: too short to be one
            raise CreditloopError(f"record {record_id}, or its customer's key, is not what was written") from None

    def _key(self, key: CustomerKey) -> AESGCM:
        assert self._master is not None
        nonce, sealed = key.sealed_key[:_NONCE], key.sealed_key[_NONCE:]
        return AESGCM(self._master.decrypt(nonce, sealed, key.pseudonym.encode()))


def is_sealed(stored: bytes) -> bool:
    """Whether a stored body is a sealed one."""
    return stored[:1] == _SEALED
