"""The recorded verdicts of the monitor, and the memos they rest on: only files that are as the ledger says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from console.visit import State

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict: when it was recorded, what it says, and its memo; `page` is the file people read, "" if none is."""

    seq: int
    at: str
    body: dict[str, Any]
    memo: dict[str, Any]
    page: str
    evidently: str


def verdicts(state: State, product: str, most: int = SHOWN) -> list[Verdict]:
    """The last verdicts about a product, oldest first."""
    found = state.ledger.recent("verdict", product, limit=most)
    memos = _memos(state.settings.home / "reports" / product) if found else {}
    return [
        _verdict(record.seq, record.entry.at, record.body(), memos.get(record.body().get("memo_sha256", "")))
        for record in reversed(found)
    ]


def _verdict(seq: int, at: str, body: dict[str, Any], path: Path | None) -> Verdict:
    if path is None:
        return Verdict(seq, at, body, {}, "", "")
    page, evidently = path.with_suffix(".html"), path.with_name(f"{path.stem}-evidently.html")
    held = page.exists() and _digest(page, page.stat().st_mtime_ns) == body.get("page_sha256")
    memo = json.loads(path.read_text(encoding="utf-8"))
    return Verdict(seq, at, body, memo, page.name if held else "", evidently.name if evidently.exists() else "")


def _memos(folder: Path) -> dict[str, Path]:
    """The memos by the SHA-256 of their bytes."""
    return {_digest(path, path.stat().st_mtime_ns): path for path in folder.glob("monitor-*.json")}


@lru_cache(maxsize=1000)
def _digest(path: Path, written: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
