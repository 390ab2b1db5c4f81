"""Raw tables to the feature matrix: one call, whether for one request or for a portfolio."""

from __future__ import annotations

import calendar
import datetime as dt
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pandas as pd

from features import history, kernel
from features.catalogue import Program, StreamPlan
from features.contracts import EPOCH, NEVER, Columns

Build = Callable[[Program, Mapping[str, Columns], np.ndarray, np.ndarray], np.ndarray]
"""What `build` is: a row of numbers for each (customer_id, as_of), from the tables of a program."""

_BLOCK = 16_384  # rows reduced at once: bounds the memory of the statistics
_ALL_THE_PAST = -(2**31)


def build(program: Program, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """The matrix (rows, features), float64, one row per (customer_id, as_of), in the order given.

    `as_of` is int32 days since 1970. A fact takes part where it happened and was known by that day. A table that
    is absent, or a customer without rows in it, gives missing values.
    """
    codes, customers = (np.zeros(1, np.int64), customer_id) if len(customer_id) == 1 else pd.factorize(customer_id)
    as_of = np.ascontiguousarray(as_of, np.int32)
    facts = _facts(program, tables, customers)
    out = np.empty((len(as_of), len(program.features)))
    blocks = [slice(low, low + _BLOCK) for low in range(0, len(as_of), _BLOCK)]
    if len(blocks) == 1:
        _fill(program, facts, codes, as_of, out)
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # the kernel lets go of the interpreter
            list(pool.map(lambda rows: _fill(program, facts, codes[rows], as_of[rows], out[rows]), blocks))
    return out


def _facts(
    program: Program, tables: Mapping[str, Columns], customers: np.ndarray
) -> list[tuple[StreamPlan, history.Facts]]:
    """The facts each plan reads; what the streams of one table share is worked out once."""
    asked: dict[str, tuple[Columns, np.ndarray]] = {}
    replaced: dict[tuple[str, tuple[str, ...]], np.ndarray] = {}
    facts = []
    for plan in program.plans:
        name, restates = plan.stream.table, plan.stream.restates
        if name not in tables or not len(tables[name]["customer_id"]):
            continue
        if name not in asked:
            asked[name] = history.asked_about(customers, tables[name])
        table, codes = asked[name]
        if (name, restates) not in replaced:
            replaced[name, restates] = history.replaced_on(table, restates, codes)
        built = history.build(plan.stream, plan.columns, table, codes, len(customers), replaced[name, restates])
        facts.append((plan, built))
    return facts


def _fill(
    program: Program,
    facts: list[tuple[StreamPlan, history.Facts]],
    codes: np.ndarray,
    as_of: np.ndarray,
    out: np.ndarray,
) -> None:
    since = window_starts(as_of, program.months)
    slots = np.full((len(as_of), program.slots), np.nan)
    for plan, stream in facts:
        kernel.reduce_stream(
            stream.event,
            stream.known,
            stream.gone,
            stream.values,
            stream.bounds[codes],
            stream.bounds[codes + 1],
            as_of,
            since,
            plan.numerator,
            plan.denominator,
            plan.fold,
            plan.deviation,
            plan.slope,
            plan.first_panel,
            plan.window,
            plan.first_leaf,
            plan.statistic,
            plan.slot,
            slots,
        )
    kernel.evaluate(slots, program.operation, program.argument, program.constants, program.first_step, out)


def window_starts(as_of: np.ndarray, months: tuple[int, ...]) -> np.ndarray:
    """The last day before each window of calendar months that ends at as_of, (windows, rows); 0 months: all the past.

    A month end goes back to month ends (30 June less 3 months is 31 March), any other day to the same day of the
    earlier month or its end: 3 months before 30 June begin after 31 March and hold three month ends.
    """
    if len(as_of) == 1:
        return np.array([_starts_of(int(as_of[0]), months)], np.int32).T
    days, place = np.unique(as_of, return_inverse=True)
    starts = np.array([_starts_of(int(day), months) for day in days], np.int32).reshape(-1, len(months))
    return np.ascontiguousarray(starts.T[:, place])


@lru_cache(maxsize=4096)
def _starts_of(as_of: int, months: tuple[int, ...]) -> tuple[int, ...]:
    day = dt.date.fromordinal(as_of + EPOCH)
    at_end = day.day == calendar.monthrange(day.year, day.month)[1]
    starts = []
    for count in months:
        month = day.year * 12 + day.month - 1 - count
        year = month // 12
        if count == 0 or not dt.MINYEAR <= year <= dt.MAXYEAR:
            starts.append(_ALL_THE_PAST if count >= 0 else int(NEVER))
            continue
        last = calendar.monthrange(year, month % 12 + 1)[1]
        starts.append(dt.date(year, month % 12 + 1, last if at_end else min(day.day, last)).toordinal() - EPOCH)
    return tuple(starts)
