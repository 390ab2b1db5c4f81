"""How much of what a version says did chance decide? The same model under other seeds, beside the one that is kept.

Trees draw rows and columns. Another seed draws others, and nothing says which draw is right: a grade or a first reason
that it changes was not told by the data. Beside it stands the larger spread, that of other draws of the customers.
Lights are policy, not regulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import logit

from configs.settings import SeedStability
from training.lights import BASIS, Light, at_least, at_most, worst
from training.scaling import Scale
from training.validate import auc_interval


@dataclass(frozen=True, slots=True)
class Spread:
    """What `refits` of a model say otherwise than it does, on rows that taught it nothing.

    `grades_moved` is the share of rows and refits whose grade is another, `far` by more than one grade.
    `pd_deviation` is the standard deviation of a row's PD over the model and its refits, root mean square over rows;
    `points_deviation` the same of its points, `auc_deviation` that of the AUC. `first_reason_kept` is the share of
    rows and refits whose first reason is the model's.
    """

    refits: int
    grades_moved: float
    grades_moved_far: float
    pd_deviation: float
    points_deviation: float
    auc_deviation: float
    first_reason_kept: float


@dataclass(frozen=True, slots=True)
class Scored:
    """What one fit says: PDs (rows,), and by each reason what it adds to the log-odds (explained rows, reasons)."""

    default_probability: np.ndarray
    added: np.ndarray


def spread(own: Scored, others: Sequence[Scored], bad: np.ndarray, scale: Scale) -> Spread | None:
    """What `others` say otherwise than `own`; None without others."""
    if not others:
        return None
    pds = np.stack([own.default_probability, *(one.default_probability for one in others)])
    grades = scale.grade_index(pds)
    away = np.abs(grades[1:] - grades[0])
    points = scale.points(logit(np.clip(pds, 1e-15, 1 - 1e-15)))
    aucs = [auc_interval(one, bad.astype(bool)).value for one in pds]
    kept = [(_first(one.added) == _first(own.added)).mean() for one in others]
    return Spread(
        refits=len(others),
        grades_moved=float((away > 0).mean()),
        grades_moved_far=float((away > 1).mean()),
        pd_deviation=_deviation(pds),
        points_deviation=_deviation(points),
        auc_deviation=float(np.std(aucs, ddof=1)),
        first_reason_kept=float(np.mean(kept)),
    )


def _first(added: np.ndarray) -> np.ndarray:
    """The reason that raises the PD most, by row; -1 where none does."""
    return np.where(added.max(1) > 0, added.argmax(1), -1)


def _deviation(values: np.ndarray) -> float:
    return float(np.sqrt(values.var(0, ddof=1).mean()))


def stability(by_seed: Spread | None, by_customers: Spread | None, bounds: SeedStability) -> dict[str, Any]:
    """The section `seed_stability` of training.json. The light is that of the seeds; grey where none was tried."""
    return {
        "light": _light(by_seed, bounds),
        "seeds": None if by_seed is None else asdict(by_seed),
        "customers": None if by_customers is None else asdict(by_customers),
        "bounds": bounds.model_dump(),
        "basis": BASIS,
    }


def _light(found: Spread | None, bounds: SeedStability) -> Light:
    if found is None:
        return "grey"
    moved = at_most(found.grades_moved, bounds.moved_amber, bounds.moved_red)
    return worst([moved, at_least(found.first_reason_kept, bounds.agreement_amber, bounds.agreement_red)])


def told(found: Mapping[str, Any]) -> str:
    """One sentence for people."""
    seeds = found["seeds"]
    if seeds is None:
        return "Not measured: seed_stability.seeds is 0"
    return (
        f"Under {seeds['refits']} other seeds {seeds['grades_moved']:.1%} of grades move, "
        f"{seeds['grades_moved_far']:.1%} by more than one, {seeds['first_reason_kept']:.1%} of first reasons stay; "
        f"points differ by {seeds['points_deviation']:.1f}, PDs by {seeds['pd_deviation']:.4f}"
    )
