"""A command's ledger is open as long as the command runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import creditloop

WAS_LIVE = ["models", "what-was-live", "--product", "consumer_platform", "--at", "2026-01-31T00:00:00+00:00"]


@pytest.mark.parametrize(("words", "code"), [(["decisions", "verify"], 0), (WAS_LIVE, 1)], ids=["done", "refused"])
def test_a_command_leaves_no_ledger_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    monkeypatch.setenv("CREDITLOOP_HOME", str(tmp_path))
    assert creditloop.main(words) == code
    assert (tmp_path / "ledger.db").exists()
    held = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert [path for path in held if path.is_relative_to(tmp_path)] == []
