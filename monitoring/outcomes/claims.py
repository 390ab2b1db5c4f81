"""Outcomes in the ledger: each record held against the decision it is about, and what they say together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import msgspec
import numpy as np

from features.contracts import NEVER, Columns, Text, to_day
from serving.ledger import Ledger
from serving.outcomes import KIND

Source = Literal["ledger", "table", "both"]
Reason = Literal["repeated", "contradiction", "future", "unknown", "before", "erased"]
REASONS: dict[Reason, str] = {
    "repeated": "says again what is used already",
    "contradiction": "default and no default are both told of it; nobody has corrected either",
    "future": "tells of a day after it was told, or after it was read",
    "unknown": "nobody was asked about this customer and day",
    "before": "tells of a day before the question",
    "erased": "the customer was erased",
}


@dataclass(frozen=True, slots=True)
class SetAside:
    """An outcome that is not used. `subject` is the ledger's record, empty for a row of the table."""

    source: Source
    reason: Reason
    subject: str
    customer_id: str
    as_of: int


class _Told(msgspec.Struct, frozen=True):
    decision_id: str
    defaulted: bool
    on: dt.date


@dataclass(frozen=True, slots=True)
class Claim:
    """What one outcome record of the ledger says: in default, or not, by day `on`; told on day `told`."""

    record_id: str
    decision_id: str
    customer_id: str
    as_of: int
    defaulted: bool
    on: int
    told: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcomes of a ledger: sound claims in the order told, the decisions' (customer, as_of), what is unsound."""

    claims: tuple[Claim, ...]
    asked: frozenset[tuple[str, int]]
    set_aside: tuple[SetAside, ...]


def recorded(ledger: Ledger, product: str, about: Mapping[str, tuple[str, int]], read_on: int) -> Recorded:
    """Every outcome in the ledger, each held against the decision it is `about`, by id; `read_on` is today.

    `record_outcome` refuses what is unsound; whoever else writes into the ledger may not.
    """
    claims, aside = [], []
    for record in ledger.records(KIND, product):
        said = msgspec.json.decode(record.entry.body, type=_Told)
        asked = about.get(said.decision_id)
        told, on = to_day(dt.datetime.fromisoformat(record.entry.at).date()), to_day(said.on)
        reason = _unsound(asked, on, told, read_on) if asked else _nobody(ledger, said.decision_id)
        customer, as_of = asked or ("", int(NEVER))
        if reason is None:
            claims.append(Claim(record.entry.id, said.decision_id, customer, as_of, said.defaulted, on, told))
        else:
            aside.append(SetAside("ledger", reason, record.entry.id, customer, as_of))
    return Recorded(tuple(claims), frozenset(about.values()), tuple(aside))


def _nobody(ledger: Ledger, decision_id: str) -> Reason:
    """Why there is no decision to read: there never was one, or its customer was erased."""
    record = ledger.by_id(decision_id)
    return "erased" if record is not None and record.erased else "unknown"


def _unsound(asked: tuple[str, int], on: int, told: int, read_on: int) -> Reason | None:
    if on < asked[1]:
        return "before"
    return "future" if on > told or told > read_on else None


def as_table(found: Recorded | None, now: int) -> tuple[Columns | None, list[SetAside]]:
    """An outcomes table of one row for each question that the claims known at `now` agree on, and the other claims."""
    if found is None:
        return None, []
    latest = {claim.decision_id: claim for claim in found.claims if claim.told <= now}
    kept: list[Claim] = []
    aside: list[SetAside] = []
    for claims in _by_question(latest.values()):
        clash = _clash(claims)
        used = None if clash else _strongest(claims)
        kept += [] if used is None else [used]
        reason: Reason = "contradiction" if clash else "repeated"
        aside += [
            SetAside("ledger", reason, one.record_id, one.customer_id, one.as_of) for one in claims if one is not used
        ]
    return _columns(kept), aside


def _by_question(claims: Iterable[Claim]) -> Iterator[list[Claim]]:
    ordered = sorted(claims, key=_question)
    return (list(group) for _, group in groupby(ordered, _question))


def _question(claim: Claim) -> tuple[str, int]:
    return claim.customer_id, claim.as_of


def _clash(claims: list[Claim]) -> bool:
    """Whether one says no default by a day on which another says there had been one."""
    first_bad = min((one.on for one in claims if one.defaulted), default=int(NEVER))
    return any(one.on >= first_bad for one in claims if not one.defaulted)


def _strongest(claims: list[Claim]) -> Claim:
    """A default says more than its absence up to an earlier day; of goods, who watched longest says most."""
    bads = [one for one in claims if one.defaulted]
    return min(bads, key=lambda one: one.on) if bads else max(claims, key=lambda one: one.on)


def _columns(claims: list[Claim]) -> Columns:
    days = {
        "as_of": [one.as_of for one in claims],
        "known_time": [one.told for one in claims],
        "observed_until": [one.on for one in claims],
        "defaulted_on": [one.on if one.defaulted else NEVER for one in claims],
        "cured_on": [NEVER] * len(claims),
    }
    numbers = ("days_past_due_max", "amount_past_due", "ead", "loss")
    return {
        "customer_id": Text.of([one.customer_id for one in claims]),
        "defaulted": np.array([one.defaulted for one in claims], np.float64),
        **{name: np.array(values, np.int32) for name, values in days.items()},
        **{name: np.full(len(claims), np.nan) for name in numbers},
    }
