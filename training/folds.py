"""How good are these parameters out of fold? Folds binned once for all trials, trained side by side, left when told."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.special import entr, logit, xlogy

from configs.settings import Training
from features.declaration import Feature
from training.dataset import Dataset, customer_draw
from training.fit import fixed_parameters, raw_score, to_lightgbm
from training.line_loss import LineLoss

QUICK = {"learning_rate": 0.1}  # of every trial
_SLOW_RATE = 0.03  # of the model
_PERIOD_DEFAULTS = 20
_LOOKED_AT = 5  # rounds: what a line costs is then lost beside what trees cost
_SMALLEST = 1e-15  # PD that still has log-odds


@dataclass(frozen=True, slots=True)
class Judged:
    """What one fold showed at its best round: log-loss and log-odds (rows,) of the best line, and the trees."""

    log_loss: float
    rounds: int
    log_odds: np.ndarray


@dataclass(frozen=True, slots=True)
class Rows:
    """What the tuner needs of a dataset, fit to be sent to another process."""

    features: tuple[Feature, ...]
    matrix: np.ndarray
    defaulted: np.ndarray
    kin: np.ndarray
    as_of: np.ndarray

    @classmethod
    def of(cls, data: Dataset) -> Rows:
        """All rows of `data`."""
        return cls(data.program.features, data.matrix, data.defaulted, data.kin(), data.as_of)

    def __len__(self) -> int:
        return len(self.defaulted)


class Folds:
    """The rows the tuner may see, in folds by customer and group, each a pair of LightGBM datasets.

    Trials are judged, and stopped, by the log-loss of the best line through their scores: what calibration mends
    later must not speak against trees that rank well. Where only some rows shall teach or judge, `learns` and `judges`
    (rows,) mark them.
    """

    def __init__(
        self, data: Rows, settings: Training, learns: np.ndarray | None = None, judges: np.ndarray | None = None
    ) -> None:
        self.settings = settings
        self._data = data
        self._period = periods(data.as_of, data.defaulted)
        cores = settings.threads or os.cpu_count() or 1
        # A fold to each core: threads inside a small tree wait for each other longer than they work.
        self._side_by_side = min(cores, settings.folds)
        fixed = fixed_parameters(data.features, settings.seed, cores // self._side_by_side)
        # Column by column, the features a tree does not draw cost nothing: a fifth less time, the same trees.
        self._fixed = {**fixed, "force_row_wise": False, "force_col_wise": True}
        fold = fold_of(data.kin, data.defaulted, settings.folds, settings.seed)
        everyone = np.ones(len(data), bool)
        learning = np.where(everyone if learns is None else learns, fold, -1)
        judging = np.where(everyone if judges is None else judges, fold, -1)
        self.judged_rows = [np.flatnonzero(judging == number) for number in range(settings.folds)]
        self.pairs = [self._pair(data, learning, number) for number in range(settings.folds)]

    def _pair(self, data: Rows, fold: np.ndarray, number: int) -> tuple[lgb.Dataset, lgb.Dataset]:
        learn, judge = np.flatnonzero((fold != number) & (fold >= 0)), self.judged_rows[number]
        learned = to_lightgbm(data.matrix[learn], data.defaulted[learn], data.features)
        judged = to_lightgbm(data.matrix[judge], data.defaulted[judge], data.features, learned)
        return learned.construct(), judged.construct()

    def judge(self, params: Mapping[str, Any]) -> Generator[Judged, None, None]:
        """Fold by fold, in order, the same trees with any number of threads; closed early, it leaves the rest.

        Trees are as many as the settings allow of that many leaves: no model is larger than reasons can bear.
        """
        leave = threading.Event()
        waiting: deque[Future[Judged]] = deque()
        left = iter(range(len(self.pairs)))
        with ThreadPoolExecutor(self._side_by_side) as pool:
            try:
                for _ in self.pairs:
                    while len(waiting) < self._side_by_side and (number := next(left, None)) is not None:
                        waiting.append(pool.submit(self._judge, number, params, leave))
                    yield waiting.popleft().result()
            finally:
                leave.set()

    def _judge(self, number: int, params: Mapping[str, Any], leave: threading.Event) -> Judged:
        def leaves_when_told(_: Any) -> None:
            if leave.is_set():
                raise _Left

        learned, judged = self.pairs[number]
        best = _BestLine(self._data.defaulted[self.judged_rows[number]])
        lgb.train(
            {**self._fixed, **params, "metric": "None"},
            learned,
            num_boost_round=most_rounds(self.settings, params["num_leaves"]),
            valid_sets=[judged],
            feval=best,
            callbacks=[lgb.early_stopping(self.settings.early_stopping_rounds, verbose=False), leaves_when_told],
        )
        return Judged(best.log_loss, best.rounds, best.log_odds)

    def out_of_fold(self, params: Mapping[str, Any], rounds: int) -> np.ndarray:
        """Raw scores of all rows, (rows,), each by `rounds` trees that never saw its customer or group."""

        def scored(number: int) -> np.ndarray:
            booster = lgb.train({**self._fixed, **params}, self.pairs[number][0], num_boost_round=rounds)
            return raw_score(booster, self._data.matrix[self.judged_rows[number]], self._fixed["num_threads"])

        score = np.empty(len(self._data))
        with ThreadPoolExecutor(self._side_by_side) as pool:
            for rows, told in zip(self.judged_rows, pool.map(scored, range(len(self.pairs))), strict=True):
                score[rows] = told
        return score

    @property
    def judges_time(self) -> bool:
        """Whether there is time to be stable over, and whether it counts."""
        return self.settings.stability_weight > 0 and bool(self._period.max() > 0)

    def spread(self, judged: Sequence[Judged]) -> float:
        """The spread over time of the log-losses of all folds; 0 where time does not count."""
        if not self.judges_time:
            return 0.0
        log_odds = np.empty(len(self._data))
        for rows, fold in zip(self.judged_rows, judged, strict=True):
            log_odds[rows] = fold.log_odds
        return spread_over_time(log_odds, self._data.defaulted, self._period)


class _BestLine:
    """LightGBM's measure of a fold: the log-loss of the best line, looked at every fifth round; keeps the least."""

    def __init__(self, defaulted: np.ndarray) -> None:
        self._line = LineLoss(defaulted)
        self._round = 0
        self.log_loss, self.rounds, self.log_odds = np.inf, 0, self._line.log_odds

    def __call__(self, predicted: np.ndarray, _: lgb.Dataset) -> tuple[str, float, bool]:
        if self._round % _LOOKED_AT == 0:
            self._last = self._line(logit(np.clip(predicted, _SMALLEST, 1 - _SMALLEST)))
            if self._last < self.log_loss:
                self.log_loss, self.rounds, self.log_odds = self._last, self._round + 1, self._line.log_odds
        self._round += 1
        return "line_log_loss", self._last, False


