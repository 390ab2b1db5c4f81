"""The applicants of recorded decisions, as a policy looks at them: out of the ledger, one at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from configs.settings import Product
from serving.compare import Case
from serving.doubts import said_in
from serving.knock_outs import Applicant, places, read
from serving.ledger import Record


def cases(
    records: Iterable[Record],
    products: Sequence[Product],
    names_of: Callable[[str], Sequence[str]],
    since: dt.date | None = None,
) -> Iterator[Case]:
    """The decisions among `records` asked as of `since` or later, with every feature that one of `products` reads.

    `names_of` gives the features of a model version, in its order. Raises ConfigError where a policy reads one that
    the model of a decision has not.
    """
    where: dict[str, dict[str, int]] = {}
    for record in records:
        body = record.body()
        answer = body["answer"]
        if since is not None and dt.date.fromisoformat(answer["as_of"]) < since:
            continue
        version = answer["model"]
        if version not in where:
            names = names_of(version)
            where[version] = {name: at for one in products for name, at in places(one.policy, names).items()}
        yield _case(record.entry.id, body, where[version])


def _case(decision_id: str, body: dict[str, Any], where: dict[str, int]) -> Case:
    question, values = body["question"], body["evidence"]["features"]
    applicant = Applicant(
        requested_amount=question["requested_amount"],
        group_exposure=question.get("group_exposure"),
        features=read(where, [values[place] for place in where.values()]),
        known=any(question["records"].values()),
        doubts=said_in(body["answer"]["flags"]),
    )
    return Case(decision_id, body["answer"]["default_probability"], applicant)
