"""Compiled scans that prove a whole column sound in one pass; what they cannot prove is looked at row by row."""

from __future__ import annotations

import numpy as np
from numba import njit

from features.contracts import NEVER

_NOT_A_TIME = np.iinfo(np.int64).min


@njit(cache=True, nogil=True)
def numbers(values: np.ndarray, low: float, high: float, whole: bool, out: np.ndarray) -> tuple[bool, bool]:
    """Copy `values` (rows,) into `out`, -0 as 0; whether all that are there are finite, within [low, high] and, where
    `whole`, whole; and whether any is missing."""
    sound, missing = True, False
    for row in range(values.shape[0]):
        value = values[row] + 0.0
        out[row] = value
        if np.isnan(value):
            missing = True
        elif value < low or value > high or np.isinf(value) or (whole and value != np.floor(value)):
            sound = False
    return sound, missing


@njit(cache=True, nogil=True)
def days(moments: np.ndarray, each: int, first: int, last: int, out: np.ndarray) -> tuple[bool, bool]:
    """Write the days since 1970 of `moments` (rows,), `each` of whose units are a day, into `out`; NEVER if missing.

    Whether all that are there lie within [first, last], and whether any is missing.
    """
    sound, missing = True, False
    for row in range(moments.shape[0]):
        if moments[row] == _NOT_A_TIME:
            out[row] = NEVER
            missing = True
            continue
        day = moments[row] // each
        if day < first or day > last:
            sound = False
        else:
            out[row] = day
    return sound, missing
