"""The overview: does it serve, what answers, the monitor's last word, what was decided lately, the monthly figures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from configs.customers import LEVELS
from console import searching
from console.searching import Line
from console.verdicts import verdicts
from console.visit import Page, State, Visit
from monitoring.customers import watchlist
from serving import champion
from serving.verify_ledger import SUFFIX

_DAYS = 30


def page(visit: Visit) -> Page:
    """The first page."""
    state, scorer = visit.state, visit.scorer
    name = scorer.product.name
    promoted = champion.current(state.ledger, name)
    records, head = state.ledger.head()
    recent = [
        searching.line_of(record)
        for record in state.ledger.recent("decision", name, limit=state.settings.console.recent_decisions)
    ]
    warnings = watchlist.open_ones(watchlist.warnings_of(state.ledger, name))
    return Page(
        "overview.html",
        {
            "title": scorer.product.title,
            "currency": scorer.product.currency,
            "model": scorer.bundle.version,
            "follows": promoted is not None and promoted.version == scorer.bundle.version,
            "promoted": promoted,
            "records": records,
            "head": head,
            "checkpoint": _last_checkpoint(state),
            "verdict": next(iter(reversed(verdicts(state, name, 1))), None),
            "lately": _lately(recent),
            "warnings": {level: sum(one.level == level for one in warnings) for level in reversed(LEVELS)},
            "late": sum(watchlist.overdue(one, visit.now.date()) for one in warnings),
            "pack": latest(state.settings.home / "customers" / name, "kpi"),
        },
    )


def latest(folder: Path, kind: str) -> dict[str, Any] | None:
    """The newest of the packs that commands write there (kpi-DAY.json, collections-DAY.json); None without one."""
    found = sorted(folder.glob(f"{kind}-????-??-??.json"))
    return json.loads(found[-1].read_text(encoding="utf-8")) if found else None


def _last_checkpoint(state: State) -> int | None:
    """The record that the newest signed checkpoint witnesses; None without one."""
    anchor = state.settings.serving.anchor
    names = [path.name for path in Path(anchor).glob(f"[!.]*{SUFFIX}")] if anchor else []
    return max((int(name.partition("-")[0]) for name in names if name[:1].isdigit()), default=None)


def _lately(lines: list[Line]) -> dict[str, Any]:
    """What the last decisions came to; their days are those they were recorded on."""
    told = [line.told for line in lines if line.told is not None]
    days = Counter(line.at[:10] for line in lines)
    shown = sorted(days)[-_DAYS:]
    return {
        "count": len(told),
        "decisions": dict(Counter(one.decision for one in told)),
        "median_pd": median(one.default_probability for one in told) if told else None,
        "limits": sum(one.limit for one in told if one.decision == "approve"),
        "flagged": sum(bool(one.flags) for one in told),
        "grades": dict(sorted(Counter(one.grade for one in told).items())),
        "since": lines[-1].at if lines else None,
        "last": lines[0].at if lines else None,
        "days": shown,
        "per_day": [days[day] for day in shown],
    }
