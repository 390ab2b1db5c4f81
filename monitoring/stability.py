"""Population stability with edges fixed at training, every bin kept, and a bound that knows how small the window is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from configs.settings import Monitoring
from training.psi import chance_bound, counts, edges_of, psi


@dataclass(frozen=True, slots=True)
class Stability:
    """The PSI of one column, and the largest PSI that chance alone gives at the stated confidence."""

    name: str
    psi: float
    bound: float
    level: str


def stability(name: str, now: np.ndarray, then: np.ndarray, settings: Monitoring) -> Stability:
    """The PSI of `now` (rows,) against `then` (rows,): red or amber only beyond what chance explains."""
    edges = edges_of(then, settings.psi_bins)
    here, before = counts(now, edges), counts(then, edges)
    value, bound = psi(here, before), chance_bound(here, before, settings.confidence)
    level = "green"
    if value > bound and value >= settings.psi_watch:
        level = "red" if value >= settings.psi_act else "amber"
    return Stability(name, value, bound, level)


def stabilities(names: Sequence[str], now: np.ndarray, then: np.ndarray, settings: Monitoring) -> list[Stability]:
    """One for each column of the matrices (rows, columns), the most moved first."""
    found = [stability(name, now[:, place], then[:, place], settings) for place, name in enumerate(names)]
    return sorted(found, key=lambda item: -item.psi)
