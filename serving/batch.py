"""The same scorer over files: every customer of a folder of tables, written only when whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from configs.errors import InputError
from configs.whole import whole
from features.contracts import Columns
from serving.policy import grant
from serving.score import Scorer


def score_tables(scorer: Scorer, tables: Mapping[str, Columns], as_of: int) -> pd.DataFrame:
    """One row per customer of the tables at `as_of` (days since 1970): PD, points, grade, decision, limit, terms."""
    known = [tables[name]["customer_id"].distinct() for name in scorer.tables if name in tables]
    customers = np.unique(np.concatenate(known).astype(str)).astype(object)
    scores = scorer.score(tables, customers, np.full(len(customers), as_of, np.int32))
    capacity = np.full(len(customers), np.nan) if scorer.capacity is None else scores.values[:, scorer.capacity]
    grants = [
        grant(scorer.grades[place], scorer.product.policy, default_probability, None, None if unknown else room)
        for place, default_probability, room, unknown in zip(
            scores.grade.tolist(),
            scores.default_probability.tolist(),
            capacity.tolist(),
            np.isnan(capacity).tolist(),
            strict=True,
        )
    ]
    return pd.DataFrame(
        {
            "customer_id": customers,
            "default_probability": scores.default_probability,
            "points": [round(points, 2) for points in scores.points.tolist()],
            "grade": [scorer.grades[place].name for place in scores.grade],
            "decision": [granted.decision for granted in grants],
            "limit": [granted.limit for granted in grants],
            "binding_constraint": [granted.binding_constraint for granted in grants],
            "terms_days": [granted.terms_days for granted in grants],
            "flags": [" ".join(granted.flags) for granted in grants],
            "model": scorer.bundle.version,
        }
    )


def write_scores(scores: pd.DataFrame, path: Path) -> None:
    """Write to .csv or .parquet beside the target first, then rename: there is never half a file."""
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"{path}: expected a name ending in .csv or .parquet")
    with whole(path) as unfinished:
        if path.suffix == ".csv":
            scores.to_csv(unfinished, index=False)
        else:
            scores.to_parquet(unfinished, index=False)
