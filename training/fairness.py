"""Whether a model and its cut-off treat groups alike, on rows that taught neither. Lights are policy, not regulation.

Calibration within groups and equal error rates cannot both hold where base rates differ (Kleinberg, Mullainathan and
Raghavan, 2017; Chouldechova, 2017): both are shown, and policy chooses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import logit

from configs.settings import Fairness as Bounds
from configs.settings import Grade
from training import readings
from training.backtests import jeffreys_p
from training.parity import fisher_p, impact_ratio, standardised_difference, wilson
from training.protected import UNKNOWN
from training.readings import Judged, Light, Reading, worst
from training.validate import Interval, calibration_line, observed_to_expected


@dataclass(frozen=True, slots=True)
class GroupReport:
    """One group. What compares it with the reference is None for the reference itself, and where rows are too few.

    `score_difference` is positive where the group scores better (lower PDs). `approve_gap_goods` is the equal
    opportunity difference (Hardt, Price and Srebro, 2016), `approve_gap_bads` the gap of false positives, where an
    approval is the positive answer.
    """

    group: str
    rows: int
    approved: int
    defaults: int
    mean_pd: float
    approve_rate: Interval
    impact_ratio: Reading | None
    fisher_p: float | None
    score_difference: Reading | None
    approve_gap_goods: Reading | None
    approve_gap_bads: Reading | None
    observed_to_expected: Reading | None
    calibration_slope: Interval | None
    jeffreys_p: float | None
    auc: Reading | None
    light: Light


@dataclass(frozen=True, slots=True)
class AttributeReport:
    """One protected attribute: its groups, the reference first; `unknown_rows` are those with no group recorded."""

    attribute: str
    reference: str
    unknown_rows: int
    groups: tuple[GroupReport, ...]
    light: Light


@dataclass(frozen=True, slots=True)
class Fairness:
    """The report, with the thresholds its lights were set by."""

    rows: int
    attributes: tuple[AttributeReport, ...]
    light: Light
    thresholds: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is missing is null. `basis` says what a light is."""
        return {"basis": "policy, not regulation", **plain(asdict(self))}

    def table(self) -> list[dict[str, str]]:
        """One row of words for each group: what a report shows."""
        return [_row(part.attribute, part.reference, group) for part in self.attributes for group in part.groups]


