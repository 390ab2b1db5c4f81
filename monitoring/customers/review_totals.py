"""Counts, sums and notices of a review, gathered part by part."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from configs.settings import Product
from monitoring.customers import limits, migration, occasions
from monitoring.customers.limits import HOLDS
from monitoring.customers.migration import CAUSES, NEW
from monitoring.customers.reviewed import DECISIONS, Reviewed

SHOWN = 40  # notices on the page; the parquet file has all


class Totals:
    """What a review comes to; `add` every part, then `values`."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._names = [grade.name for grade in product.grades]
        size = len(self._names)
        self._moves, self._by_pd = np.zeros((size, size), np.int64), np.zeros((size, size), np.int64)
        self._grades: dict[str, np.ndarray] = {
            name: np.zeros(size) for name in ("before", "now", "by_pd", "pd", "limit", "exposure")
        }
        self._sums: Counter[str] = Counter()
        self._counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("causes", "decisions", "held_by", "occasions")
        }
        self._notices: list[dict[str, Any]] = []
        self._over: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return int(self._sums["customers"])

    def add(self, part: Reviewed) -> None:
        """Count a part in."""
        size, exposure = len(self._names), limits.exposure(part.limit, part.drawn)
        self._moves += migration.matrix(part.grade_before, part.grade, size)
        self._by_pd += migration.matrix(part.grade_before, part.by_pd, size)
        self._add_grades(part, exposure)
        old, changed = part.grade_before != NEW, part.changed()
        self._sums.update(
            {
                "customers": len(part),
                "new": int((~old).sum()),
                "pd": float(part.default_probability.sum()),
                "before": float(np.nansum(part.limit_before)),
                "after": float(part.limit.sum()),
                "raised": int((part.limit > part.limit_before)[old].sum()),
                "cut": int((part.limit < part.limit_before)[old].sum()),
                "drawn": float(limits.owed(part.drawn).sum()),
                "exposure": float(exposure.sum()),
                "risk": float((part.default_probability * exposure).sum()),
                "changed": int(changed.sum()),
                "terms_kept": int((part.terms_days < part.terms_earned).sum()),
            }
        )
        for name, column, words in (
            ("causes", part.cause, CAUSES),
            ("decisions", part.decision, DECISIONS),
            ("held_by", part.held_by, HOLDS),
        ):
            self._counts[name].update(dict(zip(words, np.bincount(column, minlength=len(words)).tolist(), strict=True)))
        self._counts["occasions"].update(occasions.counts(part.occasion))
        self._add_lists(part, np.flatnonzero(changed))

    def _add_grades(self, part: Reviewed, exposure: np.ndarray) -> None:
        size = len(self._names)
        known = part.grade_before[part.grade_before != NEW]
        self._grades["before"] += np.bincount(known, minlength=size)
        self._grades["by_pd"] += np.bincount(part.by_pd, minlength=size)
        self._grades["now"] += np.bincount(part.grade, minlength=size)
        for name, values in (("pd", part.default_probability), ("limit", part.limit), ("exposure", exposure)):
            self._grades[name] += np.bincount(part.grade, values, size)

    def _add_lists(self, part: Reviewed, changed: np.ndarray) -> None:
        found = self._notices + notices(part, self._names, changed)
        self._notices = sorted(found, key=_size_of)[:SHOWN]
        drawn = limits.owed(part.drawn)
        over = np.flatnonzero(drawn > part.limit)
        self._sums["over_limit"] += len(over)
        worst = over[np.argsort(part.limit[over] - drawn[over], kind="stable")][:SHOWN]
        found = [
            {"customer_id": str(part.customer_id[row]), "drawn": float(drawn[row]), "limit": float(part.limit[row])}
            for row in worst.tolist()
        ]
        self._over = sorted(self._over + found, key=lambda one: one["limit"] - one["drawn"])[:SHOWN]

    def values(self, group_breaches: list[dict[str, object]]) -> dict[str, Any]:
        """As plain values; with the groups that have drawn more than their cap."""
        sums, rules = self._sums, self._product.customers.review
        return {
            "customers": len(self),
            "new": int(sums["new"]),
            "occasions": {name: count for name, count in self._counts["occasions"].items() if count},
            "mean_pd": sums["pd"] / len(self),
            "grades": [self._grade(place, name) for place, name in enumerate(self._names)],
            "matrix": self._moves.tolist(),
            "moves": {
                "up": int(np.tril(self._moves, -1).sum()),
                "down": int(np.triu(self._moves, 1).sum()),
                "without_hysteresis": int(self._by_pd.sum() - np.trace(self._by_pd)),
                "causes": _but_first(self._counts["causes"], CAUSES),
            },
            "decisions": dict(self._counts["decisions"]),
            "limit": {
                **{name: sums[name] for name in ("before", "after", "raised", "cut")},
                "held_by": _but_first(self._counts["held_by"], HOLDS),
                **{name: sums[name] for name in ("drawn", "exposure")},
            },
            "breaches": {
                "customers": int(sums["over_limit"]),
                "worst": self._over,
                "groups": group_breaches,
                "portfolio": rules.portfolio_cap is not None and sums["drawn"] > rules.portfolio_cap,
            },
            "terms_kept": int(sums["terms_kept"]),
            "expected_loss": sums["risk"] * self._product.policy.loss_given_default,
            "changed": int(sums["changed"]),
            "notices": self._notices,
        }

    def _grade(self, place: int, name: str) -> dict[str, Any]:
        of = {key: float(values[place]) for key, values in self._grades.items()}
        counts = {key: int(of[key]) for key in ("before", "now", "by_pd")}
        mean_pd = of["pd"] / of["now"] if of["now"] else None
        return {"name": name, **counts, "mean_pd": mean_pd, "limit": of["limit"], "exposure": of["exposure"]}


def _but_first(counts: Counter[str], words: tuple[str, ...]) -> dict[str, int]:
    return {name: counts[name] for name in words[1:]}


def _size_of(told: dict[str, Any]) -> float:
    moved = told["limit"] - told["limit_before"]
    return -abs(moved) if moved == moved else 0.0


def notices(book: Reviewed, names: list[str], rows: np.ndarray, most: int = SHOWN) -> list[dict[str, Any]]:
    """What these customers must be told, the largest change of limit first."""
    moved = np.abs(np.nan_to_num(book.limit - book.limit_before)[rows])
    worst_first = rows[np.lexsort((rows, -moved))][:most]
    return [notice(book, names, row) for row in worst_first.tolist()]


def notice(book: Reviewed, names: list[str], row: int) -> dict[str, Any]:
    """One customer's notice: grade, limit and terms before and now, what moved them, and why."""
    before = int(book.grade_before[row])
    return {
        "customer_id": str(book.customer_id[row]),
        "default_probability": float(book.default_probability[row]),
        "grade_before": None if before == NEW else names[before],
        "grade": names[int(book.grade[row])],
        "direction": int(np.sign(int(book.grade[row]) - before)) if before != NEW else 0,
        "cause": CAUSES[int(book.cause[row])],
        "decision": DECISIONS[int(book.decision[row])],
        "limit_before": float(book.limit_before[row]),
        "limit": float(book.limit[row]),
        "held_by": HOLDS[int(book.held_by[row])],
        "terms_before": None if before == NEW else int(book.terms_before[row]),
        "terms_days": int(book.terms_days[row]),
        "why": str(book.why[row]),
    }
