"""The caps on groups of connected customers and on the whole book, over a review that lies in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from configs.customers import ReviewRules
from monitoring.customers import limits
from monitoring.customers.limits import HOLDS
from monitoring.customers.reviewed import Reviewed

SHOWN = 20


@dataclass
class Drawn:
    """What caps look at, gathered part by part: some 30 bytes a customer, and the names of groups."""

    _columns: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    _groups: dict[str, int] = field(default_factory=dict)

    def add(self, part: Reviewed) -> None:
        """Take a part in; parts come in the order of the book."""
        places = self._places(part)
        self._columns.append((part.limit, part.drawn, part.default_probability, places))

    def _places(self, part: Reviewed) -> np.ndarray:
        """The number of each customer's group; who has none stands alone, below 0."""
        first = sum(len(columns[0]) for columns in self._columns)
        alone = -1 - np.arange(first, first + len(part))
        named = np.flatnonzero(part.group_id != "")
        for row in named.tolist():
            alone[row] = self._groups.setdefault(part.group_id[row], len(self._groups))
        return alone

    def cut(self, rules: ReviewRules) -> tuple[np.ndarray, np.ndarray]:
        """The limits within the caps, groups first, and which cap cut each: a place in HOLDS, 0 where none. (rows,)."""
        limit, drawn, pd, group = (np.concatenate(values) for values in zip(*self._columns, strict=True))
        by = np.zeros(len(limit), np.int8)
        for cap, place, name in ((rules.group_cap, group, "group"), (rules.portfolio_cap, group * 0, "portfolio")):
            if cap is not None:
                limit, short = limits.within_groups(limit, drawn, pd, place, cap)
                by[short] = HOLDS.index(name)
        return limit, by

    def breaches(self, rules: ReviewRules) -> list[dict[str, object]]:
        """Groups that have drawn more than their cap, the largest excess first; a group of one is its place."""
        if rules.group_cap is None or not self._columns:
            return []
        drawn = limits.owed(np.concatenate([columns[1] for columns in self._columns]))
        group = np.concatenate([columns[3] for columns in self._columns])
        names, place, members = np.unique(group, return_inverse=True, return_counts=True)
        sums = np.bincount(place, drawn)
        over = np.flatnonzero((sums > rules.group_cap) & (names >= 0))
        worst = over[np.argsort(-sums[over], kind="stable")][:SHOWN]
        known = list(self._groups)
        return [
            {"group": known[names[one]], "customers": int(members[one]), "drawn": float(sums[one])}
            for one in worst.tolist()
        ]


def capped(parts: Iterator[Reviewed], limit: np.ndarray, by: np.ndarray) -> Iterator[Reviewed]:
    """The parts with the limits of `Drawn.cut`."""
    first = 0
    for part in parts:
        own = slice(first, first + len(part))
        held_by = np.where(by[own] > 0, by[own], part.held_by).astype(np.int8)
        yield replace(part, limit=limit[own], held_by=held_by)
        first += len(part)


def has_caps(rules: ReviewRules) -> bool:
    """Whether anything but each customer's own limit bounds exposure."""
    return rules.group_cap is not None or rules.portfolio_cap is not None
