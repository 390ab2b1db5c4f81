"""The settings of where things are kept, and under which keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from configs.frozen import Frozen


class Stores(Frozen):
    """Where things are kept, as URLs."""

    tracking: str
    studies: str
    ledger: str
    bundles: str
    artifacts: str


class Privacy(Frozen):
    """How personal records are kept."""

    master_key: str


class Signing(Frozen):
    """The key that signs model versions (a PEM file), and the public keys whose versions are loaded."""

    private_key: str
    trusted: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...], Field(strict=False)]
