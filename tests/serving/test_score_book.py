"""A book scored into a file: the rows that are scored at once, whole or not there, resumed where it stopped."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError, InputError, Refusal
from configs.lock import only_one
from configs.settings import Product
from features.contracts import Columns, to_day
from features.simulate import Portfolio
from serving import score_book as module
from serving.batch import score_tables
from serving.score import Scorer
from serving.score_book import Scored, score_book

EACH = 700


@pytest.fixture(scope="module")
def day(as_of: dt.date) -> int:
    return to_day(as_of)


@pytest.fixture(scope="module")
def raw(portfolio: Portfolio, product: Product) -> dict[str, pd.DataFrame]:
    """The tables of the book as they are exported."""
    return {name: portfolio.tables[name] for name in product.tables}


@pytest.fixture(scope="module")
def scores(scorer: Scorer, tables: dict[str, Columns], day: int) -> pd.DataFrame:
    """The whole book, scored at once."""
    return score_tables(scorer, tables, day)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory, raw: dict[str, pd.DataFrame]) -> Path:
    """The same book as a folder of parquet files."""
    folder = tmp_path_factory.mktemp("book")
    for name, frame in raw.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, float_precision="round_trip", keep_default_na=False)


@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_a_file_reads_back_as_the_book_scored_at_once(
    scorer: Scorer, book: Path, scores: pd.DataFrame, day: int, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "deeper" / name
    done = score_book(scorer, [str(book)], day, out, 0.0, customers_each=EACH)
    pd.testing.assert_frame_equal(read(out), scores, check_dtype=False, check_exact=True)
    assert (done.customers, done.resumed, done.set_aside) == (len(scores), 0, ())
    assert done.decisions == scores["decision"].value_counts().to_dict()
    assert sorted(path.name for path in out.parent.iterdir()) == [f".{name}.lock", name]


def test_a_rerun_scores_what_an_interrupted_run_had_not(
    scorer: Scorer, book: Path, scores: pd.DataFrame, day: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "scores.parquet"
    asked: list[int] = []
    real = module.scored_frame

    def dies(*words: object) -> pd.DataFrame:
        if len(asked) == 2:
            raise KeyboardInterrupt
        frame = real(*words)  # type: ignore[arg-type]
        asked.append(len(frame))
        return frame

    monkeypatch.setattr(module, "scored_frame", dies)
    with pytest.raises(KeyboardInterrupt):
        score_book(scorer, [str(book)], day, out, 0.0, customers_each=EACH)
    assert not out.exists()
    monkeypatch.setattr(module, "scored_frame", lambda *words: (asked.append(len(words[1])), real(*words))[1])
    done = score_book(scorer, [str(book)], day, out, 0.0, customers_each=EACH)
    assert done.resumed == 2 * EACH
    assert sum(asked) == len(scores)
    pd.testing.assert_frame_equal(read(out), scores, check_exact=True)


def test_what_is_left_of_another_question_is_not_used(
    scorer: Scorer, book: Path, scores: pd.DataFrame, day: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "scores.parquet"
    monkeypatch.setattr(module, "_join", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        score_book(scorer, [str(book)], day - 31, out, 0.0, customers_each=EACH)
    monkeypatch.undo()
    assert score_book(scorer, [str(book)], day, out, 0.0, customers_each=EACH).resumed == 0
    pd.testing.assert_frame_equal(read(out), scores, check_exact=True)


@pytest.fixture(scope="module")
def bad_book(tmp_path_factory: pytest.TempPathFactory, raw: dict[str, pd.DataFrame]) -> tuple[str, str]:
    """The book with 40 bad statements, all of the first customers; and how they are told."""
    folder = tmp_path_factory.mktemp("bad")
    statements = raw["statements"].sort_values("customer_id", ignore_index=True)
    statements.loc[np.arange(40), "days_past_due"] = -1.0
    for name, frame in {**raw, "statements": statements}.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return str(folder), f"statements: 40 of {len(statements):,} rows"


@pytest.fixture
def gone_on(scorer: Scorer, day: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], Scored]:
    """A book scored by a run that what was patched interrupts, and then by one that nothing does."""

    def scored(place: str, out: Path) -> Scored:
        with pytest.raises(KeyboardInterrupt):
            score_book(scorer, [place], day, out, 0.5, customers_each=EACH)
        monkeypatch.undo()
        return score_book(scorer, [place], day, out, 0.5, customers_each=EACH)

    return scored


def test_bad_rows_are_judged_of_the_whole_book_however_often_it_was_interrupted(
    scorer: Scorer, bad_book: tuple[str, str], gone_on, day: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place, told), out, real = bad_book, tmp_path / "out" / "scores.csv", module.scored_frame
    frames: list[pd.DataFrame] = []

    def dies_at_the_second(*words: object) -> pd.DataFrame:
        if frames:
            raise KeyboardInterrupt
        frames.append(real(*words))  # type: ignore[arg-type]
        return frames[0]

    monkeypatch.setattr(module, "scored_frame", dies_at_the_second)
    assert gone_on(place, out).set_aside == (told,)
    with pytest.raises(DataError, match="40 of"):
        score_book(scorer, [place], day, out, 1e-6, customers_each=EACH)


def test_no_part_is_there_without_what_was_counted_up_to_it(
    bad_book: tuple[str, str], gone_on, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part and the count of its bad rows are one file: killed between two, one of them was counted twice."""
    (place, told), real, left = bad_book, os.replace, [1]

    def dies(source: Path, into: Path) -> None:
        if Path(into).name.startswith("part-") and not left:
            raise KeyboardInterrupt
        real(source, into)
        if Path(into).parent.name.endswith(".parts") and Path(into).name != "question.json":
            left.clear()

    monkeypatch.setattr(os, "replace", dies)
    assert gone_on(place, tmp_path / "scores.csv").set_aside == (told,)


def test_two_at_once_do_not_write_the_same_file(scorer: Scorer, book: Path, day: int, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    with only_one(tmp_path / ".scores.csv.lock", "mine"), pytest.raises(Refusal, match="another process is writing"):
        score_book(scorer, [str(book)], day, out, 0.0)


def test_another_kind_of_file_is_refused(scorer: Scorer, book: Path, day: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a name ending in \.csv or \.parquet"):
        score_book(scorer, [str(book)], day, tmp_path / "scores.xlsx", 0.0)
