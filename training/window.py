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
from training.calibrate import standard_error
from training.dataset import Dataset, is_test, sides
from training.folds import QUICK, Folds, Rows, log_losses

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
    tests = is_test(data, settings)
    ways = [(None, int(data.as_of.min())), *_shorter(data, tests, settings)]
    if len(ways) == 1:
        return TrainingWindow(ways[0][1])
    rows = Rows.of(data.take(np.flatnonzero(~tests)))
    newest = rows.as_of >= ways[-1][1]
    losses = [_losses(rows, rows.as_of >= since, newest, settings) for _, since in ways]
    best = min(losses, key=lambda one: float(one.mean()))
    customers = pd.factorize(rows.kin[newest])[0]
    tried = tuple(
        _tried(rows, months, since, loss, loss - best, customers)
        for (months, since), loss in zip(ways, losses, strict=True)
    )
    taken = next(place for place, one in enumerate(tried) if one.worse_by <= _BEYOND_DOUBT * one.standard_error)
    return TrainingWindow(ways[taken][1], tried)


def _shorter(data: Dataset, tests: np.ndarray, settings: Training) -> list[tuple[int, int]]:
    """Months and first day of every look back, longest first, that leaves rows out and still fills every part."""
    ways: list[tuple[int, int]] = []
    rows = len(data)
    for months in sorted(settings.windows, reverse=True):
        since = int(data.as_of.max() - round(months * _MONTH)) + 1
        inside = np.flatnonzero(data.as_of >= since)
        if len(inside) < rows and _suffices(data.as_of[inside], data.defaulted[inside], tests[inside], settings):
            ways.append((months, since))
            rows = len(inside)
    return ways


def _suffices(as_of: np.ndarray, defaulted: np.ndarray, tests: np.ndarray, settings: Training) -> bool:
    try:
        sides(as_of, defaulted, tests, settings)
    except DataError:
        return False
    return True


def _losses(rows: Rows, learns: np.ndarray, judges: np.ndarray, settings: Training) -> np.ndarray:
    """The log-loss of each row that judges, in the order of the rows, out of fold."""
    folds = Folds(rows, settings, learns, judges)
    log_odds = np.empty(len(rows))
    for place, told in zip(folds.judged_rows, folds.judge(QUICK | study.known_starts(rows)[0]), strict=True):
        log_odds[place] = told.log_odds
    return log_losses(log_odds[judges], rows.defaulted[judges])


def _tried(
    rows: Rows, months: int | None, since: int, loss: np.ndarray, worse: np.ndarray, customers: np.ndarray
) -> Tried:
    inside = rows.as_of >= since
    return Tried(
        months,
        iso(since),
        rows=int(inside.sum()),
        defaults=int(rows.defaulted[inside].sum()),
        log_loss=float(loss.mean()),
        worse_by=float(worse.mean()),
        standard_error=standard_error(worse, customers),
    )
