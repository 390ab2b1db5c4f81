"""What is owed at a day and how late it is: every euro in exactly one bucket, and where it went from month to month."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from configs.errors import InputError
from features.check import take
from features.contracts import Columns, Text
from features.history import replaced_on


@dataclass(frozen=True, slots=True)
class Items:
    """What is owed at a day, one row an invoice or account, (rows,) each.

    `key` names the item from day to day, `amount` is in currency, `days_past_due` 0 where not late.
    """

    customer_id: np.ndarray
    key: np.ndarray
    amount: np.ndarray
    days_past_due: np.ndarray
    disputed: np.ndarray


def open_items(tables: Mapping[str, Columns], as_of: int) -> Items:
    """The open items at `as_of` (days since 1970): unpaid invoices, or balances of accounts where there are none.

    Only what had happened and was known by then counts. An account that was late and then fell silent has grown later
    day by day. Raises InputError where there is neither table.
    """
    if "invoices" in tables:
        return _invoices(tables["invoices"], as_of)
    if "statements" in tables:
        return _accounts(tables["statements"], as_of)
    raise InputError("nothing is known of what customers owe: expected the table invoices or statements")


def _invoices(table: Columns, as_of: int) -> Items:
    held = replaced_on(table, ("invoice_id",), table["customer_id"].codes) > as_of
    there = np.flatnonzero(held & (table["issued"] <= as_of) & (table["known_time"] <= as_of) & (table["paid"] > as_of))
    rows = take(table, there)
    disputed = rows["disputed"] > 0 if "disputed" in rows else np.zeros(len(there), bool)
    late = np.maximum(as_of - rows["due"].astype(np.int64), 0)
    ids = rows["customer_id"].to_objects()
    return Items(ids, _keys(ids, rows["invoice_id"].to_objects()), rows["amount"], late, disputed)


def _accounts(table: Columns, as_of: int) -> Items:
    codes = table["customer_id"].codes
    account = table["account_id"].codes if isinstance(table.get("account_id"), Text) else np.zeros(len(codes), np.int32)
    seen = np.flatnonzero((table["month"] <= as_of) & (table["known_time"] <= as_of))
    order = seen[np.lexsort((table["known_time"][seen], table["month"][seen], account[seen], codes[seen]))]
    last = np.ones(len(order), bool)
    last[:-1] = (codes[order][1:] != codes[order][:-1]) | (account[order][1:] != account[order][:-1])
    rows = take(table, order[last])
    rows = take(rows, np.flatnonzero(rows["balance"] > 0))
    told = np.nan_to_num(rows["days_past_due"], nan=0.0).astype(np.int64)
    late = np.where(told > 0, told + as_of - rows["month"], 0)
    ids = rows["customer_id"].to_objects()
    accounts = rows["account_id"].to_objects() if isinstance(rows.get("account_id"), Text) else np.full(len(ids), "")
    return Items(ids, _keys(ids, accounts), rows["balance"], late, np.zeros(len(ids), bool))


def _keys(ids: np.ndarray, names: np.ndarray) -> np.ndarray:
    return np.array([f"{one}\0{name}" for one, name in zip(ids, names, strict=True)], object)


def bucket_of(days_past_due: np.ndarray, bounds: Sequence[int]) -> np.ndarray:
    """The bucket of each item, (rows,): `bounds` are the most days of each but the last."""
    return np.searchsorted(np.asarray(bounds), days_past_due, side="left")


def bucket_names(bounds: Sequence[int]) -> list[str]:
    """current, 1-30, 31-60, ..., 91+."""
    inner = [f"{low + 1}-{high}" for low, high in itertools.pairwise(bounds)]
    return ["current", *inner, f"{bounds[-1] + 1}+"]


def ageing(items: Items, bounds: Sequence[int]) -> np.ndarray:
    """The amount in each bucket, (buckets,); together all that is owed."""
    return np.bincount(bucket_of(items.days_past_due, bounds), items.amount, len(bounds) + 1)


def rolled(before: Items, after: Items, bounds: Sequence[int]) -> np.ndarray:
    """Where the amounts of `before` are in `after`, (buckets, buckets + 1): from bucket (row) to bucket; last: paid."""
    size = len(bounds) + 1
    place = dict(zip(after.key, bucket_of(after.days_past_due, bounds).tolist(), strict=True))
    to = np.array([place.get(key, size) for key in before.key], np.int64)
    pairs = bucket_of(before.days_past_due, bounds) * (size + 1) + to
    return np.bincount(pairs, before.amount, size * (size + 1)).reshape(size, size + 1)


def roll_shares(amounts: np.ndarray) -> np.ndarray:
    """Each row of `rolled` as shares of it; a bucket in which nothing ever was has missing shares."""
    totals = amounts.sum(1, keepdims=True)
    return np.divide(amounts, totals, out=np.full_like(amounts, np.nan), where=totals > 0)


def roll_rates(shares: np.ndarray) -> np.ndarray:
    """RR_k: the share of bucket k that is later still a month on, (buckets - 1,)."""
    size = len(shares)
    return np.array([shares[k, k + 1 : size].sum() for k in range(size - 1)])


def cure_rates(shares: np.ndarray) -> np.ndarray:
    """The share of each late bucket that is current or paid a month on, (buckets - 1,)."""
    return shares[1:, 0] + shares[1:, -1]


def chance_of_loss(shares: np.ndarray, months: int) -> np.ndarray:
    """The chance of each bucket to be in the last one within `months`, (buckets,): a Markov chain that ends there.

    What is paid stays paid. A bucket never seen before is taken to roll on: what is not known is not good news.
    """
    size = len(shares)
    step = np.zeros((size + 1, size + 1))
    step[:size] = shares
    for k in range(size):
        if np.isnan(shares[k]).any():
            step[k] = np.eye(size + 1)[min(k + 1, size - 1)]
    step[size - 1] = np.eye(size + 1)[size - 1]
    step[size] = np.eye(size + 1)[size]
    return np.linalg.matrix_power(step, months)[:size, size - 1]
