"""The policy part of a product file: masterscale, knock-outs, referral band, limits, price, who may override.

A key that was added after a decision was made leaves no trace in a product that does not use it (`unused`), so the
digest of an older policy, and with it the replay of what was decided under it, stays as it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from configs.frozen import Band, Count, Frozen, NotNegative, Positive, Share

Decision = Literal["approve", "refer", "decline"]
Stop = Literal["refer", "decline"]
RequestField = Literal["requested_amount", "group_exposure"]
Operator = Literal["<", "<=", ">", ">=", "==", "!="]
_MILDEST_FIRST = get_args(Decision)
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
_Sentence = Annotated[str, Field(min_length=1)]


def unused(default: object = None, **constraints: Any) -> Any:
    """A key that a product may leave out, and that is then written nowhere; `default` is what it then is."""
    return Field(exclude_if=lambda value: value is None or value in ((), default), **constraints)


class Grade(Frozen):
    """One band of the masterscale and what it earns. A PD on the bound belongs to the next, worse grade."""

    name: str
    pd_below: Annotated[float, Field(gt=0, lt=1)] | None = None
    decision: Decision
    terms_days: Annotated[int, Field(ge=0)]
    limit_cap: NotNegative
    capacity_multiple: NotNegative
    collateral_share: Annotated[float | None, unused(ge=0)] = None


class KnockOut(Frozen):
    """A condition on a feature or on the request that alone refers or declines, whatever the PD."""

    name: _Name
    feature: Annotated[str | None, unused()] = None
    request: Annotated[RequestField | None, unused()] = None
    operator: Operator
    bound: float
    decision: Stop
    missing: Literal["pass", "refer"]
    reason: _Sentence
    reason_zh: _Sentence

    @model_validator(mode="after")
    def _looks_at_one_thing(self) -> KnockOut:
        if (self.feature is None) == (self.request is None):
            raise ValueError(f"{self.name}: say either feature or request, what the condition is on")
        return self


class Pricing(Frozen):
    """The parts of a rate besides expected loss, as shares of the credit a year."""

    funding_rate: NotNegative
    operating_cost_rate: NotNegative
    margin_rate: NotNegative
    maximum_rate: Annotated[Positive | None, unused()] = None

    @model_validator(mode="after")
    def _covers_its_cost(self) -> Pricing:
        cost = self.funding_rate + self.operating_cost_rate
        if self.maximum_rate is not None and self.maximum_rate < cost:
            raise ValueError(f"maximum_rate {self.maximum_rate} lies below funding and operating cost, {cost:g}")
        return self


class Authority(Frozen):
    """A level of persons who may decide otherwise: up to which limit and grade, and over which decisions."""

    name: _Name
    largest_limit: Positive
    worst_grade: Annotated[str | None, unused()] = None
    sets_aside: Annotated[tuple[Stop, ...], Field(strict=False, min_length=1)]
    lifts_knock_outs: bool = False


class Advice(Frozen):
    """How a customer is told what would raise the grade: so many pieces, each of so many acts at once.

    A goal that fewer than `attained_by` of the reference have reached is asked of nobody; `never` names levers and
    features that are not advised; a search ends after `boxes`; `always` gives advice without being asked.
    """

    pieces: Annotated[int, Field(ge=1, le=3)] = 3
    acts: Annotated[int, Field(ge=1, le=3)] = 2
    attained_by: Share = 0.01
    boxes: Count = 20_000
    never: Annotated[tuple[str, ...], Field(strict=False)] = ()
    always: bool = False


class Policy(Frozen):
    """What the lender is willing to lose and to lend, to whom it is not, and at what price.

    A table that at least the share `expected_tables` of the model's reference has is missed where a customer has none
    of it: the decision is then flagged, and referred.
    """

    loss_given_default: Share
    loss_budget: Positive
    capacity_feature: str | None = None
    minimum_limit: NotNegative = 0.0
    below_minimum: Annotated[Stop | None, unused()] = None
    referral_band: Annotated[Band | None, unused()] = None
    knock_outs: Annotated[tuple[KnockOut, ...], unused(strict=False)] = ()
    pricing: Annotated[Pricing | None, unused()] = None
    authorities: Annotated[tuple[Authority, ...], unused(strict=False)] = ()
    advice: Annotated[Advice, unused(Advice())] = Advice()
    expected_tables: Annotated[Share, unused(0.99)] = 0.99

    def reads(self) -> tuple[str, ...]:
        """The features that the policy looks at, each once."""
        capacity = () if self.capacity_feature is None else (self.capacity_feature,)
        ruled = [rule.feature for rule in self.knock_outs if rule.feature is not None]
        return tuple(dict.fromkeys((*capacity, *ruled)))


def harsher(one: Decision, other: Decision) -> bool:
    """Whether `one` is harsher than `other`: decline than refer, refer than approve."""
    return _MILDEST_FIRST.index(one) > _MILDEST_FIRST.index(other)


def harshest(decisions: Sequence[Decision]) -> Decision:
    """The harshest of `decisions`."""
    return max(decisions, key=_MILDEST_FIRST.index)


def grade_of(grades: Sequence[Grade], default_probability: float) -> Grade:
    """The grade of a PD; one on a bound belongs to the worse grade."""
    return next(grade for grade in grades if grade.pd_below is None or default_probability < grade.pd_below)


def policy_problems(policy: Policy, grades: tuple[Grade, ...]) -> list[str]:
    """Why policy and masterscale do not hold together: every problem, each with its key."""
    problems = masterscale_problems(grades)
    if not problems:
        problems = _band_problems(policy.referral_band, grades) + _authority_problems(policy.authorities, grades)
    return problems + _twice("policy.knock_outs", [rule.name for rule in policy.knock_outs])


def masterscale_problems(grades: tuple[Grade, ...]) -> list[str]:
    """Why these grades are no masterscale: bounds rise, and a worse grade never earns more."""
    if len(grades) < 2:
        return ["grades: a masterscale needs at least two"]
    problems = []
    if grades[-1].pd_below is not None:
        problems.append(f"grades.{grades[-1].name}: the last grade takes every PD left, so it has no pd_below")
    for better, worse in itertools.pairwise(grades):
        if better.pd_below is None:
            problems.append(f"grades.{better.name}.pd_below: missing; only the last grade goes without")
        elif worse.pd_below is not None and worse.pd_below <= better.pd_below:
            problems.append(f"grades.{worse.name}.pd_below: {worse.pd_below} must rise above {better.pd_below}")
        for earned in ("terms_days", "limit_cap", "capacity_multiple"):
            if getattr(worse, earned) > getattr(better, earned):
                problems.append(f"grades.{worse.name}.{earned}: a worse grade may not earn more than {better.name}")
        if harsher(better.decision, worse.decision):
            problems.append(f"grades.{worse.name}.decision: {worse.decision!r} is milder than {better.decision!r}")
    return problems + _collateral_problems(grades) + _twice("grades", [grade.name for grade in grades])


def _collateral_problems(grades: tuple[Grade, ...]) -> list[str]:
    # A grade that declines grants nothing that could be secured.
    pairs = itertools.pairwise([grade for grade in grades if grade.decision != "decline"])
    return [
        f"grades.{worse.name}.collateral_share: a worse grade may not give less than {better.name}"
        for better, worse in pairs
        if (worse.collateral_share or 0.0) < (better.collateral_share or 0.0)
    ]


def _band_problems(band: Band | None, grades: tuple[Grade, ...]) -> list[str]:
    """A PD in the band is referred: no lower one may be declined already, no higher one still be approved."""
    if band is None:
        return []
    if not 0 <= band.low < band.high <= 1:
        return ["policy.referral_band: its bounds are PDs, between 0 and 1"]
    below = next(grade for grade in grades if grade.pd_below is None or band.low <= grade.pd_below)
    above = grade_of(grades, band.high)
    problems = []
    if below.decision == "decline":
        problems.append(
            f"policy.referral_band: grade {below.name} below {band.low} declines, and a worse PD is referred"
        )
    if above.decision == "approve":
        problems.append(f"policy.referral_band: grade {above.name} above {band.high} approves, and a better PD is not")
    return problems


def _authority_problems(authorities: tuple[Authority, ...], grades: tuple[Grade, ...]) -> list[str]:
    """From the lowest level to the highest, each may do more."""
    names = [grade.name for grade in grades]
    problems = _twice("policy.authorities", [level.name for level in authorities])
    problems += [
        f"policy.authorities.{level.name}.worst_grade: no grade {level.worst_grade!r}; there are {', '.join(names)}"
        for level in authorities
        if level.worst_grade is not None and level.worst_grade not in names
    ]
    if problems:
        return problems
    reach = {level.name: names.index(level.worst_grade or names[-1]) for level in authorities}
    for lower, higher in itertools.pairwise(authorities):
        where = f"policy.authorities.{higher.name}"
        if higher.largest_limit <= lower.largest_limit:
            problems.append(f"{where}.largest_limit: {higher.largest_limit} must rise above {lower.largest_limit}")
        if reach[higher.name] < reach[lower.name]:
            problems.append(f"{where}.worst_grade: must reach at least as far as that of {lower.name}")
        if not set(lower.sets_aside) <= set(higher.sets_aside) or lower.lifts_knock_outs > higher.lifts_knock_outs:
            problems.append(f"{where}: may not do what {lower.name}, a lower level, may")
    return problems


def _twice(where: str, names: list[str]) -> list[str]:
    return [f"{where}.{name}: named twice" for name in sorted({n for n in names if names.count(n) > 1})]
