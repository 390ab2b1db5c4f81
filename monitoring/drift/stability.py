"""Population stability: PSI and KS on bins fixed at training, and how many false alarms chance may raise in a year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2, false_discovery_control, kstwobign

from configs.settings import Monitoring
from monitoring.drift.tally import Grid, Tally
from training.psi import chance_bound, psi


@dataclass(frozen=True, slots=True)
class Stability:
    """How far one column moved: its PSI, the largest PSI that chance alone gives at the stated confidence, the KS
    distance, and `q`: the share of false alarms one accepts by calling this column moved.
    """

    name: str
    psi: float
    bound: float
    level: str
    ks: float = 0.0
    q: float = 1.0
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Sizes:
    """Independent rows on either side. Rows of one customer tell the same twice: customers are what is counted."""

    now: float
    then: float


@dataclass(frozen=True, slots=True)
class Budget:
    """False alarms that chance may raise in a run, shared out so that together they keep what is allowed in a year.

    `drift`: of any column moved (half); `ranking` and `level`: of the two tests of outcomes (a quarter each).
    """

    runs_a_year: int
    drift: float
    ranking: float
    level: float

    @property
    def false_alarms_a_year(self) -> float:
        """Runs a year in which chance alone alarms, at most, where nothing ever happens."""
        return self.runs_a_year * (self.drift + self.ranking + self.level)

    @property
    def told(self) -> str:
        """The budget in a sentence."""
        return (
            f"Where nothing changes, chance alarms in at most {self.false_alarms_a_year:.2g} of "
            f"{self.runs_a_year} runs a year"
        )


def budget_of(settings: Monitoring) -> Budget:
    """The budget of one run; at most a fifth of runs may alarm by chance, however few there are in a year."""
    run = min(0.2, settings.false_alarms_a_year / settings.runs_a_year)
    return Budget(settings.runs_a_year, run / 2, run / 4, run / 4)


def stabilities(now: Tally, then: Tally, grid: Grid, sizes: Sizes, settings: Monitoring) -> list[Stability]:
    """One for each column of the grid, in its order.

    The two tests of all columns are one family. Its false discovery rate is held under any dependence between them
    (Benjamini and Yekutieli, 2001); where nothing changed every alarm is false, so it bounds the chance of any.
    A column that moved beyond chance is green all the same where its PSI is small.
    """
    if not now.rows:
        return [Stability(name, 0.0, np.inf, "green") for name in grid.names]
    measured = [_measure(place, now, then, grid, sizes, settings) for place in range(len(grid.names))]
    chances = np.array([chance for _, both in measured for chance in both])
    adjusted = false_discovery_control(chances, method="by").reshape(-1, 2).min(axis=1)
    allowed = budget_of(settings).drift
    return [_judged(item, float(q), q <= allowed, settings) for (item, _), q in zip(measured, adjusted, strict=True)]


def most_moved(items: Sequence[Stability]) -> list[Stability]:
    """Those beyond chance first, the largest PSI first."""
    return sorted(items, key=lambda item: (not item.moved, -item.psi))


def _measure(
    place: int, now: Tally, then: Tally, grid: Grid, sizes: Sizes, settings: Monitoring
) -> tuple[Stability, tuple[float, float]]:
    here, before = now.by_psi_bin(place, grid), then.by_psi_bin(place, grid)
    value = psi(here, before)
    shrunk = here * (sizes.now / now.rows), before * (sizes.then / then.rows)
    distance = ks_distance(now.by_fine_bin(place, grid), then.by_fine_bin(place, grid))
    item = Stability(grid.names[place], value, chance_bound(*shrunk, settings.confidence), "green", distance)
    present = sizes.now * (1 - now.missing[place] / now.rows), sizes.then * (1 - then.missing[place] / then.rows)
    return item, (psi_chance(*shrunk), ks_chance(distance, *present))


def _judged(item: Stability, q: float, moved: bool, settings: Monitoring) -> Stability:
    level = "green"
    if moved and item.psi >= settings.psi_watch:
        level = "red" if item.psi >= settings.psi_act else "amber"
    return replace(item, q=q, moved=bool(moved), level=level)


def psi_chance(now: np.ndarray, then: np.ndarray) -> float:
    """How often chance alone gives so large a PSI or a larger one: of counts by bin, chi-squared (Yurdakul, 2018).

    Bins in which chance alone expects fewer than five rows of either side are put together first (Cochran, 1954):
    the limit does not hold for them.
    """
    rows = now.sum(), then.sum()
    if not all(rows):
        return 1.0
    expected = (now + then) * (min(rows) / sum(rows))
    few = expected < 5
    here, before = (np.append(side[~few], side[few].sum()) if few.any() else side for side in (now, then))
    filled = (here + before) > 0
    if filled.sum() < 2:
        return 1.0
    value = psi(here[filled], before[filled])
    return float(chi2.sf(value / (1 / rows[0] + 1 / rows[1]), filled.sum() - 1))


def ks_distance(now: np.ndarray, then: np.ndarray) -> float:
    """The largest distance of the two distributions at the edges of the bins counted, between 0 and 1."""
    if not now.sum() or not then.sum():
        return 0.0
    return float(np.abs(now.cumsum() / now.sum() - then.cumsum() / then.sum()).max())


def ks_chance(distance: float, now: float, then: float) -> float:
    """How often chance alone gives so large a distance or a larger one, at most (Kolmogorov, 1933; Smirnov, 1948).

    The limit for two samples; a distance looked for at fewer places than every value is smaller, so it holds.
    """
    if now < 1 or then < 1:
        return 1.0
    return float(kstwobign.sf(distance * np.sqrt(now * then / (now + then))))
