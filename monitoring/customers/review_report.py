"""What a review says to people: how grades and limits moved, who must be told; and its place in the ledger."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from configs.errors import DataError, InputError
from configs.settings import Product
from features.contracts import iso, to_day
from features.ranges import Range
from monitoring.customers import pages, reviewed
from monitoring.customers.caps import Drawn, capped, has_caps
from monitoring.customers.migration import NEW
from monitoring.customers.review import Previous
from monitoring.customers.review_totals import Totals, notice
from monitoring.customers.reviewed import Reviewed
from serving.ledger import Entry, Ledger, Record, canonical

KIND = "review"


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
    table = pq.read_table(found[1].path, columns=["customer_id", "default_probability"])
    return dict(zip(*(column.to_pylist() for column in table.columns), strict=True))


def standing_of(ledger: Ledger, product: Product, customer_id: str, as_of: int) -> dict[str, Any] | None:
    """What the last review by the day says is in force, as a notice; None where none has seen the customer."""
    found = previous_of(ledger, product.name, as_of + 1)
    if found is None:
        return None
    only = Range(customer_id, customer_id + "\0")
    own = reviewed.before(found[1].path, product.grades, np.array([customer_id], object), only)
    if own.grade[0] == NEW:
        return None
    told = notice(own, [grade.name for grade in product.grades], 0)
    return {**told, "review": iso(found[1].as_of), "record": found[0].entry.id}


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
    parts: Iterable[Reviewed], product: Product, model: str, as_of: int, before: Record | None, folder: Path, at: str
) -> tuple[Kept, Entry, dict[str, Any]]:
    """Write parquet, page and JSON; the ledger's entry of them, and what the page says.

    One part is in memory at a time, and where the rules have caps some 30 bytes of each customer. The file's name
    holds its digest: a review of the same day done anew stands beside the first. Raises InputError where nobody was
    known by the day.
    """
    unnamed = folder / f"review-{iso(as_of)}.parquet"
    totals, breaches = _write(parts, product, unnamed)
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
        **totals.values(breaches),
    }
    page = pages.write(path.with_suffix(".html"), "review.html", told)
    body = {
        "as_of": iso(as_of),
        "model": model,
        "policy": product.digest(),
        "previous": None if before is None else before.entry.id,
        "file": str(path),
        "sha256": digest,
        **{key: told[key] for key in ("customers", "occasions", "moves", "changed", "limit", "expected_loss")},
    }
    entry = Entry(f"review-{product.name}-{at}", KIND, product.name, iso(as_of), at, canonical(pages.plain(body)))
    return Kept(path, page), entry, told


def _write(parts: Iterable[Reviewed], product: Product, path: Path) -> tuple[Totals, list[dict[str, object]]]:
    """The file of a review under its caps: what it comes to, and the groups above their cap."""
    rules, totals, drawn = product.customers.review, Totals(product), Drawn()
    if not has_caps(rules):
        _keep_all(parts, totals, product, path)
        return totals, []
    uncapped = path.with_suffix(".uncapped")
    try:
        with reviewed.writing(product.grades, uncapped) as keep_part:
            for part in parts:
                drawn.add(part)
                keep_part(part)
        lying = reviewed.parts_in(uncapped, product.grades)
        _keep_all(capped(lying, *drawn.cut(rules)), totals, product, path)
    finally:
        uncapped.unlink(missing_ok=True)
    return totals, drawn.breaches(rules)


def _keep_all(parts: Iterable[Reviewed], totals: Totals, product: Product, path: Path) -> None:
    with reviewed.writing(product.grades, path) as keep_part:
        for part in parts:
            totals.add(part)
            keep_part(part)
        if not len(totals):
            raise InputError("nothing was known of any customer by that day: is the date right?")
