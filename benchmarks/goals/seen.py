"""A figure read out of a result: a value, the low and high of its spread, and words beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """A figure with its spread; `low` and `high` None where a single run gave it."""

    value: float
    low: float | None = None
    high: float | None = None
    words: str = ""


Look = Callable[[Result], Seen | None]


def at(found: Any, *path: str) -> Any:
    """What lies at a path of keys; None where there is no such place."""
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def of_rounds(values: Sequence[float], words: str = "") -> Seen:
    """Median, lowest and highest."""
    return Seen(median(values), min(values), max(values), words)


def of_interval(one: Any, words: str = "") -> Seen | None:
    """A mean or value with the bounds of its interval."""
    value = one and one.get("mean", one.get("value"))
    return None if value is None else Seen(value, one["low"], one["high"], words)


def plain(key: str) -> Look:
    """A number as it stands."""
    return lambda found: None if found.get(key) is None else Seen(found[key])
