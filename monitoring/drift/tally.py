"""What the monitor counts: every column of every row in one pass, chunk by chunk, in memory that rows do not fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from configs.settings import Monitoring
from features.declaration import Feature
from training.psi import edges_of

_MAGNITUDES = 8192  # quarters of an octave: 11 bits of a double's exponent and 2 of its fraction


@dataclass(frozen=True, slots=True)
class Grid:
    """Where values are counted, fixed by the reference: `edges` (columns, width) hold the inner bin edges, each row
    filled up with infinity; `coarse` (columns, width) is the PSI's bin of each fine bin. `low` and `high` (columns,)
    are the declared ranges, bounds included.
    """

    names: tuple[str, ...]
    edges: np.ndarray
    bins: np.ndarray
    coarse: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of `rows` rows. `counts` (columns, width + 1): fine bins, missing values last; the others (columns,).

    `lowest` and `highest` are of finite values, infinities turned round where there is none. `magnitudes` (columns,
    8192) counts the positive finite values by quarters of an octave.
    """

    rows: int
    counts: np.ndarray
    infinite: np.ndarray
    outside: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    magnitudes: np.ndarray

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.rows + other.rows,
            self.counts + other.counts,
            self.infinite + other.infinite,
            self.outside + other.outside,
            np.minimum(self.lowest, other.lowest),
            np.maximum(self.highest, other.highest),
            self.magnitudes + other.magnitudes,
        )

    @property
    def missing(self) -> np.ndarray:
        """Rows without a value, (columns,)."""
        return self.counts[:, -1]

    @property
    def finite(self) -> np.ndarray:
        """Rows with a finite value, (columns,)."""
        return self.rows - self.missing - self.infinite

    def by_psi_bin(self, column: int, grid: Grid) -> np.ndarray:
        """Rows by bin of the PSI; the last bin holds the missing values."""
        bins = int(grid.bins[column])
        merged = np.bincount(grid.coarse[column, :bins], self.counts[column, :bins])
        return np.append(merged, self.missing[column])

    def by_fine_bin(self, column: int, grid: Grid) -> np.ndarray:
        """Rows with a value, by fine bin."""
        return self.counts[column, : int(grid.bins[column])]

    def positive_median(self, column: int) -> tuple[int, float]:
        """How many positive values there are, and their median, at most an eighth off; NaN where there is none."""
        counts = self.magnitudes[column]
        positive = int(counts.sum())
        if not positive:
            return 0, float("nan")
        place = int(np.searchsorted(counts.cumsum(), (positive + 1) / 2))
        low, high = (np.array([place, place + 1], np.int64) << 50).view(np.float64)
        return positive, float(low + high) / 2


def grid_of(features: Sequence[Feature], reference: np.ndarray, settings: Monitoring) -> Grid:
    """The grid of a reference (rows, features): the PSI's quantiles, and the finer ones of the KS distance."""
    coarse = [edges_of(column, settings.psi_bins) for column in reference.T]
    fine = [
        np.union1d(own, edges_of(column, settings.fine_bins)) for own, column in zip(coarse, reference.T, strict=True)
    ]
    # A power of two above the most edges: the search halves it, and the edges at infinity lie above every value.
    width = 1 << max(1, int(max((len(own) for own in fine), default=1))).bit_length()
    edges = np.full((len(fine), width), np.inf)
    place = np.zeros((len(fine), width), np.int64)
    for row, (own, wide) in enumerate(zip(fine, coarse, strict=True)):
        edges[row, : len(own)] = own
        place[row] = np.searchsorted(wide, edges[row], side="left")
    return Grid(
        names=tuple(feature.name for feature in features),
        edges=edges,
        bins=np.array([len(own) + 1 for own in fine], np.int64),
        coarse=place,
        low=np.array([feature.low for feature in features]),
        high=np.array([feature.high for feature in features]),
    )


def tally(values: np.ndarray, grid: Grid) -> Tally:
    """The counts of `values` (rows, columns); tallies of chunks add up to the tally of all rows."""
    rows = np.ascontiguousarray(values, np.float64)
    columns, width = grid.edges.shape
    found = Tally(
        rows=len(rows),
        counts=np.zeros((columns, width + 1), np.int64),
        infinite=np.zeros(columns, np.int64),
        outside=np.zeros(columns, np.int64),
        lowest=np.full(columns, np.inf),
        highest=np.full(columns, -np.inf),
        magnitudes=np.zeros((columns, _MAGNITUDES), np.int64),
    )
    _count(
        rows,
        rows.view(np.int64),
        grid.edges,
        grid.low,
        grid.high,
        found.counts,
        found.infinite,
        found.outside,
        found.lowest,
        found.highest,
        found.magnitudes,
    )
    return found


@njit(cache=True, nogil=True)
def _count(
    values: np.ndarray,
    bits: np.ndarray,
    edges: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    counts: np.ndarray,
    infinite: np.ndarray,
    outside: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
    magnitudes: np.ndarray,
) -> None:
    width = edges.shape[1]
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = values[row, column]
            if value != value:
                counts[column, width] += 1
                continue
            place, step = 0, width >> 1
            while step:
                place += step * (edges[column, place + step - 1] < value)
                step >>= 1
            counts[column, place] += 1
            if np.isinf(value):
                infinite[column] += 1
                outside[column] += 1
                continue
            outside[column] += (value < low[column]) | (value > high[column])
            lowest[column] = min(lowest[column], value)
            highest[column] = max(highest[column], value)
            if value > 0:
                magnitudes[column, bits[row, column] >> 50] += 1
