"""When two names are one person: the one way that approvals, limits and the four eyes tell persons apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def known_as(name: str) -> str:
    """A name as it is compared: Ada, ADA and " ada" are one person."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def different(names: Iterable[str]) -> int:
    """How many persons these names are."""
    return len({known_as(name) for name in names})
