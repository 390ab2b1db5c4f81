"""What an application holds on a day, and the asking of many: some alone, the rest in batches, as a lender does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import numpy as np
import pandas as pd

from configs.errors import CreditloopError
from configs.settings import Product
from features.contracts import TABLES

ALONE, TOGETHER = 100, 50
"""Of the questions of a month so many come one by one, as applicants do; the rest in batches of so many."""
_AT_ONCE = 4


def requests_of(
    product: Product, tables: dict[str, pd.DataFrame], customers: np.ndarray, as_of: pd.Timestamp
) -> list[dict[str, Any]]:
    """One request body per customer: the rows an application would hold on the day `as_of`."""
    records: dict[str, dict[str, list[dict[str, Any]]]] = {customer: {} for customer in customers}
    for name in product.tables:
        frame = tables[name]
        known_at = frame.get("known_time", frame[TABLES[name].event])
        frame = frame[frame["customer_id"].isin(set(customers)) & (known_at <= as_of)]
        if name == "invoices":
            frame = frame.assign(paid=frame["paid"].where(frame["paid"] <= as_of))
        known = [column for column in frame.columns if column in TABLES[name].all_columns()]
        plain = frame[known].astype(object)
        for column in frame[known].select_dtypes("datetime").columns:
            plain[column] = frame[column].dt.strftime("%Y-%m-%d").astype(object)
        plain = plain.where(frame[known].notna(), None)
        for row in plain.to_dict("records"):
            records[row.pop("customer_id")].setdefault(name, []).append(row)
    day = as_of.date().isoformat()
    return [
        {"product": product.name, "customer_id": customer, "as_of": day, "records": records[customer]}
        for customer in customers
    ]


def ask(client: httpx.Client, bodies: Sequence[bytes], step: Callable[[int, int], None]) -> None:
    """Ask about each of `bodies` (JSON), several at a time; `step` hears how many are answered, and of how many.

    Raises CreditloopError where one is not decided.
    """
    done = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        alone = pool.map(lambda body: _one(client, body), bodies[:ALONE])
        batches = pool.map(lambda some: _batch(client, some), _batches(bodies[ALONE:]))
        for answered in itertools.chain(alone, batches):
            done += answered
            step(done, len(bodies))


def _batches(bodies: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (bodies[low : low + TOGETHER] for low in range(0, len(bodies), TOGETHER))


def _one(client: httpx.Client, body: bytes) -> int:
    _sound(client.post("/v1/decide", content=body, headers={"content-type": "application/json"}))
    return 1


def _batch(client: httpx.Client, bodies: Sequence[bytes]) -> int:
    content = b"\n".join(bodies)
    answer = _sound(client.post("/v1/decide/batch", content=content, headers={"content-type": "application/x-ndjson"}))
    answers = [msgspec.json.decode(line) for line in answer.content.splitlines()]
    for told in answers:
        if told["status"] != 200:
            raise CreditloopError(f"the service answered {told['status']} within a batch: {told['problem']['detail']}")
    return len(answers)


def _sound(answer: httpx.Response) -> httpx.Response:
    if answer.status_code != 200:
        raise CreditloopError(f"the service answered {answer.status_code}: {answer.text[:300]}")
    return answer