def plain(value: Any) -> Any:
    """Tuples as lists, and numbers that are not finite as None: JSON has neither."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def approved_by_policy(default_probability: np.ndarray, grades: Sequence[Grade]) -> np.ndarray:
    """Whether the grade of each PD is one that approves, (rows,) bool; a referral is no approval."""
    bounds = np.array([grade.pd_below for grade in grades if grade.pd_below is not None])
    approves = np.array([grade.decision == "approve" for grade in grades])
    return approves[np.searchsorted(bounds, default_probability, side="right")]


def assess(
    default_probability: np.ndarray,
    defaulted: np.ndarray,
    approved: np.ndarray,
    groups: Mapping[str, np.ndarray],
    bounds: Bounds,
) -> Fairness:
    """PDs, outcomes and decisions (rows,) held against the group of each row, (rows,) by attribute.

    The reference is the largest group of an attribute, so that it stays the same from model to model; ratios are
    judged both ways, so that it may be the disadvantaged one. The rows should be of different persons.
    """
    score = np.clip(default_probability, 1e-15, 1 - 1e-15)
    judged = Judged(score, defaulted.astype(bool), approved.astype(bool))
    attributes = tuple(_attribute(name, labels, judged, bounds) for name, labels in groups.items())
    thresholds = bounds.model_dump()
    return Fairness(len(defaulted), attributes, worst(part.light for part in attributes), thresholds)


def largest_group(labels: np.ndarray) -> str | None:
    """The reference: the group with most rows, the first by name among equals; None where no row has a group."""
    names, counts = np.unique(labels[labels != UNKNOWN].astype(str), return_counts=True)
    return str(names[counts.argmax()]) if len(names) else None


def _attribute(name: str, labels: np.ndarray, judged: Judged, bounds: Bounds) -> AttributeReport:
    reference = largest_group(labels)
    if reference is None:
        return AttributeReport(name, "", len(labels), (), "not measured")
    others = sorted(set(labels) - {UNKNOWN, reference})
    base = judged.take(labels == reference)
    groups = [_group(reference, base, None, bounds)]
    groups += [_group(other, judged.take(labels == other), base, bounds) for other in others]
    unknown = int((labels == UNKNOWN).sum())
    return AttributeReport(name, reference, unknown, tuple(groups), worst(group.light for group in groups))


def _group(name: str, own: Judged, base: Judged | None, bounds: Bounds) -> GroupReport:
    approved, defaults = int(own.approved.sum()), int(own.bad.sum())
    mean_pd, enough = float(own.default_probability.mean()), len(own) >= bounds.smallest_cell
    both = min(defaults, len(own) - defaults) >= bounds.smallest_cell
    compared = _compared(own, base, bounds) if base is not None else _Compared()
    ratio = readings.calibration(observed_to_expected(defaults, len(own), mean_pd), bounds) if enough else None
    auc = readings.discrimination(own, base, bounds) if both else None
    measured = (
        compared.impact,
        compared.score,
        compared.among_goods,
        compared.among_bads,
        ratio,
        auc,
    )
    return GroupReport(
        group=name,
        rows=len(own),
        approved=approved,
        defaults=defaults,
        mean_pd=mean_pd,
        approve_rate=wilson(approved, len(own)),
        impact_ratio=compared.impact,
        fisher_p=compared.fisher_p,
        score_difference=compared.score,
        approve_gap_goods=compared.among_goods,
        approve_gap_bads=compared.among_bads,
        observed_to_expected=ratio,
        calibration_slope=calibration_line(own.default_probability, own.bad)[1] if both else None,
        jeffreys_p=jeffreys_p(mean_pd, defaults, len(own)) if enough else None,
        auc=auc,
        light=worst(reading.light for reading in measured if reading is not None),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    impact: Reading | None = None
    fisher_p: float | None = None
    score: Reading | None = None
    among_goods: Reading | None = None
    among_bads: Reading | None = None


def _compared(own: Judged, base: Judged, bounds: Bounds) -> _Compared:
    if min(len(own), len(base)) < bounds.smallest_cell:
        return _Compared()
    counts = (int(own.approved.sum()), len(own), int(base.approved.sum()), len(base))
    p_value = fisher_p(*counts)
    ratio = impact_ratio(*counts)
    score = standardised_difference(-logit(own.default_probability), -logit(base.default_probability))
    return _Compared(
        impact=readings.impact(ratio, p_value, bounds),
        fisher_p=p_value,
        score=readings.far(score, bounds.score_difference_watch, bounds.score_difference_flag),
        among_goods=readings.gap(own.take(~own.bad), base.take(~base.bad), bounds),
        among_bads=readings.gap(own.take(own.bad), base.take(base.bad), bounds),
    )


def _row(attribute: str, reference: str, group: GroupReport) -> dict[str, str]:
    return {
        "attribute": attribute,
        "group": f"{group.group} (reference)" if group.group == reference else group.group,
        "rows": f"{group.rows:,}",
        "approved": f"{group.approve_rate.value:.1%}",
        "impact ratio": _told(group.impact_ratio),
        "p": "" if group.fisher_p is None else f"{group.fisher_p:.3g}",
        "score difference": _told(group.score_difference),
        "gap among goods": _told(group.approve_gap_goods),
        "gap among bads": _told(group.approve_gap_bads),
        "observed / expected": _told(group.observed_to_expected),
        "AUC": _told(group.auc),
        "light": group.light,
    }


def _told(reading: Reading | None) -> str:
    return "" if reading is None else f"{reading.value:.2f} ({reading.low:.2f} to {reading.high:.2f})"
