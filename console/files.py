"""The credit file as JSON, for programs: a route beside those of serving, which knows no credit files."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

from configs.errors import InputError
from features.contracts import to_day
from monitoring.customers.credit_file import credit_file
from serving import problems, reads
from serving.asking import scorer_of
from serving.call import Call
from serving.live import utc_now
from serving.problems import refused
from serving.routes import Route


async def find_credit_file(call: Call) -> dict[str, Any]:
    """What is known of a customer at a day, every figure with the rows it comes from; the look is on record first."""
    return await asyncio.to_thread(_file, call)


def _file(call: Call) -> dict[str, Any]:
    live, now = call.live, utc_now()
    scorer = scorer_of(live, call.query.get("product"))
    source = live.sources.get(scorer.product.name)
    if source is None:
        told = f"[serving.sources] names no source of {scorer.product.name}'s records, so nothing can be read"
        raise refused(problems.NO_RECORDS, told)
    as_of = _day(call.query.get("as_of", now[:10]))
    made = credit_file(scorer, source, live.ledger, call.name, as_of)
    live.writer.submit(reads.entry_of(call.name, call.caller.name, "credit file", now)).result()
    return made


def _day(said: str) -> int:
    try:
        return to_day(dt.date.fromisoformat(said))
    except ValueError:
        raise InputError(f"as_of: expected a date as 2026-01-31, got {said[:40]!r}") from None


FILE = Route(
    method="GET",
    path="/v1/customers/{customer_id}/file",
    role="read",
    summary="A customer's credit file at a day: facts, features, score, limit, warnings, decisions, in order of time",
    answered="The file, as `creditloop customers file --json` prints it; the look itself is on record",
    run=find_credit_file,
    answer=dict[str, Any],
    query={
        "product": "its name; may be left out where only one is served",
        "as_of": "the day asked at (default: today)",
    },
    own_problems=(
        problems.NO_SUCH_PRODUCT,
        problems.NO_RECORDS,
        problems.NOT_ACCEPTABLE,
        problems.ERASED,
        problems.NOT_READ,
    ),
)
