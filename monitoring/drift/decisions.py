"""The decisions of a product in the ledger, read once for all who ask: of each when and by whom, of one model all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from features.contracts import to_day
from serving.ledger import Ledger
from training.bundle import Bundle

_BLOCK = 1000  # decisions whose features wait as lists; what is older is an array already


@dataclass(frozen=True, slots=True)
class Own:
    """The decisions of one model version, (rows,) each, in the ledger's order; `values` (rows, features).

    `known`: whether anything came with the question. `unreadable` names (row, feature) that held no number; `facts` are
    the flat rows that came last, of category features alone, empty where the model has none.
    """

    values: np.ndarray
    default_probability: np.ndarray
    customer_id: np.ndarray
    as_of: np.ndarray
    requested_amount: np.ndarray
    group_exposure: np.ndarray
    known: np.ndarray
    unreadable: tuple[tuple[int, str], ...]
    facts: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Decisions:
    """All decisions of a product: by id whom and what day it is about, and `as_of` and `ours` (rows,): whether the
    model version made it whose rows are `own`.
    """

    about: Mapping[str, tuple[str, int]]
    as_of: np.ndarray
    ours: np.ndarray
    own: Own


class _Answer(msgspec.Struct, frozen=True):
    customer_id: str
    as_of: dt.date
    model: str
    default_probability: float


class _Question(msgspec.Struct, frozen=True):
    requested_amount: float | None
    records: dict[str, msgspec.Raw] | None = None
    group_exposure: float | None = None


class _Evidence(msgspec.Struct, frozen=True):
    features: list[Any]


class _Body(msgspec.Struct, frozen=True):
    answer: _Answer
    question: msgspec.Raw
    evidence: msgspec.Raw


_BODY = msgspec.json.Decoder(_Body)
_QUESTION = msgspec.json.Decoder(_Question)
_EVIDENCE = msgspec.json.Decoder(_Evidence)


def read(ledger: Ledger, bundle: Bundle) -> Decisions:
    """Every decision of the bundle's product that can still be read; of those of `bundle` what it saw and said."""
    rows = _Rows(bundle)
    about: dict[str, tuple[str, int]] = {}
    days, ours = [], []
    for record in ledger.records("decision", bundle.product):
        body = _BODY.decode(record.entry.body)
        day = to_day(body.answer.as_of)
        about[record.entry.id] = body.answer.customer_id, day
        days.append(day)
        ours.append(body.answer.model == bundle.version)
        if ours[-1]:
            rows.add(body, day)
    return Decisions(about, np.array(days, np.int32), np.array(ours, bool), rows.own())


class _Rows:
    """The decisions of one model as they are read."""

    def __init__(self, bundle: Bundle) -> None:
        self.names = bundle.program.names
        self.categories = [feature.name for feature in bundle.program.features if feature.categories]
        self.waiting: list[list[Any]] = []
        self.blocks: list[np.ndarray] = []
        self.told: list[tuple[float, str, int, float | None, float | None, bool]] = []
        self.unreadable: list[tuple[int, str]] = []
        self.facts: list[Mapping[str, Any]] = []

    def add(self, body: _Body, day: int) -> None:
        answer, question = body.answer, _QUESTION.decode(body.question)
        records = question.records or {}
        known = any(bytes(rows) not in (b"[]", b"null") for rows in records.values())
        asked = question.requested_amount, question.group_exposure, known
        self.told.append((answer.default_probability, answer.customer_id, day, *asked))
        if self.categories:
            self.facts.append(self._facts(records))
        self.waiting.append(_EVIDENCE.decode(body.evidence).features)
        if len(self.waiting) == _BLOCK:
            self._settle()

    def _facts(self, records: Mapping[str, msgspec.Raw]) -> Mapping[str, Any]:
        rows = msgspec.json.decode(records["facts"]) if "facts" in records else []
        return {name: rows[-1].get(name) for name in self.categories} if rows else {}

    def _settle(self) -> None:
        first = len(self.told) - len(self.waiting)
        values, words = numbers(self.waiting, self.names)
        self.blocks.append(values)
        self.unreadable += [(first + row, name) for row, name in words]
        self.waiting = []

    def own(self) -> Own:
        self._settle()
        pds, customers, days, amounts, exposures, known = zip(*self.told, strict=True) if self.told else [()] * 6
        return Own(
            values=np.concatenate(self.blocks),
            default_probability=np.array(pds, np.float64),
            customer_id=np.array(customers, object),
            as_of=np.array(days, np.int32),
            requested_amount=np.array(amounts, np.float64),
            group_exposure=np.array(exposures, np.float64),
            known=np.array(known, bool),
            unreadable=tuple(self.unreadable),
            facts=tuple(self.facts),
        )


def numbers(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """The rows as (rows, names), None as missing; what is no number is missing too, and named by (row, name)."""
    shape = (len(rows), len(names))
    try:
        return np.array(rows, np.float64).reshape(shape), []
    except (ValueError, TypeError):
        pass
    values, unreadable = np.full(shape, np.nan), []
    for at, row in enumerate(rows):
        for place, (name, value) in enumerate(zip(names, row, strict=False)):
            if isinstance(value, int | float) and not isinstance(value, bool):
                values[at, place] = value
            elif value is not None:
                unreadable.append((at, name))
    return values, unreadable
