"""Audit: verify the ledger now, what was live at a moment, who promoted what."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec

from configs.errors import ConfigError, InputError
from console import verifying
from console.visit import Document, Elsewhere, Page, Visit
from serving import champion, key_record, reads
from serving.live import utc_now
from serving.verify_ledger import SUFFIX

_READS = _KEYS = 30


def page(visit: Visit) -> Page:
    """The state of the record."""
    state, product = visit.state, visit.scorer.product.name
    records, head = state.ledger.head()
    moment = _moment(visit)
    anchor = state.settings.serving.anchor
    return Page(
        "audit.html",
        {
            "records": records,
            "head": head,
            "anchors": len(list(Path(anchor).glob(f"[!.]*{SUFFIX}"))) if anchor else 0,
            "verification": verifying.progress(state.settings),
            "history": list(reversed(champion.history(state.ledger, product))),
            "keys": key_record.changes(state.ledger, _KEYS),
            **_unrecorded(visit),
            "reads": [
                (one, {} if one.erased else one.body()) for one in state.ledger.recent(reads.KIND, "", limit=_READS)
            ],
            "moment": visit.asked("at"),
            "live": None if moment is None else champion.live_at(state.ledger, product, moment),
        },
    )


def verify(visit: Visit) -> Elsewhere:
    """Begin to verify, in a process of its own."""
    verifying.start(visit.state.settings, visit.by, utc_now())
    return Elsewhere(f"/audit?product={visit.scorer.product.name}#verify")


def progress(visit: Visit) -> Document:
    """How far it is, for the page's script."""
    return Document(msgspec.json.encode(verifying.progress(visit.state.settings)), "application/json")


def _unrecorded(visit: Visit) -> dict[str, Any]:
    """Whose keys no record made; or why nobody can say."""
    try:
        return {"unrecorded": key_record.unrecorded(visit.state.ledger, visit.state.settings.home), "unreadable": ""}
    except ConfigError as error:
        return {"unrecorded": [], "unreadable": str(error)}


def _moment(visit: Visit) -> dt.datetime | None:
    """A day's end, or a moment, in UTC."""
    said = visit.asked("at")
    if not said:
        return None
    try:
        moment = dt.datetime.fromisoformat(said)
    except ValueError:
        told = visit.say("{name}: expected a day like 2026-01-31", name="at")
        raise InputError(told) from None
    if len(said) == 10:
        moment += dt.timedelta(days=1, microseconds=-1)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
