"""Scored files are whole or not there, and read back as what was scored."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import InputError
from features.check import take
from features.contracts import Columns, to_day
from serving.batch import score_tables, write_scores
from serving.score import Scorer


@pytest.fixture(scope="module")
def scores(scorer: Scorer, tables: dict[str, Columns], as_of: dt.date) -> pd.DataFrame:
    """The whole book, scored."""
    return score_tables(scorer, tables, to_day(as_of))


@pytest.fixture(params=["scores.csv", "scores.parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A target of each kind, in a folder that is not there yet."""
    return tmp_path / "out" / request.param


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, float_precision="round_trip", keep_default_na=False)


def test_every_customer_is_scored_once(scores: pd.DataFrame, tables: dict[str, Columns]) -> None:
    everybody = {*tables["customers"]["customer_id"].distinct(), *tables["statements"]["customer_id"].distinct()}
    assert sorted(scores["customer_id"]) == sorted(everybody)


def test_a_file_reads_back_as_what_was_scored(scores: pd.DataFrame, path: Path) -> None:
    write_scores(scores, path)
    pd.testing.assert_frame_equal(read(path), scores, check_dtype=False, check_exact=True)


def test_nothing_else_is_left_beside_the_file(scores: pd.DataFrame, path: Path) -> None:
    write_scores(scores, path)
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_write_that_fails_leaves_the_former_file(
    scores: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"scores{suffix}"
    write_scores(scores, path)
    before = path.read_bytes()

    def half(frame: pd.DataFrame, to: Path, **_: object) -> None:
        to.write_bytes(before[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    with pytest.raises(OSError, match="no space left"):
        write_scores(scores, path)
    assert path.read_bytes() == before


def test_another_kind_of_file_is_refused(scores: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a name ending in \.csv or \.parquet"):
        write_scores(scores, tmp_path / "scores.xlsx")


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