class _Left(Exception):
    """A fold that nobody waits for any more."""


def most_rounds(settings: Training, num_leaves: int) -> int:
    """The most trees of so many leaves that a model may have."""
    return max(1, min(settings.max_rounds, settings.maximum_leaves // num_leaves))


def slowed(params: Mapping[str, Any], rounds: int, settings: Training) -> tuple[dict[str, Any], int]:
    """The same trees learnt more slowly, which generalises better: rate x trees stays (Friedman, 2001, section 5).

    As slow as the bound on leaves allows a fit on all rows to be.
    """
    learned = rounds * params["learning_rate"]
    most = most_rounds(settings, params["num_leaves"])
    rate = min(max(_SLOW_RATE, learned * _of_all(settings) / most), params["learning_rate"])
    return {**params, "learning_rate": rate}, max(1, round(learned / rate))


def rounds_of_all(rounds: int, settings: Training, num_leaves: int) -> int:
    """Trees for a fit on all rows where folds, which learn from fewer, needed `rounds`.

    In step with the root of the rows: with as many trees the scores of all rows are less spread than those out of fold
    that calibrate them, with trees in step with the rows more. Measured on German credit and Polish companies.
    """
    return min(round(rounds * _of_all(settings)), most_rounds(settings, num_leaves))


def _of_all(settings: Training) -> float:
    """How many more trees all rows bear than those a fold learns from."""
    return math.sqrt(settings.folds / (settings.folds - 1))


def fold_of(kin: np.ndarray, defaulted: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row, (rows,): kin together, defaults and rows dealt evenly, whatever the order of the rows."""
    names, member = np.unique(kin.astype(str), return_inverse=True)
    bads, rows = np.bincount(member, defaulted), np.bincount(member)
    dealt = np.lexsort((customer_draw(names, seed), -rows, -bads))
    fold = np.empty(len(names), int)
    # There and back: dealt always from the first on, the first would have the larger of each round.
    turn = np.arange(len(names)) % (2 * folds)
    fold[dealt] = np.minimum(turn, 2 * folds - 1 - turn)
    return fold[member]


def periods(as_of: np.ndarray, defaulted: np.ndarray) -> np.ndarray:
    """The period of each row, (rows,) from 0: dates in order, joined until each has 20 defaults to be judged by."""
    dates, place = np.unique(as_of, return_inverse=True)
    period, bads = np.zeros(len(dates), int), np.bincount(place, defaulted)
    current, have = 0, 0.0
    for number, bad in enumerate(bads):
        period[number] = current
        have += bad
        if have >= _PERIOD_DEFAULTS and bads[number + 1 :].sum() >= _PERIOD_DEFAULTS:
            current, have = current + 1, 0.0
    return period[place]


def log_losses(log_odds: np.ndarray, defaulted: np.ndarray) -> np.ndarray:
    """The log-loss of each row, (rows,)."""
    return np.asarray(np.logaddexp(0, log_odds) - defaulted * log_odds)


def spread_over_time(log_odds: np.ndarray, defaulted: np.ndarray, period: np.ndarray) -> float:
    """Standard deviation over periods of log-loss / entropy of the period's default rate, times the entropy of all.

    In units of log-loss. The entropy takes out that a bad year is harder to foretell; a period counts by its rows.
    """
    loss = log_losses(log_odds, defaulted)
    rows = np.bincount(period)
    share = np.bincount(period, defaulted) / rows
    entropy = entr(share) + entr(1 - share)
    told = entropy > 0  # of a period without defaults there is nothing to foretell
    relative = np.bincount(period, loss)[told] / rows[told] / entropy[told]
    rows = rows[told]
    mean = float(np.average(relative, weights=rows))
    base = float(defaulted.mean())
    return float(
        np.sqrt(np.average((relative - mean) ** 2, weights=rows)) * -(xlogy(base, base) + xlogy(1 - base, 1 - base))
    )
