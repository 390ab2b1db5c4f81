"""What early warning says to people: the watchlist page, and how good each indicator has been."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from configs.customers import LEVELS, Indicator
from features.contracts import EPOCH, iso
from features.outcome import Labels
from monitoring.customers import pages, watchlist
from monitoring.customers.indicators import Reader
from monitoring.customers.warning import Look, Quality
from monitoring.customers.watchlist import Warning
from serving.ledger import Ledger

SHOWN = 100
_TOGETHER = 1000  # entries in one transaction: a database takes only so many keys in one question


def raise_all(
    reader: Reader, looks: Iterable[Look], ledger: Ledger, as_of: int, at: str
) -> tuple[list[Warning], dict[str, Any]]:
    """Record the hits that are not open yet; every warning of the product, and what the page says.

    Of each look only its hits are kept.
    """
    product = reader.scorer.product
    day = dt.date.fromordinal(as_of + EPOCH)
    found: list[tuple[str, Indicator, float]] = []
    rows, known = 0, np.zeros(len(reader.indicators))
    for look in looks:
        found += look.found(reader.indicators)
        rows, known = rows + len(look.customer_id), known + np.isfinite(look.values).sum(0)
    entries = watchlist.raise_for(watchlist.warnings_of(ledger, product.name), product.name, found, day, at)
    batches = [entries[first : first + _TOGETHER] for first in range(0, len(entries), _TOGETHER)]
    new = sum(record.new for batch in batches for record in ledger.append(batch))
    warnings = watchlist.warnings_of(ledger, product.name)
    still = watchlist.open_ones(warnings)
    levels = Counter(warning.level for warning in still)
    values = {
        "product": product.name,
        "title": product.title,
        "as_of": iso(as_of),
        "model": reader.scorer.bundle.version,
        "looked_at": rows,
        "hits": len(found),
        "new": new,
        "customers": len({warning.customer_id for warning in still}),
        "levels": {level: levels[level] for level in LEVELS},
        "overdue": sum(watchlist.overdue(warning, day) for warning in still),
        "indicators": _indicators(reader, known / max(1, rows), Counter(hit[1].name for hit in found), warnings),
        "open": [watchlist.plain(warning) for warning in still],
        "shown": SHOWN,
    }
    return warnings, values


def _indicators(
    reader: Reader, coverage: np.ndarray, found: Counter[str], warnings: Sequence[Warning]
) -> list[dict[str, Any]]:
    states = Counter((warning.indicator, warning.steps[-1].finding if warning.steps else None) for warning in warnings)
    still = Counter(warning.indicator for warning in warnings if warning.state != "closed")
    return [
        {
            "name": one.name,
            "level": one.level,
            "action": one.action,
            "coverage": float(coverage[place]),
            "hits": found[one.name],
            "open": still[one.name],
            **{finding: states[one.name, finding] for finding in watchlist.FINDINGS},
        }
        for place, one in enumerate(reader.indicators)
    ]


def quality_values(reader: Reader, labels: Labels, measured: Sequence[Quality], now: int) -> dict[str, Any]:
    """What the page on the indicators' quality says."""
    product = reader.scorer.product
    return {
        "product": product.name,
        "title": product.title,
        "now": iso(now),
        "model": reader.scorer.bundle.version,
        "rows": len(labels),
        "base_rate": float(labels.defaulted.mean()) if len(labels) else None,
        "window_months": product.outcome.window_months,
        "indicators": [asdict(one) for one in measured],
    }


def write(folder: Path, stem: str, template: str, values: dict[str, Any]) -> Path:
    """The page of `values` and its JSON."""
    return pages.write(folder / f"{stem}.html", template, values)
