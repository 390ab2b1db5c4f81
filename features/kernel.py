"""The one compiled reduction: dated facts to statistics, statistics to features. It knows no feature."""

from __future__ import annotations

import numpy as np
from numba import njit

VERSION = 2
"""Raised whenever the numbers below could change: it is part of the program hash."""

STATISTICS = (
    "count",
    "total",
    "mean",
    "max",
    "min",
    "deviation",
    "slope",
    "last",
    "previous",
    "positives",
    "days_since_first",
    "days_since_last",
    "days_since_positive",
    "rises",
    "falls",
)
FOLDS = ("each", "sum", "max")
OPERATIONS = ("statistic", "constant", "add", "subtract", "multiply", "divide", "larger", "smaller")

_MONTHS_PER_DAY = 1 / 30.4375
_STACK = 16


@njit(cache=True, nogil=True)
def rises(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether the rows stand in rising order of (first, second), no pair twice: then there is nothing to sort."""
    for i in range(1, first.shape[0]):
        if first[i] < first[i - 1] or (first[i] == first[i - 1] and second[i] <= second[i - 1]):
            return False
    return True


@njit(cache=True, nogil=True)
def ties(order: np.ndarray, first: np.ndarray, second: np.ndarray, third: np.ndarray) -> bool:
    """Whether two rows that follow each other in `order` agree in all three."""
    for i in range(1, order.shape[0]):
        a, b = order[i - 1], order[i]
        if third[a] == third[b] and second[a] == second[b] and first[a] == first[b]:
            return True
    return False


@njit(cache=True, nogil=True)
def _ever(values: np.ndarray, numerator: int, denominator: int, facts: np.ndarray, count: int) -> bool:
    """Whether any of the first `count` of `facts` holds a value of the series."""
    for k in range(count):
        if np.isnan(values[numerator, facts[k]]):
            continue
        if denominator < 0 or not np.isnan(values[denominator, facts[k]]):
            return True
    return False


@njit(cache=True, nogil=True)
def _reduce_series(
    event: np.ndarray,
    gone: np.ndarray,
    values: np.ndarray,
    facts: np.ndarray,
    known: int,
    numerator: int,
    denominator: int,
    fold: int,
    deviation: bool,
    slope: bool,
    inverse: np.ndarray,
    as_of: int,
    since: np.ndarray,
    first_leaf: np.ndarray,
    statistic: np.ndarray,
    slot: np.ndarray,
    summary: np.ndarray,
    out: np.ndarray,
) -> None:
    """The statistics of one series over the first `known` of `facts`, for all its windows in one walk into the past.

    Window w holds the facts later than `since[w]`, which falls from window to window: each is told when the walk
    leaves it. Facts of the same day are folded first (each: not at all; sum; max), a ratio after folding, so two
    accounts give the ratio of their sums. A missing value is no fact. Once any fact was seen, even one that no longer
    holds, an empty window counts and totals zero; without one everything is missing. `deviation`, `slope`: whether
    anybody asks for them, since they cost as much as all the rest; `inverse` holds 1 / n, as a division costs more
    than both. The walk is one function because folding a day in one of its own, even inlined, took five times as long.
    """
    seen = False
    count, positives, rises, falls = 0, 0, 0, 0
    total, largest, smallest = 0.0, -np.inf, np.inf
    mean_y, mean_x, spread_y, spread_x, spread_xy = 0.0, 0.0, 0.0, 0.0, 0.0
    last, previous, later = np.nan, np.nan, np.nan
    first_day, last_day, positive_day = as_of, as_of, as_of
    k = known
    for window in range(since.shape[0]):
        while k > 0 and event[facts[k - 1]] > since[window]:
            day = event[facts[k - 1]]
            upper, lower, found = 0.0, 0.0, False
            while k > 0 and event[facts[k - 1]] == day:
                k -= 1
                fact = facts[k]
                y = values[numerator, fact]
                d = 1.0 if denominator < 0 else values[denominator, fact]
                if np.isnan(y) or np.isnan(d):
                    continue
                seen = True
                if gone[fact] <= as_of:
                    continue
                if not found:
                    upper, lower, found = y, d, True
                elif fold == 1:
                    upper += y
                    lower += d
                else:
                    upper, lower = max(upper, y), max(lower, d)
                if fold == 0:
                    break
            if not found:
                continue
            if denominator < 0:
                value = upper
            elif lower > 0.0:
                value = upper / lower
            else:
                continue
            count += 1
            total += value
            largest, smallest = max(largest, value), min(smallest, value)
            if deviation or slope:
                dy = value - mean_y
                mean_y += dy * inverse[count]
                spread_y += dy * (value - mean_y)
                if slope:
                    x = (day - as_of) * _MONTHS_PER_DAY
                    dx = x - mean_x
                    mean_x += dx * inverse[count]
                    spread_x += dx * (x - mean_x)
                    spread_xy += dx * (value - mean_y)
            if count == 1:
                last, last_day = value, day
            else:
                if count == 2:
                    previous = value
                rises += later > value
                falls += later < value
            later, first_day = value, day
            if value > 0.0:
                if positives == 0:
                    positive_day = day
                positives += 1
        for place in range(len(STATISTICS)):
            summary[place] = np.nan
        seen = seen or _ever(values, numerator, denominator, facts, k)
        if seen:
            summary[0], summary[1], summary[9] = count, total, positives
            summary[13], summary[14] = rises, falls
        if count > 0:
            summary[2], summary[3], summary[4] = total * inverse[count], largest, smallest
            summary[7], summary[8] = last, previous
            summary[10], summary[11] = as_of - first_day, as_of - last_day
            if positives > 0:
                summary[12] = as_of - positive_day
        if count > 1:
            summary[5] = np.sqrt(spread_y / (count - 1))
            if spread_x > 0.0:
                summary[6] = spread_xy / spread_x
        for leaf in range(first_leaf[window], first_leaf[window + 1]):
            out[slot[leaf]] = summary[statistic[leaf]]


@njit(cache=True, nogil=True)
def reduce_stream(
    event: np.ndarray,
    known: np.ndarray,
    gone: np.ndarray,
    values: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    as_of: np.ndarray,
    since: np.ndarray,
    numerator: np.ndarray,
    denominator: np.ndarray,
    fold: np.ndarray,
    deviation: np.ndarray,
    slope: np.ndarray,
    first_panel: np.ndarray,
    window: np.ndarray,
    first_leaf: np.ndarray,
    statistic: np.ndarray,
    slot: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill `out[row, slot]` with the statistics one stream's series need.

    `event, known, gone` are days of n facts sorted by customer and event, `values` (columns, n); row r may see
    the facts [start[r], end[r]). `since[w, r]` is the last day before window w. Series p reads
    `values[numerator[p]]` over `values[denominator[p]]` (-1: no ratio) and owns the panels
    [first_panel[p], first_panel[p + 1]), each a window, from the shortest to the longest; a panel owns the leaves
    [first_leaf[panel], first_leaf[panel + 1]), each a statistic and the slot it is written to.
    """
    summary = np.empty(len(STATISTICS))
    most = max(1, (end - start).max())
    facts = np.empty(most, np.int64)
    inverse = 1.0 / np.maximum(np.arange(most + 1), 1)
    starts = np.empty(window.shape[0], np.int64)
    for r in range(as_of.shape[0]):
        count = 0
        for i in range(start[r], end[r]):
            if event[i] > as_of[r]:
                break
            if known[i] <= as_of[r]:
                facts[count] = i
                count += 1
        for panel in range(window.shape[0]):
            starts[panel] = since[window[panel], r]
        for p in range(numerator.shape[0]):
            first, after = first_panel[p], first_panel[p + 1]
            _reduce_series(
                event,
                gone,
                values,
                facts,
                count,
                numerator[p],
                denominator[p],
                fold[p],
                deviation[p],
                slope[p],
                inverse,
                as_of[r],
                starts[first:after],
                first_leaf[first : after + 1],
                statistic,
                slot,
                summary,
                out[r],
            )


@njit(cache=True, nogil=True)
def evaluate(
    slots: np.ndarray,
    operation: np.ndarray,
    argument: np.ndarray,
    constants: np.ndarray,
    first_step: np.ndarray,
    out: np.ndarray,
) -> None:
    """Run each feature's steps over `slots` (rows, leaves) into `out` (rows, features).

    A division by zero or less, and whatever is not finite, is missing.
    """
    stack = np.empty(_STACK)
    for r in range(slots.shape[0]):
        for f in range(first_step.shape[0] - 1):
            top = 0
            for step in range(first_step[f], first_step[f + 1]):
                kind = operation[step]
                if kind == 0:
                    stack[top] = slots[r, argument[step]]
                    top += 1
                    continue
                if kind == 1:
                    stack[top] = constants[argument[step]]
                    top += 1
                    continue
                top -= 1
                a, b = stack[top - 1], stack[top]
                if kind == 2:
                    value = a + b
                elif kind == 3:
                    value = a - b
                elif kind == 4:
                    value = a * b
                elif kind == 5:
                    value = a / b if b > 0.0 else np.nan
                elif np.isnan(a) or np.isnan(b):
                    value = np.nan
                elif kind == 6:
                    value = max(a, b)
                else:
                    value = min(a, b)
                stack[top - 1] = value
            out[r, f] = stack[0] if np.isfinite(stack[0]) else np.nan
