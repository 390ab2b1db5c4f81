"""Outcomes that say otherwise than they did: a few are corrections, many are a feed gone wrong, or poison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from configs.errors import Refusal
from configs.whole import whole
from features.outcome import Labels
from training.backtests import binomial_p

USUAL_SHARE = 0.002
"""Of outcomes that are corrected in the course of things: what is tested is that it is more."""


@dataclass(frozen=True, slots=True)
class Restated:
    """Of the outcomes used before: how many are known still, how many of these now say otherwise, how many are gone.

    `p_value` of as many or more in the course of things (binomial test).
    """

    known: int
    otherwise: int
    gone: int

    @property
    def p_value(self) -> float:
        """The chance of as many if only `USUAL_SHARE` were corrected; 1 where nothing is known."""
        rows = self.known + self.gone
        return binomial_p(USUAL_SHARE, self.otherwise + self.gone, rows) if rows else 1.0


def memory(home: Path, product: str) -> Path:
    """Where the outcomes used last are kept."""
    return home / "outcomes" / f"{product}.parquet"


def remember(path: Path, labels: Labels) -> None:
    """Keep these outcomes, whole, as those used last."""
    frame = pd.DataFrame({"customer_id": labels.customer_id, "as_of": labels.as_of, "defaulted": labels.defaulted})
    with whole(path) as unfinished:
        frame.astype({"customer_id": str}).to_parquet(unfinished, index=False)


def compare(path: Path, labels: Labels) -> Restated:
    """The outcomes used last against `labels`; before the first use nothing is known."""
    if not path.exists():
        return Restated(0, 0, 0)
    then = pd.read_parquet(path)
    now = pd.Series(labels.defaulted, pd.MultiIndex.from_arrays([labels.customer_id.astype(str), labels.as_of]))
    asked = pd.MultiIndex.from_arrays([then["customer_id"].astype(str), then["as_of"]])
    found = now.reindex(asked).to_numpy(np.float64)
    there = ~np.isnan(found)
    # Outcomes of vintages that are not told of at all belong to another extract; within a vintage none should go.
    told = np.isin(then["as_of"].to_numpy(), np.unique(labels.as_of))
    otherwise = int((found[there] != then["defaulted"].to_numpy(np.float64)[there]).sum())
    return Restated(int(there.sum()), otherwise, int((told & ~there).sum()))


def require_they_hold(path: Path, labels: Labels, significance: float) -> None:
    """Raise Refusal where more outcomes were restated, or vanished from their vintage, than corrections explain."""
    found = compare(path, labels)
    if found.p_value < significance:
        raise Refusal(
            f"of {found.known + found.gone:,} outcomes used before, {found.otherwise:,} now say otherwise and "
            f"{found.gone:,} are gone: more than corrections explain (p {found.p_value:.1g}); find out why before a "
            f"model learns from them, or, if it is right, remove {path}"
        )
