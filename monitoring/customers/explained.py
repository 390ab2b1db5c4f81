"""Why a grade moved from one review to the next, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from configs.customers import ReviewRules
from features import matrix
from features.contracts import Columns
from monitoring.customers import reviewed
from monitoring.customers.migration import CAUSES, NEW
from monitoring.customers.reviewed import Reviewed
from monitoring.customers.rules import COMPARES
from serving.reasons import Grouping, principal_reasons
from serving.score import Scorer, Scores


@dataclass(frozen=True, slots=True)
class Moved:
    """Where grades stand now, (rows,), what moved them (places in CAUSES), and the facts that triggers looked at."""

    grade: np.ndarray
    cause: np.ndarray
    facts: Mapping[str, np.ndarray]


def why(
    scorer: Scorer,
    rules: ReviewRules,
    last: int,
    tables: Mapping[str, Columns],
    before: Reviewed,
    scores: Scores,
    moved: Moved,
) -> np.ndarray:
    """Why a grade moved, in words; empty where it did not. `last` is the day of the review before (days since 1970).

    The same model sees the facts of the last look and of today: what differs between the two explanations is what
    changed with the customer, not with the model.
    """
    told = np.full(len(moved.grade), "", object)
    rows = np.flatnonzero((moved.grade != before.grade) & (before.grade != NEW))
    if not len(rows):
        return told
    # What is noise between refits is none where one model explains both days.
    grouping = replace(scorer.grouping, least=(0.0,) * len(scorer.grouping.groups))
    looked = before.reviewed_on[rows]
    days = np.where(looked == reviewed.NO_DAY, last, looked).astype(np.int32)
    then = scorer.contributions(matrix.build(scorer.bundle.program, tables, before.customer_id[rows], days))
    now = scorer.contributions(scores.values[rows])
    for place, row in enumerate(rows.tolist()):
        worse = bool(moved.grade[row] > before.grade[row])
        said = _told(scorer, grouping, rules.reasons, now[place], now[place] - then[place], worse)
        if CAUSES[moved.cause[row]] == "trigger":
            said = [*_triggers_told(rules, moved.facts, row), *said]
        told[row] = "; ".join(said)
    return told


def _told(scorer: Scorer, grouping: Grouping, most: int, now: np.ndarray, change: np.ndarray, worse: bool) -> list[str]:
    sign = 1.0 if worse else -1.0
    factor = scorer.points_factor(now)
    reasons = principal_reasons(sign * change[:-1], scorer.bundle.program.features, factor, most, "en", grouping)
    lead = "" if worse else "less weight: "
    return [f"{lead}{reason.reason} ({-sign * reason.points:+.1f} points)" for reason in reasons]


def _triggers_told(rules: ReviewRules, facts: Mapping[str, np.ndarray], row: int) -> list[str]:
    return [
        f"{trigger.name}: {trigger.feature} is {facts[trigger.feature][row]:g}"
        for trigger in rules.triggers
        if COMPARES[trigger.operator](facts[trigger.feature][row], trigger.bound)
    ]
