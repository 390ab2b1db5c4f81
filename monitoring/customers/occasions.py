"""Why a customer is looked at in a review: the cycle of its grade has passed, or something happened since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from configs.customers import Event, ReviewRules
from configs.errors import ConfigError
from configs.settings import Product
from features.contracts import Columns, Text
from features.load import table_contract
from features.matrix import window_starts
from monitoring.customers import limits
from monitoring.customers.migration import NEW
from monitoring.customers.reviewed import CARRIED, OCCASIONS, Reviewed

_EVERY, _FIRST, _CYCLE, _TRIGGER, _EVENT, _BREACH, _CALLED = range(CARRIED)


def occasions(
    rules: ReviewRules,
    grades: Sequence[str],
    tables: Mapping[str, Columns],
    before: Reviewed,
    forced: np.ndarray,
    drawn: np.ndarray,
    called: frozenset[str],
    as_of: int,
) -> np.ndarray:
    """The place in OCCASIONS of each customer, (rows,) int8; `carried` where nothing asks for a look.

    Without a cycle everybody is looked at each time. An event counts once: rows known since the customer was looked at
    last, a trigger that asks for a worse grade than stands, more drawn than the limit where it was not, `called` ids.
    """
    rows = len(before)
    new = before.grade == NEW
    if not rules.cycle_months:
        return np.where(new, _FIRST, _EVERY).astype(np.int8)
    newest = np.full(rows, before.reviewed_on.min() if rows else 0, np.int64)
    for event in rules.events:
        newest = np.maximum(newest, last_known(event, tables, before.customer_id, as_of))
    over = limits.owed(drawn) > before.limit
    was_over = limits.owed(before.drawn) > before.limit
    conditions = [
        (new, _FIRST),
        ((forced != NEW) & (forced > before.grade), _TRIGGER),
        (newest > before.reviewed_on, _EVENT),
        (over & ~was_over, _BREACH),
        (np.isin(before.customer_id.astype(str), list(called)), _CALLED),
        (_passed(rules.cycle_months, grades, before, as_of), _CYCLE),
    ]
    return np.select([where for where, _ in conditions], [place for _, place in conditions], CARRIED).astype(np.int8)


def _passed(cycle: Mapping[str, int], grades: Sequence[str], before: Reviewed, as_of: int) -> np.ndarray:
    """Whether the months of the standing grade's cycle have passed since the last look, (rows,) bool."""
    months = tuple(sorted(set(cycle.values())))
    starts = dict(zip(months, window_starts(np.array([as_of], np.int32), months)[:, 0].tolist(), strict=True))
    since = np.array([starts[cycle[grade]] for grade in grades])
    return np.asarray(before.reviewed_on <= since[np.maximum(before.grade, 0)])


def last_known(event: Event, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: int) -> np.ndarray:
    """The day the newest row of an event became known by `as_of`, (rows,) int64; long ago without one."""
    found = np.full(len(customer_id), -(2**31), np.int64)
    if event.table not in tables:
        return found
    table = tables[event.table]
    counts = table["known_time"] <= as_of
    if event.column is not None:
        counts = counts & table[event.column].says(event.says or "")
    place = pd.Index(customer_id).get_indexer(table["customer_id"].take(counts).to_objects())
    np.maximum.at(found, place[place >= 0], table["known_time"][counts][place >= 0])
    return found


def check_events(rules: ReviewRules, product: Product) -> tuple[str, ...]:
    """The tables that events and groups read. Raises ConfigError for one, or a column, that the product has not."""
    for event in rules.events:
        where = f"{product.name}: customers.review.events.{event.name}"
        if event.table not in product.tables:
            raise ConfigError(f"{where}.table: no table {event.table!r}; there are {', '.join(product.tables)}")
        column = table_contract(event.table, product).all_columns().get(event.column or "customer_id")
        if column is None or column.kind != "text":
            raise ConfigError(f"{where}.column: {event.table!r} has no text column {event.column!r}")
    if rules.group_cap is not None and "customers" not in product.tables:
        raise ConfigError(f"{product.name}: customers.review.group_cap: group_id stands in the table customers")
    groups = ("customers",) if rules.group_cap is not None else ()
    return tuple(dict.fromkeys((*groups, *(event.table for event in rules.events))))


def group_of(tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: int) -> np.ndarray:
    """The group of each customer as known last by `as_of`, (rows,) objects, empty without one."""
    table = tables.get("customers")
    found = np.full(len(customer_id), "", object)
    if table is None or not isinstance(table.get("group_id"), Text):
        return found
    known = np.flatnonzero((table["known_time"] <= as_of) & (table["group_id"].codes >= 0))
    known = known[np.argsort(table["known_time"][known], kind="stable")]
    place = pd.Index(customer_id).get_indexer(table["customer_id"].take(known).to_objects())
    found[place[place >= 0]] = table["group_id"].take(known).to_objects()[place >= 0]
    return found


def counts(occasion: np.ndarray) -> dict[str, int]:
    """How many customers were looked at for which reason."""
    return {name: int((occasion == place).sum()) for place, name in enumerate(OCCASIONS)}
