"""Conditions that refer or decline whatever the PD, and what of a customer they look at."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from configs.errors import ConfigError, nearest
from configs.policy import KnockOut, Policy, Stop

HOLDS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Applicant:
    """What a policy looks at besides PD and grade. None: not said, or not known; `features` those it `reads`.

    `group_exposure` is the credit that connected customers have already; `known`: whether anything is on record;
    `doubts`: why the data may not be trusted to tell all.
    """

    requested_amount: float | None = None
    group_exposure: float | None = None
    features: Mapping[str, float | None] = field(default_factory=dict)
    known: bool = True
    doubts: tuple[str, ...] = ()


class KnockedOut(msgspec.Struct, frozen=True):
    """A knock-out that hit: its name, what it decided, and the sentence for the customer."""

    name: str
    decision: Stop
    reason: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that stands in the way: its condition holds, or its value is missing and the rule then refers."""

    rule: KnockOut
    decision: Stop

    def told(self, language: Literal["en", "zh"]) -> KnockedOut:
        """The hit as the answer says it."""
        return KnockedOut(self.rule.name, self.decision, self.rule.reason_zh if language == "zh" else self.rule.reason)


def hits(rules: Sequence[KnockOut], applicant: Applicant) -> tuple[Hit, ...]:
    """The rules that stand in the applicant's way, in the order of the file."""
    found = ((rule, _stop(rule, _value(rule, applicant))) for rule in rules)
    return tuple(Hit(rule, decision) for rule, decision in found if decision is not None)


def _value(rule: KnockOut, applicant: Applicant) -> float | None:
    if rule.feature is not None:
        return applicant.features[rule.feature]
    return applicant.requested_amount if rule.request == "requested_amount" else applicant.group_exposure


def _stop(rule: KnockOut, value: float | None) -> Stop | None:
    if value is None:
        return "refer" if rule.missing == "refer" else None
    return rule.decision if HOLDS[rule.operator](value, rule.bound) else None


def places(policy: Policy, names: Sequence[str]) -> dict[str, int]:
    """Where the features that the policy reads lie in a model's `names`. Raises ConfigError for one it has not."""
    missing = [name for name in policy.reads() if name not in names]
    if missing:
        raise ConfigError(
            f"policy: {missing[0]!r} is no feature of the model{nearest(missing[0], names)}; "
            "a policy can look only at features that its model was trained with"
        )
    return {name: names.index(name) for name in policy.reads()}


def read(names: Iterable[str], values: Iterable[float | None]) -> dict[str, float | None]:
    """What an applicant's features are called and worth; NaN as None."""
    return {
        name: None if value is None or math.isnan(value) else value for name, value in zip(names, values, strict=True)
    }
