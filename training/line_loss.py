"""How well raw scores could do once calibrated: their log-loss under the best logistic line through them."""

from __future__ import annotations

import numpy as np
from scipy.special import entr, expit, log_expit

_STEPS = 25
_CLOSE = 1e-7  # in log-loss: what a step must gain to be followed by another
_RIDGE = 1e-9  # of the curvature, where it is flat: scores that part goods and bads without error


class LineLoss:
    """Mean log-loss of outcomes (rows,) under the line of Platt (1999) that fits them best, by Newton's method.

    Scores in the making change little from one tree to the next, so each call goes on from the line of the last.
    """

    def __init__(self, defaulted: np.ndarray) -> None:
        self._bad = defaulted.astype(np.float64)
        share = float(self._bad.mean())
        self._nothing_known = float(entr(share) + entr(1 - share))
        self._line = np.array([np.log(max(share, 1e-12) / max(1 - share, 1e-12)), 1.0])
        self.log_odds = np.full(len(self._bad), self._line[0])

    def __call__(self, raw_score: np.ndarray) -> float:
        """The log-loss of `raw_score` (rows,); where the line does not rise, that of the default rate told to all.

        `log_odds` (rows,) are then those of the line.
        """
        spread = float(raw_score.std())
        if spread > 0:
            score = (raw_score - raw_score.mean()) / spread
            loss, self._line = _descended(self._line, score, self._bad)
            if self._line[1] > 0:
                self.log_odds = self._line[0] + self._line[1] * score
                return loss
        share = self._bad.mean()
        self._line = np.array([np.log(share / (1 - share)), 1.0]) if 0 < share < 1 else self._line
        self.log_odds = np.full(len(self._bad), self._line[0])
        return self._nothing_known


def _descended(line: np.ndarray, score: np.ndarray, bad: np.ndarray) -> tuple[float, np.ndarray]:
    """The least log-loss and its line (intercept, slope), from `line` downhill."""
    loss = _loss(line, score, bad)
    for _ in range(_STEPS):
        step = _step(line, score, bad)
        while (new := _loss(line - step, score, bad)) > loss and np.abs(step).max() > _CLOSE:
            step /= 2
        if new > loss:
            break
        gained, loss, line = loss - new, new, line - step
        if gained < _CLOSE:
            break
    return loss, line


def _loss(line: np.ndarray, score: np.ndarray, bad: np.ndarray) -> float:
    log_odds = line[0] + line[1] * score
    return float((-log_expit(-log_odds) - bad * log_odds).mean())


def _step(line: np.ndarray, score: np.ndarray, bad: np.ndarray) -> np.ndarray:
    told = expit(line[0] + line[1] * score)
    missed, weight = told - bad, told * (1 - told)
    a, b, c = weight.sum() + _RIDGE, weight @ score, weight @ score**2 + _RIDGE
    down, along = missed.sum(), missed @ score
    return np.array([c * down - b * along, a * along - b * down]) / (a * c - b * b)
