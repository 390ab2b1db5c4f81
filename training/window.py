"""How far back outcomes still teach: all of them, unless the newest say beyond doubt that older ones mislead."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import DataError
from configs.settings import Training
from features.contracts import iso
from training import study
from training.dataset import Dataset, is_test, split
from training.folds import QUICK, Folds, Rows

_MONTH = 365.25 / 12  # days
_BEYOND_DOUBT = 1.645  # standard errors, one-sided 95 %


@dataclass(frozen=True, slots=True)
class Tried:
    """One way to look back: `months` before the newest as_of, None for all of it, and what it taught about the newest.

    `log_loss` is that of the newest rows out of fold, `worse_by` what it is above the best way's, with its standard
    error over customers.
    """

    months: int | None
    since: str
    rows: int
    defaults: int
    log_loss: float
    worse_by: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class TrainingWindow:
    """From which day on outcomes teach and judge, and every way that was tried: none where time is short."""

    since: int
    tried: tuple[Tried, ...] = ()

    def of(self, data: Dataset) -> Dataset:
        """The rows of `data` inside the window."""
        return data.take(np.flatnonzero(data.as_of >= self.since))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"since": iso(self.since), "tried": [asdict(one) for one in self.tried]}


def choose(data: Dataset, settings: Training) -> TrainingWindow:
    """The longest look back that foretells the newest rows as well as the best does.

    Candidates are all rows and the last so many months of `settings.windows`; the rows of the shortest judge them, each
    told by quick trees that never saw its customer. A shorter look back costs rows, so it must be better beyond doubt
    (the size of a window by the error on the newest rows: Klinkenberg and Joachims, 2000, section 4). Customers of the
    test side have no part in it.
    """
    ways = [(None, int(data.as_of.min())), *_shorter(data, settings)]
    if len(ways) == 1:
        return TrainingWindow(ways[0][1])
    side = data.take(np.flatnonzero(~is_test(data, settings)))
    newest = side.as_of >= ways[-1][1]
    losses = [_losses(side, side.as_of >= since, newest, settings) for _, since in ways]
    best = min(losses, key=lambda one: float(one.mean()))
    customers = pd.factorize(side.kin()[newest])[0]
    tried = tuple(
        _tried(side, months, since, loss, _difference(loss - best, customers))
        for (months, since), loss in zip(ways, losses, strict=True)
    )
    taken = next(place for place, one in enumerate(tried) if one.worse_by <= _BEYOND_DOUBT * one.standard_error)
    return TrainingWindow(ways[taken][1], tried)


def _shorter(data: Dataset, settings: Training) -> list[tuple[int, int]]:
    """Months and first day of every look back, longest first, that leaves rows out and still fills every part."""
    ways: list[tuple[int, int]] = []
    rows = len(data)
    for months in sorted(settings.windows, reverse=True):
        since = int(data.as_of.max() - round(months * _MONTH)) + 1
        inside = np.flatnonzero(data.as_of >= since)
        if len(inside) < rows and _suffices(data.take(inside), settings):
            ways.append((months, since))
            rows = len(inside)
    return ways


def _suffices(data: Dataset, settings: Training) -> bool:
    try:
        split(data, settings)
    except DataError:
        return False
    return True


def _losses(data: Dataset, learns: np.ndarray, judges: np.ndarray, settings: Training) -> np.ndarray:
    """The log-loss of each row that judges, in the order of the rows, out of fold."""
    rows = Rows.of(data)
    folds = Folds(rows, settings, learns, judges)
    log_odds = np.empty(len(data))
    for place, told in zip(folds.judged_rows, folds.judge(QUICK | study.known_starts(rows)[0]), strict=True):
        log_odds[place] = told.log_odds
    log_odds, bad = log_odds[judges], data.defaulted[judges]
    return np.asarray(np.logaddexp(0, log_odds) - bad * log_odds)


def _difference(difference: np.ndarray, customers: np.ndarray) -> tuple[float, float]:
    """Mean and standard error of paired differences (rows,) whose rows of a customer belong together."""
    mean = float(difference.mean())
    sums = np.bincount(customers, difference - mean)
    return mean, float(np.sqrt((sums**2).sum())) / len(difference)


def _tried(data: Dataset, months: int | None, since: int, loss: np.ndarray, worse: tuple[float, float]) -> Tried:
    inside = data.as_of >= since
    defaults = int(data.defaulted[inside].sum())
    return Tried(months, iso(since), int(inside.sum()), defaults, float(loss.mean()), *worse)
