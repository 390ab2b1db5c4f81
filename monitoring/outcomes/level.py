"""Whether PDs are still right on matured outcomes: their level, their slope, and the shift that mends it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from training.calibrate import intercept_shift
from training.validate import Interval, calibration_line, observed_to_expected


@dataclass(frozen=True, slots=True)
class Level:
    """`ratio`: defaults observed over expected; `slope`: of logit(outcome) on logit(PD) (Cox, 1958); `shift`: what
    added to every log-odds of default brings the mean PD to the default rate. `taught_by` defaults set the level.
    """

    defaults: int
    ratio: Interval
    slope: Interval
    promised_slope: Interval
    shift: float
    taught_by: int


def level_of(
    default_probability: np.ndarray, bad: np.ndarray, promised_slope: Interval, taught_by: int
) -> Level | None:
    """The level of PDs (rows,) against what became of them (rows,) bool; None without a default and a good."""
    if not bad.any() or bad.all():
        return None
    pds = np.clip(default_probability, 1e-15, 1 - 1e-15)
    return Level(
        defaults=int(bad.sum()),
        ratio=observed_to_expected(int(bad.sum()), len(bad), float(pds.mean())),
        slope=calibration_line(pds, bad)[1],
        promised_slope=promised_slope,
        shift=intercept_shift(logit(pds), bad.astype(float)).intercept,
        taught_by=taught_by,
    )
