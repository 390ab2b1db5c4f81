"""The database under the ledger: which SQLite several processes may share."""

from __future__ import annotations

import pytest

from serving.store import loses_commits


@pytest.mark.parametrize(
    ("version", "loses"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_only_a_sqlite_from_before_its_logs_were_mended_may_lose_a_commit(
    version: tuple[int, int, int], loses: bool
) -> None:
    assert loses_commits("sqlite:///ledger.db", version) is loses
    assert not loses_commits("postgresql+pg8000://u@h/d", version)
