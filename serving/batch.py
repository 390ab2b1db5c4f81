"""The same scorer and policy over many customers at once: a row for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from configs.settings import Product
from features.contracts import Columns
from serving.knock_outs import Applicant, read
from serving.policy import Grant, grant
from serving.score import Scorer, Scores


def score_tables(scorer: Scorer, tables: Mapping[str, Columns], as_of: int) -> pd.DataFrame:
    """One row per customer of the tables at `as_of` (days since 1970): PD, points, grade, decision, limit, terms."""
    known = [tables[name]["customer_id"].distinct() for name in scorer.tables if name in tables]
    customers = np.unique(np.concatenate(known).astype(str)).astype(object)
    days = np.full(len(customers), as_of, np.int32)
    scores = scorer.score(tables, customers, days)
    return scored_frame(scorer, customers, scores, scorer.doubts(tables, customers, days, scores.values))


def scored_frame(
    scorer: Scorer, customers: np.ndarray, scores: Scores, doubts: Sequence[tuple[str, ...]]
) -> pd.DataFrame:
    """What the policy grants `customers` (rows,) by their `scores` and the flags of each one's data, one row each."""
    grants = grant_all(scorer, scores, scores.grade, doubts)
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
            **_where_used(scorer.product, grants),
        }
    )


def grant_all(scorer: Scorer, scores: Scores, grade: np.ndarray, doubts: Sequence[tuple[str, ...]]) -> list[Grant]:
    """What the policy grants each scored row, whose grade stands at the place `grade` (rows,) of the masterscale.

    `doubts` are the flags of each row's data, as `Scorer.doubts` finds them.
    """
    where = scorer.policy_reads
    return [
        grant(
            scorer.product,
            scorer.grades[place],
            default_probability,
            Applicant(features=read(where, values), doubts=flags),
        )
        for place, default_probability, values, flags in zip(
            grade.tolist(),
            scores.default_probability.tolist(),
            scores.values[:, list(where.values())].tolist(),
            doubts,
            strict=True,
        )
    ]


def _where_used(product: Product, grants: Sequence[Grant]) -> dict[str, list[Any]]:
    """Columns of what only some policies have: collateral, the rate, the names of the knock-outs that hit."""
    columns: dict[str, list[Any]] = {}
    if any(grade.collateral_share is not None for grade in product.grades):
        columns["collateral"] = [granted.collateral for granted in grants]
    if product.policy.pricing is not None:
        columns["rate"] = [granted.price.rate if granted.price else None for granted in grants]
    if product.policy.knock_outs:
        columns["knock_outs"] = [" ".join(hit.rule.name for hit in granted.knock_outs) for granted in grants]
    return columns
