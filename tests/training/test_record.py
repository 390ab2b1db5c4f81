"""The record: what a run was made of, and nothing claimed that is not known."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from configs.settings import Product, Settings
from training import record


@pytest.fixture
def told(
    shipped: Callable[[str], Product], small_settings: Callable[..., Settings], tmp_path: Path
) -> Callable[[], dict[str, Any]]:
    settings = small_settings(tmp_path / "home")
    return lambda: record.describe_run(shipped("trade_credit"), settings, "d" * 64, "2026-01-31")


def test_the_record_is_plain_json(told: Callable[[], dict[str, Any]]) -> None:
    assert json.loads(json.dumps(told())) == told()


def test_the_commit_is_that_of_this_code(told: Callable[[], dict[str, Any]], repository: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=False)
    assert told()["git_commit"] == (head.stdout.strip() or None)


def test_code_that_no_git_knows_has_no_commit(
    told: Callable[[], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_ROOT", tmp_path)
    assert (told()["git_commit"], told()["git_clean"], told()["lock_sha256"]) == (None, None, None)


def test_code_installed_inside_anothers_repository_does_not_take_its_commit(
    told: Callable[[], dict[str, Any]], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_ROOT", repository / "training")
    assert told()["git_commit"] is None


def test_without_git_on_the_path_there_is_no_commit(
    told: Callable[[], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert told()["git_commit"] is None


def test_a_changed_file_makes_the_code_unclean(
    told: Callable[[], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_ROOT", tmp_path / "code")
    _git("init", "-q", str(tmp_path / "code"))
    _git("-C", str(tmp_path / "code"), *AUTHOR, "commit", "-q", "--allow-empty", "-m", "x")
    assert told()["git_clean"] is True
    (tmp_path / "code" / "new.py").touch()
    assert told()["git_clean"] is False


AUTHOR = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def test_the_lock_file_is_named_by_its_bytes(told: Callable[[], dict[str, Any]], repository: Path) -> None:
    expected = hashlib.sha256((repository / "requirements.lock").read_bytes()).hexdigest()
    assert told()["lock_sha256"] == expected


def test_the_libraries_are_those_installed(told: Callable[[], dict[str, Any]]) -> None:
    assert told()["libraries"]["lightgbm"] == version("lightgbm")


def test_the_product_and_settings_are_told_whole(
    told: Callable[[], dict[str, Any]], shipped: Callable[[str], Product]
) -> None:
    assert told()["product"]["grades"][0]["name"] == "A"
    assert told()["product_sha256"] == shipped("trade_credit").digest()
    assert told()["settings"]["training"]["seed"] == 7


def test_where_this_machine_keeps_things_is_not_told(told: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    assert str(tmp_path) not in json.dumps(told())
