"""What was done about an overdue customer, in the ledger: contacts, promises to pay, disputes that hold collection."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from configs.customers import CollectionRules
from configs.errors import InputError, Refusal
from features.contracts import EPOCH, Columns, to_day
from features.history import in_force
from serving.ledger import Entry, Ledger, Record, canonical

KIND = "collection"
What = Literal["contact", "promise", "payment", "hold", "release"]
WHAT: tuple[What, ...] = get_args(What)


@dataclass(frozen=True, slots=True)
class Step:
    """One step with a customer on the day `on`; a promise has an amount and the day it is due, a payment an amount."""

    customer_id: str
    what: What
    by: str
    note: str
    on: str
    amount: float | None = None
    due: str | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise to pay, and what became of it by the day asked: kept, broken or open."""

    step: Step
    paid: float
    state: Literal["kept", "broken", "open"]


def record(ledger: Ledger, product: str, step: Step, rules: CollectionRules, at: str) -> Record:
    """Put a step on record; the same again gives the first record.

    Raises InputError as `check` does; Refusal for a contact where the customer is left alone: see `held`.
    """
    check(step)
    key = f"collection-{hashlib.sha256(canonical([product, _values(step)])).hexdigest()[:32]}"
    if (found := ledger.by_key(key)) is not None:
        return Record(found.seq, found.entry, found.hash, new=False)
    reason = held(steps_of(ledger, product, step.customer_id), dt.date.fromisoformat(step.on), rules)
    if reason is not None and step.what == "contact":
        raise Refusal(f"{step.customer_id} is not contacted: {reason}")
    (made,) = ledger.append([Entry(key, KIND, product, step.customer_id, at, body(step), key, personal=True)])
    return made


def check(step: Step) -> None:
    """Raises InputError without name or note, or where amount and day are not those of a promise or a payment."""
    if not step.by.strip() or not step.note.strip():
        raise InputError("a name and a note go on record: neither may be empty")
    if (step.what == "promise") != (step.due is not None) or (step.what in ("promise", "payment")) != (
        step.amount is not None
    ):
        raise InputError("a promise has an amount and the day it is due, a payment an amount, and nothing else has")
    if step.amount is not None and not 0 < step.amount < math.inf:
        raise InputError(f"a {step.what} of {step.amount:g}: expected an amount above 0")
    if step.due is not None and step.due < step.on:
        raise InputError(f"a promise of {step.amount:g} by {step.due}: expected it due {step.on} or later")


def body(step: Step) -> bytes:
    """The step as the ledger keeps it."""
    return canonical(_values(step))


def _values(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in Step.__slots__}


def steps_of(ledger: Ledger, product: str, customer_id: str | None = None) -> list[Step]:
    """The steps of a product in order, of one customer where named."""
    records = ledger.records(KIND, product) if customer_id is None else ledger.about([customer_id])
    return [Step(**one.body()) for one in records if (one.entry.kind, one.entry.product) == (KIND, product)]


def held(steps: Iterable[Step], day: dt.date, rules: CollectionRules) -> str | None:
    """Why a customer is left alone on `day`: a dispute, a promise still open, or contacts enough; None: nothing."""
    known = [step for step in steps if step.on <= day.isoformat()]
    holds = [step for step in known if step.what in ("hold", "release")]
    if holds and holds[-1].what == "hold":
        return f"on hold since {holds[-1].on}: {holds[-1].note}"
    due = [step.due for step in known if step.what == "promise" and (step.due or "") >= day.isoformat()]
    if due:
        return f"promised to pay by {max(date for date in due if date)}"
    since = (day - dt.timedelta(rules.contact_days)).isoformat()
    contacts = sum(step.what == "contact" and step.on > since for step in known)
    if contacts >= rules.contacts:
        return f"{contacts} contacts in {rules.contact_days} days, {rules.contacts} are allowed"
    return None


def promises(steps: Iterable[Step], tables: Mapping[str, Columns], as_of: int) -> list[Promise]:
    """Every promise by `as_of`, and whether as much was paid from the day it was made to the day it was due.

    Paid is what the tables say, or the payments on record where those are more: the two may tell of the same money.
    """
    day = dt.date.fromordinal(as_of + EPOCH).isoformat()
    known = [step for step in steps if step.on <= day]
    paid = [step for step in known if step.what == "payment"]
    return [_judged(step, paid, tables, as_of) for step in known if step.what == "promise"]


def _judged(step: Step, payments: Sequence[Step], tables: Mapping[str, Columns], as_of: int) -> Promise:
    first, due = to_day(dt.date.fromisoformat(step.on)), to_day(dt.date.fromisoformat(step.due or step.on))
    until = min(due, as_of)
    name, when, amount = (
        ("invoices", "paid", "amount") if "invoices" in tables else ("statements", "month", "amount_paid")
    )
    table: Any = tables[name]
    inside = (table[when] >= first) & (table[when] <= until)
    own = in_force(name, table, as_of) & table["customer_id"].says(step.customer_id) & inside
    told = sum(
        one.amount or 0.0
        for one in payments
        if one.customer_id == step.customer_id and step.on <= one.on <= (step.due or step.on)
    )
    paid = max(float(np.nansum(table[amount][own])), told)
    if paid >= (step.amount or 0.0):
        return Promise(step, paid, "kept")
    return Promise(step, paid, "broken" if due < as_of else "open")
