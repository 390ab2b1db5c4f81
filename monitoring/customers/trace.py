"""Which rows of the raw tables a customer's number rests on: from a feature's formula back to its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from features.contracts import Columns
from features.declaration import Expression, Feature, Operation, Statistic
from features.history import STREAMS, in_force
from features.matrix import window_starts

_EVER = -(2**31)


def statistics(formula: Expression) -> Iterator[Statistic]:
    """Every statistic that a formula is made of."""
    if isinstance(formula, Operation):
        yield from statistics(formula.left)
        yield from statistics(formula.right)
    elif isinstance(formula, Statistic):
        yield formula


def sources(
    feature: Feature, tables: Mapping[str, Columns], numbers: Mapping[str, np.ndarray], as_of: int
) -> list[dict[str, Any]]:
    """For each table that a feature reads, the numbers of the rows in its windows, known and in force at `as_of`.

    `numbers` gives each row of a table its number in the credit file, from 1, 0 where it is not on file. The tables
    hold one customer.
    """
    found: dict[str, set[int]] = {}
    for one in statistics(feature.formula):
        stream = STREAMS.get(one.series.stream)
        table = None if stream is None else tables.get(stream.table)
        if stream is None or table is None:
            continue
        since = window_starts(np.array([as_of], np.int32), (one.months,))[0, 0] if one.months else _EVER
        day = stream.event(table)
        there = in_force(stream.table, table, as_of) & (day > since) & (day <= as_of)
        if stream.gone is not None:
            there = there & (stream.gone(table) > as_of)
        found.setdefault(stream.table, set()).update(numbers[stream.table][there].tolist())
    return [{"table": name, "rows": sorted(rows - {0})} for name, rows in found.items()]


def ranges(rows: list[int]) -> str:
    """1, 2, 3 and 7 as 1-3, 7."""
    told: list[list[int]] = []
    for row in rows:
        if told and row == told[-1][1] + 1:
            told[-1][1] = row
        else:
            told.append([row, row])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in told)
