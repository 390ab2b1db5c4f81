"""Drift and performance over time, as the monitor's verdicts recorded them; and the reports as they were written."""

from __future__ import annotations

import re
from typing import Any

from configs.errors import InputError
from console.verdicts import Verdict, verdicts
from console.visit import Document, Page, Visit

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.html")
# A report is a document of its own: in a sandbox it has no origin, so nothing in it could act as who reads it.
_STILL = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
_MOVING = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; frame-ancestors 'none'"
)


def page(visit: Visit) -> Page:
    """The verdicts and what they rest on."""
    product = visit.scorer.product
    found = verdicts(visit.state, product.name)
    last = found[-1] if found else None
    return Page(
        "drift.html",
        {
            "verdicts": found,
            "last": last,
            "currency": product.currency,
            "days": [one.body["now"] for one in found],
            "psi": [one.body.get("score_psi") for one in found],
            "stake": [one.body.get("at_stake") for one in found],
            "auc": [_of(one, "auc") for one in found],
            "promised": [_of(one, "promised_auc") for one in found],
            "ratio": [_of(one, "observed_to_expected") for one in found],
            "moved": _moved(last),
            "findings": last.memo.get("findings", []) if last else [],
            "effects": ((last.memo.get("money") or {}).get("effects") or [])[:12] if last else [],
        },
    )


def report(visit: Visit) -> Document:
    """A report, in a sandbox of its own."""
    product, name = visit.names["product"], visit.names["name"]
    path = visit.state.settings.home / "reports" / product / name
    if product not in visit.products or not _NAME.fullmatch(name) or not path.is_file():
        raise InputError(visit.say("There is no such report."))
    policy = _MOVING if name.endswith("-evidently.html") else _STILL
    return Document(path.read_bytes(), "text/html; charset=utf-8", policy)


def _of(verdict: Verdict, name: str) -> float | None:
    """A measure of performance with its interval's middle; None where no outcome had matured."""
    measured = (verdict.memo.get("performance") or {}).get(name)
    return measured["value"] if isinstance(measured, dict) else measured


def _moved(last: Verdict | None) -> list[dict[str, Any]]:
    return [] if last is None else [one for one in last.memo.get("features", []) if one.get("level") != "green"][:20]
