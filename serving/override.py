"""A person decides otherwise: whether the level of authority allows it, and what is put on record."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from configs.errors import InputError, Refusal, nearest
from configs.policy import Authority, Decision, harsher
from configs.settings import Product
from serving.ledger import Entry, Record, canonical

KIND = "override"
FLAG = "override"


@dataclass(frozen=True, slots=True)
class Override:
    """What a person decided in place of a recorded decision: under which authority, who, and why."""

    decision_id: str
    decision: Decision
    limit: float
    authority: str
    by: str
    reason: str


def authorise(product: Product, answer: dict[str, Any], override: Override) -> None:
    """Raises InputError or Refusal unless the policy gives this level the say over `answer`, a recorded one.

    Every level may decide more harshly, or grant less. To approve what was not, or more than was granted, the limit
    must lie within the level's, the grade must be no worse than its worst, and the decision set aside and a knock-out
    that hit must be among those it may set aside.
    """
    if not override.by.strip() or not override.reason.strip():
        raise InputError("an override needs a name and a reason")
    level = _level(product, override.authority)
    if not math.isfinite(override.limit):
        raise InputError(f"a limit is a number, got {override.limit:g}")
    if override.decision != "approve" and override.limit > 0:
        raise InputError(f"only an approval has a limit; {override.decision} with {override.limit:g} is neither")
    if override.decision == "approve" and override.limit <= 0:
        raise InputError("an approval needs a limit above 0")
    milder = harsher(answer["decision"], override.decision) or override.limit > answer["limit"]
    refusals = _refusals(product, level, answer, override) if milder else []
    if refusals:
        raise Refusal(f"{level.name} may not: " + "; ".join(refusals))


def _level(product: Product, name: str) -> Authority:
    levels = {level.name: level for level in product.policy.authorities}
    if name not in levels:
        hint = nearest(name, list(levels)) or f"; there are: {', '.join(levels) or 'none'}"
        raise InputError(f"{product.name} has no authority {name!r}{hint}")
    return levels[name]


def _refusals(product: Product, level: Authority, answer: dict[str, Any], override: Override) -> list[str]:
    grades = [grade.name for grade in product.grades]
    found = []
    if override.limit > level.largest_limit:
        found.append(f"its largest limit is {level.largest_limit:g}, not {override.limit:g}")
    if answer["grade"] not in grades:
        found.append(f"the masterscale no longer has grade {answer['grade']}")
    elif level.worst_grade is not None and grades.index(answer["grade"]) > grades.index(level.worst_grade):
        found.append(f"it decides up to grade {level.worst_grade}, this is {answer['grade']}")
    if answer["decision"] != "approve" and answer["decision"] not in level.sets_aside:
        found.append(f"it does not set aside {answer['decision']!r}")
    if answer.get("knock_outs") and not level.lifts_knock_outs:
        names = ", ".join(hit["name"] for hit in answer["knock_outs"])
        found.append(f"it lifts no knock-out, and there is {names}")
    return found


def entry_of(record: Record, override: Override, at: str) -> Entry:
    """The ledger's entry of an override of `record`, about the same customer. The same override is recorded once."""
    body = canonical(asdict(override))
    identity = f"override-{hashlib.sha256(body).hexdigest()[:32]}"
    return Entry(identity, KIND, record.entry.product, record.entry.subject, at, body, identity, personal=True)


def flagged(answer: dict[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """A recorded answer as it is looked up: with the flag `override` where persons decided otherwise since.

    What was recorded stays as it was: the overrides stand beside it in the ledger.
    """
    about = any(one.decision_id == answer["decision_id"] for one in overrides)
    return {**answer, "flags": [*answer["flags"], FLAG]} if about else answer
