"""What goes out to a CRM, and what comes in from one: grades, limits and terms; contacts, promises and payments."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import DataError, InputError, listed
from configs.settings import Product
from configs.whole import whole
from features.ranges import Range
from monitoring.customers import contacts, reviewed
from monitoring.customers.contacts import Step, What
from monitoring.customers.migration import NEW
from monitoring.customers.review import Previous
from monitoring.customers.reviewed import DECISIONS, Reviewed
from serving.ledger import Entry, Ledger, canonical

ENDINGS = (".csv", ".parquet")
Imported = Literal["contacts", "promises", "payments"]
IMPORTED: dict[Imported, What] = {"contacts": "contact", "promises": "promise", "payments": "payment"}
_TOGETHER = 1000  # entries in one transaction
_MOST_TOLD = 20


def export(product: Product, latest: Previous, since: Previous | None, changed_only: bool, out: Path) -> int:
    """Write the standing grade, limit and terms of customers, .csv or .parquet, one part in memory; returns how many.

    Beside them stands what the review `since` said, empty without one; with `changed_only` only those who differ.
    """
    if out.suffix not in ENDINGS:
        raise InputError(f"{out}: expected a name ending in {' or '.join(ENDINGS)}")
    written = 0
    with whole(out) as unfinished, _writing(unfinished, out.suffix) as keep:
        for part in reviewed.parts_in(latest.path, product.grades):
            ids = part.customer_id
            path = None if since is None else since.path
            then = reviewed.before(path, product.grades, ids, Range(str(ids[0]), str(ids[-1]) + "\0"))
            other = (part.grade != then.grade) | (part.limit != then.limit) | (part.terms_days != then.terms_days)
            rows = np.flatnonzero(other) if changed_only else np.arange(len(ids))
            keep(_frame(product, part.take(rows), then.take(rows)))
            written += len(rows)
    return written


def _frame(product: Product, now: Reviewed, then: Reviewed) -> pd.DataFrame:
    names = np.array([*(grade.name for grade in product.grades), None], object)  # NEW, -1, is the last: no grade
    return pd.DataFrame(
        {
            "customer_id": pd.array(now.customer_id, "string"),
            "reviewed_on": now.reviewed_on.astype("datetime64[D]").astype("datetime64[s]"),
            "grade": pd.array(names[now.grade], "string"),
            "grade_before": pd.array(names[then.grade], "string"),
            "default_probability": now.default_probability,
            "points": now.points,
            "decision": pd.array(np.array(DECISIONS, object)[now.decision], "string"),
            "limit": now.limit,
            "limit_before": then.limit,
            "terms_days": now.terms_days.astype(np.int64),
            "terms_before": _terms_before(then),
            "why": pd.array(now.why, "string"),
        }
    )


def _terms_before(then: Reviewed) -> Any:
    values = pd.array(then.terms_days.astype(np.int64), "Int64")
    values[then.grade == NEW] = pd.NA
    return values


@contextmanager
def _writing(path: Path, ending: str) -> Iterator[Any]:
    if ending == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            yield lambda frame: frame.to_csv(file, index=False, header=file.tell() == 0)
        return
    writers: list[pq.ParquetWriter] = []

    def keep(frame: pd.DataFrame) -> None:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if not writers:
            writers.append(pq.ParquetWriter(path, table.schema))
        writers[0].write_table(table)

    yield keep
    for writer in writers:
        writer.close()


@dataclass(frozen=True, slots=True)
class Taken:
    """How many rows of a file were new, and how many were on record already."""

    rows: int
    new: int


def take_in(ledger: Ledger, product: str, kind: Imported, path: Path, at: str) -> Taken:
    """Put each row of a CSV file on record once, by its own `key`: a second import changes nothing.

    Columns: key, customer_id, on, by, note; of promises also amount and due, of payments amount. Raises DataError that
    lists every bad row with its line, before anything is recorded; and for a key that is on record with other words.
    """
    entries, problems = [], []
    seen: set[str] = set()
    for line, row in _rows(path, kind):
        try:
            entries.append(_entry(product, kind, row, at))
            if row["key"] in seen:
                raise InputError(f"key {row['key']!r} stands in an earlier row")
            seen.add(row["key"])
        except InputError as wrong:
            problems.append(f"line {line}: {wrong}")
    fresh, other = ([], []) if problems else _sorted_out(ledger, entries)
    problems += other
    if problems:
        raise DataError(listed(str(path), problems[:_MOST_TOLD]))
    batches = [fresh[first : first + _TOGETHER] for first in range(0, len(fresh), _TOGETHER)]
    return Taken(len(entries), sum(record.new for batch in batches for record in ledger.append(batch)))


def _rows(path: Path, kind: Imported) -> Iterator[tuple[int, dict[str, str]]]:
    needed = ["key", "customer_id", "on", "by", "note"]
    needed += {"contacts": [], "promises": ["amount", "due"], "payments": ["amount"]}[kind]
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in needed if name not in (reader.fieldnames or [])]
        if missing:
            raise DataError(f"{path}: {kind} need the columns {', '.join(needed)}; {', '.join(missing)} missing")
        for row in reader:
            yield reader.line_num, {name: (row[name] or "").strip() for name in needed}


def _entry(product: str, kind: Imported, row: dict[str, str], at: str) -> Entry:
    if not row["key"] or not row["customer_id"]:
        raise InputError("key and customer_id may not be empty")
    step = Step(
        customer_id=row["customer_id"],
        what=IMPORTED[kind],
        by=row["by"],
        note=row["note"],
        on=_date(row["on"], "on"),
        amount=_amount(row["amount"]) if "amount" in row else None,
        due=_date(row["due"], "due") if "due" in row else None,
    )
    contacts.check(step)
    key = f"import-{hashlib.sha256(canonical([product, kind, row['key']])).hexdigest()[:32]}"
    return Entry(key, contacts.KIND, product, step.customer_id, at, contacts.body(step), key, personal=True)


def _sorted_out(ledger: Ledger, entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """The entries that are not on record, and what is wrong with others.

    One on record is not appended again: of a customer who was erased that would bring the name back.
    """
    fresh, problems = [], []
    for entry in entries:
        found = ledger.by_key(entry.id)
        if found is None:
            fresh.append(entry)
        elif not found.erased and canonical(found.body()) != entry.body:
            problems.append(f"{entry.subject}: its key is on record since {found.entry.at} with other words")
    return fresh, problems


def _date(text: str, name: str) -> str:
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(f"{name}: expected a date like 2026-01-31, got {text!r}") from None


def _amount(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"amount: expected a number like 1250.50, got {text!r}") from None
