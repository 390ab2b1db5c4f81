"""Faults to plant in raw tables: what goes wrong with feeds in real life, for demos and tests of the monitor."""

from __future__ import annotations

import numpy as np
import pandas as pd


def dead_feed(table: pd.DataFrame, column: str, date_column: str, since: pd.Timestamp) -> pd.DataFrame:
    """`column` missing in every row from `since` on: the source went silent."""
    return table.assign(**{column: table[column].where(table[date_column] < since, np.nan)})


def zero_feed(table: pd.DataFrame, column: str, date_column: str, since: pd.Timestamp) -> pd.DataFrame:
    """`column` zero in every row from `since` on: the source fails in silence."""
    return table.assign(**{column: table[column].where(table[date_column] < since, 0.0)})


def unit_error(
    table: pd.DataFrame, column: str, date_column: str, since: pd.Timestamp, factor: float = 100.0
) -> pd.DataFrame:
    """`column` times `factor` from `since` on: cents where euros were agreed."""
    scaled = table[column] * np.where(table[date_column] < since, 1.0, factor)
    return table.assign(**{column: scaled})
