"""Ranges of customers by the order of their ids: how a book is read part by part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """Customers whose id, as text, lies in [low, high); None is open. Rows without an id go with the lowest."""

    low: str | None = None
    high: str | None = None


ALL = Range()
