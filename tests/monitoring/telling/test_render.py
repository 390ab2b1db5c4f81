"""Evidently's page on the columns that real life brings."""

from __future__ import annotations

import os
import re
import socket
import warnings
from pathlib import Path

import numpy as np
import pytest

from monitoring.telling.render import evidently_page

ROWS, KEPT = 600, 100
NAMES = ("is_sound", "is_gone", "was_gone", "is_infinite", "is_partly_infinite", "is_constant", "is_rare", "has_gaps")
USABLE = {"is_sound", "is_partly_infinite", "is_constant", "has_gaps"}


def drawn(seed: int) -> np.ndarray:
    """(rows, columns) in the order of NAMES."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(size=(ROWS, len(NAMES)))
    sound[:, 3] = np.inf
    sound[: ROWS * 3 // 4, 4] = np.inf
    sound[:, 5] = 7.0
    sound[3:, 6] = np.nan  # three values that a small sample misses
    sound[::3, 7] = np.nan
    return sound


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """One real page, what was drawn for it, and what was said to the network meanwhile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its import, as in render.py
        import evidently

    now, then = drawn(1), drawn(2)
    now[:, 1] = np.nan
    then[:, 2] = np.nan
    path = tmp_path_factory.mktemp("pages") / "deeper" / "evidently.html"
    seen: list[int] = []
    called: list[object] = []
    with pytest.MonkeyPatch.context() as patched:
        real = evidently.Dataset.from_pandas
        patched.setattr(
            evidently.Dataset, "from_pandas", lambda frame, *rest: (seen.append(len(frame)), real(frame, *rest))[1]
        )
        patched.setattr(socket.socket, "connect", lambda _, address: called.append(address))
        columns = evidently_page(NAMES, now, then, KEPT, 5, path)
    return {"path": path, "columns": columns, "rows": seen, "called": called, "text": path.read_text(encoding="utf-8")}


def test_the_page_is_written(page) -> None:
    assert page["text"].lstrip().lower().startswith(("<!doctype html", "<html"))


def test_nothing_unfinished_is_left_beside_it(page) -> None:
    assert [path.name for path in page["path"].parent.iterdir()] == ["evidently.html"]


def test_columns_that_hold_nothing_on_one_side_are_left_out_and_the_rest_is_shown(page) -> None:
    assert page["columns"] == len(USABLE)
    assert {name for name in NAMES if name in page["text"]} == USABLE


def test_no_more_rows_are_drawn_than_the_cap(page) -> None:
    assert page["rows"] == [KEPT, KEPT]


def test_the_page_loads_nothing_from_elsewhere(page) -> None:
    loads = re.findall(
        r"<(?:script|img|iframe|link|source)\b[^>]*(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page["text"]
    )
    assert loads == []


def test_nobody_is_told(page) -> None:
    assert page["called"] == []
    assert os.environ["DO_NOT_TRACK"] == "true"


def test_without_a_usable_column_there_is_no_page_and_no_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.html"
    assert evidently_page(["gone"], np.full((ROWS, 1), np.nan), drawn(1)[:, :1], KEPT, 5, path) == 0
    assert list(tmp_path.iterdir()) == []
