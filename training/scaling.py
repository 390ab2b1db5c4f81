"""Points and grades: the same risk on the scales that people read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from configs.settings import Grade
from configs.settings import Scaling as ScalingSettings


@dataclass(frozen=True, slots=True)
class Scale:
    """Points = offset - factor x log-odds of default; factor = PDO / ln 2 (Siddiqi, 2006, ch. 6).

    With base 600 at odds 50 and PDO 20, odds of 50 goods to a bad give 600 points, odds of 100 give 620.
    `names` are the grades from best to worst, `pd_below` their upper bounds, one fewer.
    """

    offset: float
    factor: float
    names: tuple[str, ...]
    pd_below: tuple[float, ...]

    def points(self, log_odds: np.ndarray) -> np.ndarray:
        """Points of log-odds of default, not rounded; more points, less risk."""
        return self.offset - self.factor * log_odds

    def log_odds(self, points: np.ndarray) -> np.ndarray:
        """The log-odds of default that `points` stand for."""
        return (self.offset - points) / self.factor

    def default_probability(self, points: np.ndarray) -> np.ndarray:
        """The PD that `points` stand for; `points(logit(PD))` gives them back, to the cent over 1,000 points."""
        return expit(self.log_odds(points))

    def grade_index(self, default_probability: np.ndarray) -> np.ndarray:
        """The position in `names`; a PD on a bound belongs to the worse grade."""
        return np.searchsorted(np.array(self.pd_below), default_probability, side="right")

    def grade(self, default_probability: float) -> str:
        """The grade's name."""
        return self.names[int(self.grade_index(np.array(default_probability)))]


def make_scale(settings: ScalingSettings, grades: tuple[Grade, ...]) -> Scale:
    """The scale of a product file."""
    factor = settings.points_to_double_odds / np.log(2)
    return Scale(
        offset=float(settings.base_points - factor * np.log(settings.base_odds)),
        factor=float(factor),
        names=tuple(grade.name for grade in grades),
        pd_below=tuple(grade.pd_below for grade in grades if grade.pd_below is not None),
    )
