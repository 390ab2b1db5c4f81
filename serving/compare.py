"""Two policies held against each other: what they say differently, and what each makes of the same applicants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from configs.policy import Decision, grade_of
from configs.settings import Product
from serving.knock_outs import Applicant
from serving.policy import Grant, grant

_DECISIONS: tuple[Decision, ...] = get_args(Decision)


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded decision's applicant: what a policy looks at, and the PD of the model that was asked."""

    decision_id: str
    default_probability: float
    applicant: Applicant


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy makes of the cases. Money and rates are those of approvals: a referral is a person's to decide.

    `expected_loss` = sum of PD x loss given default x limit; `expected_loss_rate` is its share of the limits, `rate`
    the mean price weighted by limit; None where there is no limit or no price.
    """

    decisions: dict[str, int]
    by_grade: dict[str, dict[str, int]]
    binding_constraints: dict[str, int]
    limits: float
    expected_loss: float
    expected_loss_rate: float | None
    rate: float | None


@dataclass(frozen=True, slots=True)
class Swap:
    """Applicants who change sides, or stay approved: how many, their mean PD, and limits and losses on both sides."""

    count: int
    mean_default_probability: float | None
    limits_before: float
    limits_after: float
    expected_loss_before: float
    expected_loss_after: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both outcomes, who moves where, and the ids of those whose decision changes.

    `moves[a][b]` counts those decided `a` before and `b` after. `swapped_in`: approved only after; `swapped_out`: only
    before; `kept`: both times, `limits_raised` and `limits_lowered` of them.
    """

    cases: int
    before: Outcome
    after: Outcome
    moves: dict[str, dict[str, int]]
    swapped_in: Swap
    swapped_out: Swap
    kept: Swap
    limits_raised: int
    limits_lowered: int
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Decided:
    case: Case
    grade: str
    granted: Grant
    expected_loss: float

    @property
    def approved(self) -> bool:
        return self.granted.decision == "approve"

    @property
    def limit(self) -> float:
        return self.granted.limit if self.approved else 0.0


def differences(before: Product, after: Product) -> list[tuple[str, Any, Any]]:
    """(key, value before, value after) of every key that differs; None where one side does not say it."""
    return list(_unlike("", before.model_dump(mode="json"), after.model_dump(mode="json")))


def _unlike(where: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _unlike(f"{where}.{key}".lstrip("."), old.get(key), new.get(key))
    elif old != new:
        yield where, old, new


def _by_name(value: Any) -> Any:
    """Grades, rules and levels under their names, so that one put in between does not make all after it differ."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        return {item["name"]: item for item in value}
    return value


def compare(before: Product, after: Product, cases: Sequence[Case]) -> Comparison:
    """What changes for `cases`, should `after` take the place of `before`. Pure: both decide anew, on the same PDs."""
    pairs = [(_decided(before, case), _decided(after, case)) for case in cases]
    both = [pair for pair in pairs if pair[0].approved and pair[1].approved]
    moved = Counter((old.granted.decision, new.granted.decision) for old, new in pairs)
    return Comparison(
        cases=len(pairs),
        before=_outcome(before, [old for old, _ in pairs]),
        after=_outcome(after, [new for _, new in pairs]),
        moves={one: {other: moved[one, other] for other in _DECISIONS} for one in _DECISIONS},
        swapped_in=_swap([pair for pair in pairs if not pair[0].approved and pair[1].approved]),
        swapped_out=_swap([pair for pair in pairs if pair[0].approved and not pair[1].approved]),
        kept=_swap(both),
        limits_raised=sum(new.limit > old.limit for old, new in both),
        limits_lowered=sum(new.limit < old.limit for old, new in both),
        changed=tuple(o.case.decision_id for o, n in pairs if o.granted.decision != n.granted.decision),
    )


def _decided(product: Product, case: Case) -> _Decided:
    grade = grade_of(product.grades, case.default_probability)
    granted = grant(product, grade, case.default_probability, case.applicant)
    limit = granted.limit if granted.decision == "approve" else 0.0
    return _Decided(case, grade.name, granted, case.default_probability * product.policy.loss_given_default * limit)


def _outcome(product: Product, decided: Sequence[_Decided]) -> Outcome:
    limits, loss = _total(decided, lambda one: one.limit), _total(decided, lambda one: one.expected_loss)
    earned = _total(decided, lambda one: one.limit * (one.granted.price.rate if one.granted.price else 0.0))
    in_grade = Counter((one.grade, one.granted.decision) for one in decided)
    return Outcome(
        decisions=_counts(Counter(one.granted.decision for one in decided)),
        by_grade={g.name: {name: in_grade[g.name, name] for name in _DECISIONS} for g in product.grades},
        binding_constraints=dict(Counter(one.granted.binding_constraint for one in decided).most_common()),
        limits=limits,
        expected_loss=loss,
        expected_loss_rate=loss / limits if limits else None,
        rate=earned / limits if limits and product.policy.pricing else None,
    )


def _swap(pairs: Sequence[tuple[_Decided, _Decided]]) -> Swap:
    old, new = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return Swap(
        count=len(pairs),
        mean_default_probability=_total(old, lambda one: one.case.default_probability) / len(old) if old else None,
        limits_before=_total(old, lambda one: one.limit),
        limits_after=_total(new, lambda one: one.limit),
        expected_loss_before=_total(old, lambda one: one.expected_loss),
        expected_loss_after=_total(new, lambda one: one.expected_loss),
    )


def _total(decided: Sequence[_Decided], of: Callable[[_Decided], float]) -> float:
    return float(sum(of(one) for one in decided))


def _counts(found: Mapping[Decision, int]) -> dict[str, int]:
    return {name: found.get(name, 0) for name in _DECISIONS}
