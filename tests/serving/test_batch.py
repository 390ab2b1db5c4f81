"""Many customers at once: each scored once, whoever else is."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from features.check import take
from features.contracts import Columns, to_day
from serving.batch import score_tables
from serving.score import Scorer


@pytest.fixture(scope="module")
def scores(scorer: Scorer, tables: dict[str, Columns], as_of: dt.date) -> pd.DataFrame:
    """The whole book, scored."""
    return score_tables(scorer, tables, to_day(as_of))


def test_every_customer_is_scored_once(scores: pd.DataFrame, tables: dict[str, Columns]) -> None:
    everybody = {*tables["customers"]["customer_id"].distinct(), *tables["statements"]["customer_id"].distinct()}
    assert sorted(scores["customer_id"]) == sorted(everybody)


def test_a_score_does_not_depend_on_who_else_is_scored(
    scorer: Scorer, tables: dict[str, Columns], scores: pd.DataFrame, as_of: dt.date
) -> None:
    first = scores["customer_id"].tolist()[:40]
    alone = score_tables(
        scorer,
        {
            name: take(tables[name], np.flatnonzero(np.isin(tables[name]["customer_id"].to_objects(), first)))
            for name in ("statements", "customers")
        },
        to_day(as_of),
    )
    pd.testing.assert_frame_equal(alone, scores[:40], check_exact=True)
