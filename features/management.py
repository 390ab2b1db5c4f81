"""Management: a small scored questionnaire, ordered answers, monotone."""

from __future__ import annotations

from functools import partial

from features.declaration import Expression, Feature, StreamReference, feature

management = partial(feature, "management")


@management(
    unit="level",
    risk="falls",
    reason="Management has little experience in the trade",
    reason_zh="管理层行业经验不足",
    low=1,
    high=5,
)
def experience_level(questionnaires: StreamReference) -> Expression:
    """Last answered level of the item experience, 1 weak to 5 strong."""
    return questionnaires.experience.last()


@management(
    unit="level",
    risk="falls",
    reason="Governance and controls are weak",
    reason_zh="治理与内控较弱",
    low=1,
    high=5,
)
def governance_level(questionnaires: StreamReference) -> Expression:
    """Last answered level of the item governance, 1 weak to 5 strong."""
    return questionnaires.governance.last()


@management(
    unit="level",
    risk="falls",
    reason="Staff is small or changes often",
    reason_zh="人员不足或流动较大",
    low=1,
    high=5,
)
def staff_level(questionnaires: StreamReference) -> Expression:
    """Last answered level of the item staff, 1 weak to 5 strong."""
    return questionnaires.staff.last()


@management(
    unit="level",
    risk="falls",
    reason="Information systems are weak",
    reason_zh="信息化水平较低",
    low=1,
    high=5,
)
def information_systems_level(questionnaires: StreamReference) -> Expression:
    """Last answered level of the item information_systems, 1 weak to 5 strong."""
    return questionnaires.information_systems.last()


@management(
    unit="level",
    risk="falls",
    reason="Plans and budgets are weak",
    reason_zh="计划与预算管理较弱",
    low=1,
    high=5,
)
def planning_level(questionnaires: StreamReference) -> Expression:
    """Last answered level of the item planning, 1 weak to 5 strong."""
    return questionnaires.planning.last()


@management(
    unit="level",
    risk="falls",
    reason="The assessment of management is weak",
    reason_zh="管理评价整体偏弱",
    low=1,
    high=5,
)
def management_level(questionnaires: StreamReference) -> Expression:
    """Mean of the last levels of all five items; missing if one was never answered."""
    return (
        questionnaires.experience.last()
        + questionnaires.governance.last()
        + questionnaires.staff.last()
        + questionnaires.information_systems.last()
        + questionnaires.planning.last()
    ) / 5


@management(
    unit="level",
    risk="falls",
    reason="One part of management is assessed as weak",
    reason_zh="管理存在明显短板",
    low=1,
    high=5,
)
def management_weakest_level(questionnaires: StreamReference) -> Expression:
    """Lowest of the last levels of all five items; missing if one was never answered."""
    return (
        questionnaires.experience.last()
        .at_most(questionnaires.governance.last())
        .at_most(questionnaires.staff.last())
        .at_most(questionnaires.information_systems.last())
        .at_most(questionnaires.planning.last())
    )


@management(
    unit="levels",
    risk="falls",
    reason="Governance was assessed worse than before",
    reason_zh="治理评价较前次下降",
)
def governance_change(questionnaires: StreamReference) -> Expression:
    """Last level of the item governance less the one before."""
    return questionnaires.governance.last() - questionnaires.governance.previous()


@management(
    unit="days",
    risk="unknown",
    reason="The assessment of management is old",
    reason_zh="管理评估时间较久",
    low=0,
)
def days_since_assessment(questionnaires: StreamReference) -> Expression:
    """Days since the last answer: how old the assessment is."""
    return questionnaires.rows.days_since_last()


FEATURES: tuple[Feature, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Feature))
