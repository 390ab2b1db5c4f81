"""What a customer could do to be approved, or to reach the next grade: the cheapest changes, each proven by scoring it.

Advice says what the model would answer if this alone changed; it promises no decision in times to come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from configs.policy import Advice as Settings
from configs.settings import Product
from features.declaration import Feature
from features.levers import Unit, months_of
from serving.adviser import Adviser, Rail
from serving.policy import Grant
from serving.reasons import Language
from serving.recourse import Found, search

VERSION = 1  # of how advice is found; a decision keeps it, so that a replay can tell why it differs


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One act: the sentence, the features it moves, from what to which goal, over how many months they are measured."""

    told: str
    features: tuple[str, ...]
    now: float
    goal: float
    unit: Unit
    months: int = 0


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Acts that are enough together, what they cost (log-percentile shift), and the answer once they are done."""

    steps: tuple[Step, ...]
    cost: float
    default_probability: float
    points: float
    grade: str
    decision: Literal["approve", "refer", "decline"]
    limit: float


class Advised(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was looked for, the pieces of advice, any one of which is enough, and a sentence about them.

    `complete` is false where the search was ended by its budget: then there may be cheaper advice.
    """

    aim: Literal["approval", "grade", "none"]
    told: str
    grade: str | None = None
    advice: tuple[Advice, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to a row of features: PD, points, the grade's name and place on the masterscale, what is granted."""

    default_probability: float
    points: float
    grade: str
    place: int
    granted: Grant


@dataclass(frozen=True, slots=True)
class _Aim:
    kind: Literal["approval", "grade"]
    grade: str
    bound: float


def advise(
    adviser: Adviser | None,
    product: Product,
    features: tuple[Feature, ...],
    row: np.ndarray,
    judge: Callable[[np.ndarray], Judged],
    language: Language,
) -> Advised:
    """Advice for the customer of `row` (features,): approval first; where that is out of reach, the next grade.

    `judge` gives the answer to any row; nothing is advised that it does not confirm. `adviser` is None where the model
    is none whose trees can be told.
    """
    now, settings = judge(row), product.policy.advice
    aims = aims_of(product, now)
    if not aims:
        return Advised(aim="none", told=_BEST[language])
    if adviser is None:
        return Advised(aim="none", told=_UNKNOWN[language])
    complete = True
    for aim in aims:
        pieces, searched = _reach(adviser, settings, features, row, judge, aim, product.currency, language)
        complete = complete and searched
        if pieces:
            sure = all(piece.decision == "approve" for piece in pieces)
            approval = aim.kind == "approval" and sure
            told = _APPROVED[language] if approval else _GRADE[language].replace("{grade}", aim.grade)
            return Advised(
                aim="approval" if approval else "grade", told=told, grade=aim.grade, advice=pieces, complete=searched
            )
    said = (
        (_NOTHING if complete else _ENDED)[language]
        .replace("{grade}", aims[-1].grade)
        .replace("{acts}", str(settings.acts))
    )
    return Advised(aim=aims[-1].kind, told=said, grade=aims[-1].grade, complete=complete)


def aims_of(product: Product, now: Judged) -> tuple[_Aim, ...]:
    """What is worth reaching: a PD that is approved, where this one is not, and the next better grade."""
    found = []
    approving = [grade for grade in product.grades if grade.decision == "approve" and grade.pd_below is not None]
    band = product.policy.referral_band
    if approving:
        last = approving[-1]
        bound = last.pd_below if band is None else min(last.pd_below or 1.0, band.low)
        if bound is not None and now.default_probability >= bound:
            grade = next(one for one in approving if one.pd_below is not None and bound <= one.pd_below)
            found.append(_Aim("approval", grade.name, bound))
    if now.place > 0:
        better = product.grades[now.place - 1]
        if better.pd_below is not None and better.pd_below not in [aim.bound for aim in found]:
            found.append(_Aim("grade", better.name, better.pd_below))
    return tuple(found)


def _reach(
    adviser: Adviser,
    settings: Settings,
    features: tuple[Feature, ...],
    row: np.ndarray,
    judge: Callable[[np.ndarray], Judged],
    aim: _Aim,
    currency: str,
    language: Language,
) -> tuple[tuple[Advice, ...], bool]:
    ladders = adviser.ladders(row)
    acts = [rail.lever.act for rail in adviser.rails]
    target = adviser.targets[aim.bound]
    searched = search(adviser.trees, row, ladders, acts, target, settings.pieces, settings.acts, settings.boxes)
    pieces = []
    for found in searched.found:
        goals = [float(ladders.goals[ladders.first[at] + k]) for at, k in zip(found.levers, found.places, strict=True)]
        rails = [adviser.rails[lever] for lever in found.levers]
        changed = moved(row, rails, goals)
        then = judge(changed)
        if then.default_probability < aim.bound:
            steps = [_step(r, g, row, changed, features, currency, language) for r, g in zip(rails, goals, strict=True)]
            pieces.append(_piece(tuple(steps), found, then))
    return tuple(pieces), searched.exhaustive


def moved(row: np.ndarray, rails: list[Rail], goals: list[float]) -> np.ndarray:
    """`row` (features,) with each lever at its goal: a feature that is better already, or missing, stays."""
    changed = row.copy()
    for rail, goal in zip(rails, goals, strict=True):
        for place, scale in zip(rail.features, rail.scale.tolist(), strict=True):
            if rail.way * (goal * scale - changed[place]) > 0:
                changed[place] = goal * scale
    return changed


def _piece(steps: tuple[Step, ...], found: Found, then: Judged) -> Advice:
    return Advice(
        steps=steps,
        cost=round(found.cost, 6),
        default_probability=then.default_probability,
        points=round(then.points, 2),
        grade=then.grade,
        decision=then.granted.decision,
        limit=then.granted.limit,
    )


def _step(
    rail: Rail,
    goal: float,
    row: np.ndarray,
    changed: np.ndarray,
    features: tuple[Feature, ...],
    currency: str,
    language: Language,
) -> Step:
    moves = [
        (features[place], row[place] / scale)
        for place, scale in zip(rail.features, rail.scale.tolist(), strict=True)
        if changed[place] != row[place] and row[place] == row[place]
    ]
    now = float((max if rail.way < 0 else min)(value for _, value in moves))
    months, lever = max(months_of(feature.formula) for feature, _ in moves), rail.lever
    told = lever.told_zh if language == "zh" else lever.told
    said = told.replace("{goal}", number(goal, lever.unit, currency, language))
    return Step(
        told=said + _from(number(now, lever.unit, currency, language), months, language),
        features=tuple(feature.name for feature, _ in moves),
        now=now,
        goal=goal,
        unit=lever.unit,
        months=months,
    )


def number(value: float, unit: Unit, currency: str, language: Language) -> str:
    """A number with its unit, as a customer reads it: 0.42 as `42 %`, 1 day as `1 day`."""
    if unit == "percent":
        return f"{round(value * 100, 1):g} %" if language == "en" else f"{round(value * 100, 1):g}%"
    if unit == "money":
        return f"{currency} {value:,.0f}"
    plain = f"{round(value, 1):g}" if unit != "number" else f"{round(value, 6):g}"
    if unit == "number":
        return plain
    if language == "zh":
        return plain + {"days": "天", "months": "个月", "times": "倍"}[unit]
    return f"{plain} {unit[:-1] if plain == '1' and unit != 'times' else unit}"


def _from(now: str, months: int, language: Language) -> str:
    if language == "zh":
        return f"（目前{now}{f'，按近{months}个月计' if months else ''}）"
    return f" (now {now}{f', measured over {months} months' if months else ''})"


_APPROVED = {
    "en": "Any one of these would lead to approval, if nothing else changes",
    "zh": "在其他情况不变时，做到以下任意一项即可获批",
}
_GRADE = {
    "en": "Any one of these would lead to grade {grade}, if nothing else changes",
    "zh": "在其他情况不变时，做到以下任意一项即可达到{grade}级",
}
_BEST = {"en": "There is no better grade to reach", "zh": "已是最高等级"}
_UNKNOWN = {"en": "No advice can be given with this model", "zh": "此模型无法提供建议"}
_NOTHING = {
    "en": "Nothing that can be changed here, up to {acts} things at once, would lead to grade {grade}",
    "zh": "在可改变的事项中（最多同时{acts}项），没有能达到{grade}级的办法",
}
_ENDED = {
    "en": "No advice was found in the time there is; there may be some",
    "zh": "在限定的搜索范围内未找到建议，但不排除存在",
}
