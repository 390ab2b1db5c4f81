"""What a review says to people: how grades and limits moved, who must be told; and its place in the ledger."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import DataError, InputError
from configs.settings import Product
from features.contracts import iso, to_day
from features.parquet import read_parquet
from monitoring.customers import limits, migration, pages, reviewed
from monitoring.customers.limits import HOLDS
from monitoring.customers.migration import CAUSES, NEW
from monitoring.customers.review import Previous
from monitoring.customers.reviewed import DECISIONS, Reviewed
from serving.ledger import Entry, Ledger, Record, canonical

KIND = "review"
SHOWN = 40  # notices on the page; the parquet file has all


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a review lies: its file of customers, and its page."""

    parquet: Path
    page: Path


def previous_of(ledger: Ledger, product: str, as_of: int) -> tuple[Record, Previous] | None:
    """The last review of an earlier day, None without one. Raises DataError where its file is not as recorded."""
    found = None
    for record in ledger.records(KIND, product):
        if _day(record) < as_of and (found is None or _day(record) >= _day(found)):
            found = record
    return None if found is None else (found, Previous(_day(found), file_of(found)))


def latest_pds(ledger: Ledger, product: str, as_of: int) -> dict[str, float]:
    """The PD of every customer in the last review up to `as_of`; of nobody without one."""
    found = previous_of(ledger, product, as_of + 1)
    if found is None:
        return {}
    frame = read_parquet(found[1].path)
    return dict(zip(frame["customer_id"].astype(str), frame["default_probability"].tolist(), strict=True))


def file_of(record: Record) -> Path:
    """The file that a review's record names. Raises DataError where it is gone or holds other bytes."""
    body = record.body()
    path = Path(body["file"])
    if not path.exists():
        raise DataError(f"{path}: gone, but the review of {body['as_of']} is on record with it; restore it")
    if _digest(path) != body["sha256"]:
        raise DataError(f"{path}: not the bytes that the review of {body['as_of']} recorded; restore it")
    return path


def _day(record: Record) -> int:
    return to_day(dt.date.fromisoformat(record.body()["as_of"]))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep(
    book: Reviewed, product: Product, model: str, as_of: int, before: Record | None, folder: Path, at: str
) -> tuple[Kept, Entry, dict[str, Any]]:
    """Write parquet, page and JSON; the ledger's entry of them, and what the page says.

    The file's name holds its digest: a review of the same day done anew stands beside the first, which stays.
    """
    if not len(book):
        raise InputError(f"nothing was known of any customer by {iso(as_of)}: is the date right?")
    unnamed = folder / f"review-{iso(as_of)}.parquet"
    reviewed.write(book, product.grades, unnamed)
    digest = _digest(unnamed)
    path = unnamed.replace(folder / f"review-{iso(as_of)}-{digest[:10]}.parquet")
    told = {
        "product": product.name,
        "title": product.title,
        "currency": product.currency,
        "as_of": iso(as_of),
        "model": model,
        "previous": None if before is None else {key: before.body()[key] for key in ("as_of", "model")},
        "file": path.name,
        "rules": product.customers.review.model_dump(),
        **summary(book, product),
    }
    page = pages.write(path.with_suffix(".html"), "review.html", told)
    body = {
        "as_of": iso(as_of),
        "model": model,
        "policy": product.digest(),
        "previous": None if before is None else before.entry.id,
        "file": str(path),
        "sha256": digest,
        **{key: told[key] for key in ("customers", "moves", "changed", "limit", "expected_loss")},
    }
    entry = Entry(f"review-{product.name}-{at}", KIND, product.name, iso(as_of), at, canonical(pages.plain(body)))
    return Kept(path, page), entry, told


def summary(book: Reviewed, product: Product) -> dict[str, Any]:
    """Counts, sums and the notices with the largest change of limit, as plain values."""
    names = [grade.name for grade in product.grades]
    old = book.grade_before != NEW
    counts = migration.matrix(book.grade_before, book.grade, len(names))
    by_pd = migration.matrix(book.grade_before, book.by_pd, len(names))
    exposure = limits.exposure(book.limit, book.drawn)
    changed = book.changed()
    return {
        "customers": len(book),
        "new": int((~old).sum()),
        "mean_pd": float(book.default_probability.mean()),
        "grades": [_grade(book, exposure, place, name) for place, name in enumerate(names)],
        "matrix": counts.tolist(),
        "moves": {
            "up": int(np.tril(counts, -1).sum()),
            "down": int(np.triu(counts, 1).sum()),
            "without_hysteresis": int(by_pd.sum() - np.trace(by_pd)),
            "causes": {name: int((book.cause == place).sum()) for place, name in enumerate(CAUSES) if place},
        },
        "decisions": {name: int((book.decision == place).sum()) for place, name in enumerate(DECISIONS)},
        "limit": {
            "before": float(np.nansum(book.limit_before)),
            "after": float(book.limit.sum()),
            "raised": int((book.limit > book.limit_before)[old].sum()),
            "cut": int((book.limit < book.limit_before)[old].sum()),
            "held_by": {name: int((book.held_by == place).sum()) for place, name in enumerate(HOLDS) if place},
            "drawn": float(np.nansum(np.maximum(book.drawn, 0))),
            "exposure": float(exposure.sum()),
        },
        "expected_loss": float((book.default_probability * exposure).sum() * product.policy.loss_given_default),
        "changed": int(changed.sum()),
        "notices": notices(book, names, np.flatnonzero(changed)),
    }


def _grade(book: Reviewed, exposure: np.ndarray, place: int, name: str) -> dict[str, Any]:
    now = book.grade == place
    return {
        "name": name,
        "before": int((book.grade_before == place).sum()),
        "now": int(now.sum()),
        "by_pd": int((book.by_pd == place).sum()),
        "mean_pd": float(book.default_probability[now].mean()) if now.any() else None,
        "limit": float(book.limit[now].sum()),
        "exposure": float(exposure[now].sum()),
    }


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
