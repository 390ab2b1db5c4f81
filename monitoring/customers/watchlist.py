"""The watchlist as the ledger tells it: warnings raised, acknowledged and closed by named persons."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from configs.customers import LEVELS, Indicator, Level
from configs.errors import InputError, Refusal
from configs.persons import known_as
from configs.settings import Product
from serving.ledger import Entry, Ledger, Record, canonical

KIND, STEP = "warning", "warning_step"
Act = Literal["acknowledge", "close"]
Finding = Literal["justified", "false_alarm"]
FINDINGS: tuple[Finding, ...] = get_args(Finding)


@dataclass(frozen=True, slots=True)
class Step:
    """What a person did about a warning, and why; on closing, whether it had been justified."""

    id: str
    act: Act
    by: str
    reason: str
    at: str
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class Warning:
    """An indicator that hit a customer on `as_of`: what it read, who has to do what by when, and what was done."""

    id: str
    product: str
    customer_id: str
    indicator: str
    level: Level
    value: float
    told: str
    as_of: str
    raised_at: str
    owner: str
    due: str
    action: str
    steps: tuple[Step, ...] = ()

    @property
    def state(self) -> str:
        """raised, acknowledged or closed."""
        return {"acknowledge": "acknowledged", "close": "closed"}[self.steps[-1].act] if self.steps else "raised"


def replayed(records: Iterable[Record]) -> dict[str, Warning]:
    """Every warning by its id, as it stands after `records` in the order of the ledger.

    What was done about a warning of a customer who was erased is left out with it.
    """
    found: dict[str, Warning] = {}
    for record in records:
        if record.entry.kind == KIND:
            found[record.entry.id] = Warning(
                id=record.entry.id, product=record.entry.product, raised_at=record.entry.at, **record.body()
            )
        elif record.entry.kind == STEP and record.entry.subject in found:
            about = found[record.entry.subject]
            step = Step(id=record.entry.id, at=record.entry.at, **record.body())
            found[about.id] = replace(about, steps=(*about.steps, step))
    return found


def warnings_of(ledger: Ledger, product: str) -> list[Warning]:
    """Every warning of a product, in the order they were raised."""
    records = [*ledger.records(KIND, product), *ledger.records(STEP, product)]
    return list(replayed(sorted(records, key=lambda record: record.seq)).values())


def open_ones(warnings: Iterable[Warning]) -> list[Warning]:
    """The watchlist: what is not closed, worst level first, then what is due first."""
    still = [warning for warning in warnings if warning.state != "closed"]
    return sorted(still, key=lambda warning: (-LEVELS.index(warning.level), warning.due, warning.id))


def raise_for(
    warnings: Sequence[Warning], product: str, hits: Iterable[tuple[str, Indicator, float]], as_of: dt.date, at: str
) -> list[Entry]:
    """The entries of hits (customer, indicator, value) that no open warning tells of already.

    A key names the warning before, so that of two runs at once one alone leaves its warnings.
    """
    last = {(warning.customer_id, warning.indicator): warning for warning in warnings}
    entries = []
    for customer_id, indicator, value in hits:
        before = last.get((customer_id, indicator.name))
        if before is not None and (before.state != "closed" or before.as_of >= as_of.isoformat()):
            continue
        after = canonical([product, customer_id, indicator.name, before.id if before else None])
        key = f"warning-{hashlib.sha256(after).hexdigest()[:32]}"
        body = {
            "customer_id": customer_id,
            "indicator": indicator.name,
            "level": indicator.level,
            "value": value,
            "told": told(indicator, value),
            "as_of": as_of.isoformat(),
            "owner": indicator.owner,
            "due": (as_of + dt.timedelta(indicator.due_days)).isoformat(),
            "action": indicator.action,
        }
        entries.append(Entry(key, KIND, product, customer_id, at, canonical(body), key, personal=True))
    return entries


def told(indicator: Indicator, value: float) -> str:
    """What the indicator read, in words."""
    if indicator.fact is not None:
        return f"{value:g} of {indicator.fact} {indicator.says} in {indicator.window_months} months"
    what = {
        "value": f"{indicator.feature} is {value:.4g}",
        "rise": f"{indicator.feature} rose by {value:.4g} in {indicator.window_months} months",
        "ratio": f"{indicator.feature} is {value:.2f} times what it was {indicator.window_months} months before",
    }
    return f"{what[indicator.compare]}, bound {indicator.operator} {indicator.bound:g}"


def act(
    ledger: Ledger,
    product: Product,
    warning_id: str,
    act: Act,
    by: str,
    reason: str,
    at: str,
    finding: Finding | None = None,
) -> Record:
    """Record what a person did about a warning. The same again gives the first record.

    Raises InputError without a name, a reason, or on closing a finding, and for an unknown warning; Refusal where it
    was not acknowledged yet, is closed, or may only be closed by another person than acknowledged it. Of two
    reviewers at once one is refused.
    """
    if not by.strip() or not reason.strip():
        raise InputError("a name and a reason go on record: neither may be empty")
    if (finding not in FINDINGS) if act == "close" else (finding is not None):
        raise InputError(f"closing, and only closing, says what was found: {' or '.join(FINDINGS)}")
    warning = _found(ledger, product, warning_id)
    body = {"act": act, "by": by, "reason": reason, "finding": finding}
    if warning.steps and {**asdict(warning.steps[-1]), **body} == asdict(warning.steps[-1]):
        again = ledger.by_id(warning.steps[-1].id)
        assert again is not None
        return Record(again.seq, again.entry, again.hash, new=False)
    _may(product, warning, act, by)
    after = canonical([warning_id, warning.steps[-1].id if warning.steps else None])
    key = f"warning-step-{hashlib.sha256(after).hexdigest()[:32]}"
    (made,) = ledger.append([Entry(key, STEP, product.name, warning_id, at, canonical(body), key)])
    if made.body() != body:
        raise Refusal(f"{made.body()['by']} was faster: {warning_id} is {made.body()['act']}d already; look again")
    return made


def _found(ledger: Ledger, product: Product, warning_id: str) -> Warning:
    raised = ledger.by_id(warning_id)
    if raised is None or raised.entry.kind != KIND or raised.entry.product != product.name:
        raise InputError(f"the ledger has no warning {warning_id!r} of {product.name}")
    return replayed([raised, *ledger.about([warning_id])])[warning_id]


def _may(product: Product, warning: Warning, act: Act, by: str) -> None:
    if warning.state == "closed":
        raise Refusal(f"{warning.id} was closed by {warning.steps[-1].by} at {warning.steps[-1].at}")
    if act == "acknowledge" and warning.state != "raised":
        raise Refusal(f"{warning.id} was acknowledged by {warning.steps[-1].by} at {warning.steps[-1].at}")
    if act == "close" and warning.state != "acknowledged":
        raise Refusal(f"{warning.id} was not acknowledged yet: who closes it must know what was to be done")
    grave = LEVELS.index(warning.level) >= LEVELS.index(product.customers.four_eyes_from)
    if act == "close" and grave and known_as(by) == known_as(warning.steps[-1].by):
        raise Refusal(f"{warning.id} is {warning.level}: another person than {by} closes it")


def overdue(warning: Warning, day: dt.date) -> bool:
    """Whether nobody acknowledged the warning by its due date."""
    return warning.state == "raised" and warning.due < day.isoformat()


def plain(warning: Warning) -> dict[str, Any]:
    """A warning as values, its state with it."""
    return {**asdict(warning), "state": warning.state}
