"""The time the model was made, as the monitor needs it: its rows, where they are counted, and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from configs.settings import Monitoring
from features.declaration import Constant, Feature
from monitoring.drift.stability import Sizes
from monitoring.drift.tally import Grid, Tally, grid_of, tally
from training.bundle import Bundle

SCORE = Feature("default_probability", "column", Constant(0.0), "", "", "unknown", "", "")
"""The last column of every grid: the PD moves, or not, like a feature."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`values` (rows, features) asked at `as_of` (rows,), `default_probability` (rows,); `grid` and `counted` have
    one column more, the PD. `independent` is how many of the rows tell something of their own.
    """

    features: tuple[Feature, ...]
    values: np.ndarray
    default_probability: np.ndarray
    as_of: np.ndarray
    grid: Grid
    counted: Tally
    independent: float

    def sizes(self, customers: int) -> Sizes:
        """Beside a window about so many customers."""
        return Sizes(customers, self.independent)

    def count(self, values: np.ndarray, default_probability: np.ndarray) -> Tally:
        """The tally of other rows on the same grid."""
        return tally(np.column_stack([values, default_probability]), self.grid)


def reference_of(bundle: Bundle, settings: Monitoring) -> Reference:
    """The reference of a model version. Its rows are of those that taught and tested it, several of a customer."""
    frame = bundle.reference()
    parts = [bundle.training["parts"][name] for name in ("train", "test")]
    share = sum(part["customers"] for part in parts) / sum(part["rows"] for part in parts)
    return make_reference(
        bundle.program.features,
        frame[list(bundle.program.names)].to_numpy(np.float64),
        frame["_default_probability"].to_numpy(np.float64),
        frame["_as_of"].to_numpy(),
        min(1.0, share),
        settings,
    )


def make_reference(
    features: Sequence[Feature],
    values: np.ndarray,
    default_probability: np.ndarray,
    as_of: np.ndarray,
    independent_share: float,
    settings: Monitoring,
) -> Reference:
    """A reference of these rows, `independent_share` of them about different customers."""
    everything = np.column_stack([values, default_probability])
    grid = grid_of([*features, SCORE], everything, settings)
    return Reference(
        tuple(features),
        values,
        default_probability,
        as_of,
        grid,
        tally(everything, grid),
        independent_share * len(values),
    )
