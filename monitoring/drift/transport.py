"""A column put back: the distribution it had when the model was made, each row keeping its rank."""

from __future__ import annotations

import numpy as np


def put_back(
    now: np.ndarray,
    then: np.ndarray,
    risk_now: np.ndarray,
    risk_then: np.ndarray,
    rising: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """`now` (rows,) with the distribution of `then` (reference rows,), missing values in their former share.

    Rows with a value keep their order: the monotone map of one distribution into the other (of all maps the one that
    moves least; Santambrogio, 2015, ch. 2). Of equal values the riskier row counts as the larger if the feature is
    `rising` with risk, as the smaller if not, so that columns put back together still belong together. A column of a
    single value has no order left and counts as missing. Values missing beyond their former share are filled from
    reference rows of equal rank by risk, `risk_now` and `risk_then`: a good row gets a good row's value.
    """
    donors = np.flatnonzero(~np.isnan(then))
    if not len(donors) or not len(now):
        return now.copy()
    gone = np.isnan(now) | _single(now)
    allowed = round(float(np.isnan(then).mean()) * len(now))
    filled, emptied = _missing_as_before(gone, allowed, rng)
    back = np.where(gone, np.nan, now)
    kept = np.flatnonzero(~gone)
    sign = 1.0 if rising else -1.0
    order = np.lexsort((sign * risk_now[kept], now[kept]))
    back[kept[order]] = _spread(np.sort(then[donors]), len(kept))
    by_risk = then[donors[np.argsort(risk_then[donors], kind="stable")]]
    back[filled[np.argsort(risk_now[filled], kind="stable")]] = _spread(by_risk, len(filled))
    back[emptied] = np.nan
    return back


def _single(now: np.ndarray) -> bool:
    present = now[~np.isnan(now)]
    return len(present) > 1 and bool((present == present[0]).all())


def _missing_as_before(gone: np.ndarray, allowed: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which missing rows are filled, and which others emptied, so that `allowed` are missing in the end."""
    missing, present = np.flatnonzero(gone), np.flatnonzero(~gone)
    if len(missing) > allowed:
        return rng.choice(missing, len(missing) - allowed, replace=False), present[:0]
    return missing[:0], rng.choice(present, min(allowed - len(missing), len(present)), replace=False)


def _spread(values: np.ndarray, rows: int) -> np.ndarray:
    """`rows` of `values`, evenly through them."""
    return values[((np.arange(rows) + 0.5) / max(1, rows) * len(values)).astype(int)]
