"""Who made a model version: Ed25519 (RFC 8032) over the bytes of its manifest. The one place that knows cryptography.

The key a home makes for itself shows that a version came from this home, to whom cannot write there. To show more,
keep the private key where training alone reads it and name the public keys that serving trusts, in [signing].
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from configs.errors import BundleError, ConfigError
from configs.settings import Signing, load_settings
from configs.whole import beside, make_once

PrivateKey = Ed25519PrivateKey
SIGNATURE = "manifest.sig"
_FORM = re.compile(r"([0-9a-f]{64}) ([0-9a-f]{128})\n")  # one spelling only: no byte can change and still be accepted


def signing_key(settings: Signing) -> PrivateKey:
    """The private key of the settings, made (mode 0600) where there is none, its public half beside it.

    Raises ConfigError for a file that is no such key.
    """
    path = Path(settings.private_key)
    if not path.exists():
        with suppress(FileExistsError):  # another training was faster: its key is the one
            make_once(path, _new())
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: signing.private_key: not a PEM private key without password: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: signing.private_key: an Ed25519 key is expected, got {type(key).__name__}")
    if not _public_path(path).exists():
        beside(_public_path(path), f"{public_key(key)}\n".encode()).replace(_public_path(path))
    return key


def _new() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_path(private_key: Path) -> Path:
    return private_key.with_suffix(".pub")


def public_key(key: PrivateKey) -> str:
    """The public half, 64 hexadecimal digits: what [signing] trusted lists."""
    return key.public_key().public_bytes_raw().hex()


def trusted_keys(settings: Signing) -> tuple[str, ...]:
    """The public keys whose versions are loaded: those listed; where none is, the home's own."""
    path = _public_path(Path(settings.private_key))
    if settings.trusted or not path.exists():
        return settings.trusted
    return (path.read_text(encoding="utf-8").strip(),)


def trusted_in(home: Path) -> tuple[str, ...]:
    """`trusted_keys` by the settings of a home folder."""
    return trusted_keys(load_settings(home).signing)


def sign(folder: Path, manifest: bytes, key: PrivateKey) -> None:
    """Write the signature of `manifest` into `folder`: public key and signature in hexadecimal digits."""
    (folder / SIGNATURE).write_text(f"{public_key(key)} {key.sign(manifest).hex()}\n", encoding="ascii")


def verify(folder: Path, manifest: bytes, trusted: Sequence[str]) -> None:
    """Raise BundleError unless `folder` holds a signature of `manifest` by a trusted key."""
    path = folder / SIGNATURE
    if not path.is_file():
        raise BundleError(f"{folder}: not signed (no {SIGNATURE}); do not use it; train again to make a signed version")
    found = _FORM.fullmatch(path.read_bytes().decode("ascii", errors="replace"))
    if found is None:
        raise BundleError(f"{path}: not a signature; do not use this version")
    signer, signature = found.groups()
    if signer not in trusted:
        raise BundleError(
            f"{folder}: signed by {signer}, which is not trusted here; do not use it, unless you know whose key that "
            "is: then add it to signing.trusted in creditloop.toml"
        )
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer)).verify(bytes.fromhex(signature), manifest)
    except InvalidSignature:
        raise BundleError(f"{folder}: the manifest is not what {signer} signed; do not use this version") from None
