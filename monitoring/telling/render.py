"""The one place that knows Evidently: its drift page on a capped sample. It renders; it decides nothing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

# Before the import: the library reads it once. Nothing we start sends usage data.
os.environ.setdefault("DO_NOT_TRACK", "true")

import numpy as np
import pandas as pd

from configs.whole import whole


def evidently_page(names: Sequence[str], now: np.ndarray, then: np.ndarray, rows: int, seed: int, path: Path) -> int:
    """Write Evidently's data drift report of the columns it can compare to `path`; returns how many those are.

    Columns empty or infinite on either side would end its whole report (they are red in ours); where none is left,
    nothing is written. At most `rows` rows of each side are drawn.
    """
    rng = np.random.default_rng(seed)
    drawn = [_sample(side, rows, rng) for side in (now, then)]
    usable = [place for place in range(len(names)) if all(_has_values(side[:, place]) for side in drawn)]
    if not usable:
        return 0
    columns = [names[place] for place in usable]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Evidently's own imports and statistics
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(numerical_columns=columns)
        here, before = (
            Dataset.from_pandas(pd.DataFrame(side[:, usable], columns=columns), definition) for side in drawn
        )
        report = Report([DataDriftPreset()]).run(here, before)
        with whole(path) as unfinished:
            report.save_html(str(unfinished))
    return len(usable)


def _has_values(column: np.ndarray) -> bool:
    return int(np.isfinite(column).sum()) >= 2


def _sample(values: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    return values if len(values) <= rows else values[rng.choice(len(values), rows, replace=False)]
