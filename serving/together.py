"""Many questions at once: their features in one evaluator call, each answer with the bits it has alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from features.contracts import Columns, to_day
from features.records import RecordsError, joined
from serving.api import DecisionAnswer
from serving.decide import Question, answered, data_flags, tables_of
from serving.score import Scorer

Decided = tuple[DecisionAnswer, dict[str, Any]]


def decide_together(scorer: Scorer, asked: Sequence[tuple[Question, str]]) -> list[Decided | RecordsError]:
    """What `decide` gives for each (question, decision id), in order; its RecordsError where it would raise one."""
    read = [_read(scorer, question, str(place)) for place, (question, _) in enumerate(asked)]
    sound = [place for place, tables in enumerate(read) if not isinstance(tables, RecordsError)]
    if not sound:
        return [error for error in read if isinstance(error, RecordsError)]
    # One customer may be asked about twice, with other records: inside the call a question's place is its customer.
    customers = np.array([str(place) for place in sound], object)
    as_of = np.array([to_day(asked[place][0].as_of) for place in sound], np.int32)
    scores = scorer.score(_joined(scorer, [read[place] for place in sound]), customers, as_of)
    contributions = scorer.contributions(scores.values)
    made: list[Decided | RecordsError] = []
    row = 0
    for (question, decision_id), tables in zip(asked, read, strict=True):
        if isinstance(tables, RecordsError):
            made.append(tables)
            continue
        one = scores.row(row)
        doubts = data_flags(scorer, question, tables, str(sound[row]), one)
        made.append(answered(scorer, question, decision_id, one, contributions[row], bool(tables), doubts))
        row += 1
    return made


def _read(scorer: Scorer, question: Question, customer: str) -> dict[str, Columns] | RecordsError:
    try:
        return tables_of(scorer, question, customer)
    except RecordsError as error:
        return error


def _joined(scorer: Scorer, tables: Sequence[Any]) -> dict[str, Columns]:
    found = {}
    for name, contract in scorer.tables.items():
        parts = [part[name] for part in tables if name in part]
        if parts:
            found[name] = joined(contract, parts)
    return found
