"""Keys on record: who made which for whom, and which is in use though nobody is on record for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from configs.errors import InputError
from serving import access, key_record
from serving.identity import Person
from serving.ledger import Ledger

AT, ROOT = "2026-01-31T00:00:00.000000+00:00", Person("root", "admin")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as opened:
        yield opened


def test_a_key_is_on_record_by_its_hash_with_who_made_it_and_never_itself(ledger: Ledger, tmp_path: Path) -> None:
    key = key_record.make(ledger, tmp_path, "ada", "approver", ROOT, AT)
    (digest,) = access.load_keys(tmp_path)
    (one,) = key_record.changes(ledger, 9)
    assert one == key_record.Change("made", access.key_id(digest), "ada", "approver", "root", "admin", AT)
    assert key not in str(next(ledger.records()).body())
    assert key_record.unrecorded(ledger, tmp_path) == []


def test_a_key_written_by_hand_is_unrecorded(ledger: Ledger, tmp_path: Path) -> None:
    key_record.make(ledger, tmp_path, "ada", "validator", ROOT, AT)
    access.create_key(tmp_path, "eve", "admin")
    assert key_record.unrecorded(ledger, tmp_path) == [access.Caller("eve", "admin")]


def test_a_role_raised_by_hand_is_unrecorded(ledger: Ledger, tmp_path: Path) -> None:
    key_record.make(ledger, tmp_path, "ada", "validator", ROOT, AT)
    kept = json.loads((tmp_path / "keys.json").read_text())
    (digest,) = kept
    kept[digest]["role"] = "admin"
    (tmp_path / "keys.json").write_text(json.dumps(kept))
    assert key_record.unrecorded(ledger, tmp_path) == [access.Caller("ada", "admin")]


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "revoked"])
def test_a_key_that_ended_and_is_brought_back_is_unrecorded(ledger: Ledger, tmp_path: Path, replaced: bool) -> None:
    key_record.make(ledger, tmp_path, "Ada", "approver", ROOT, AT)
    former = (tmp_path / "keys.json").read_bytes()
    if replaced:
        key_record.make(ledger, tmp_path, "ada", "approver", ROOT, AT)
    else:
        key_record.ended(ledger, *access.revoke_key(tmp_path, "Ada"), ROOT, AT)
    assert key_record.unrecorded(ledger, tmp_path) == []
    (tmp_path / "keys.json").write_bytes(former)
    assert key_record.unrecorded(ledger, tmp_path) == [access.Caller("Ada", "approver")]


def test_a_key_made_by_nobody_while_there_is_an_administrator_is_unrecorded(ledger: Ledger, tmp_path: Path) -> None:
    key_record.make(ledger, tmp_path, "root", "admin", None, AT)
    assert key_record.unrecorded(ledger, tmp_path) == []
    key_record.make(ledger, tmp_path, "eve", "admin", None, AT)
    assert key_record.unrecorded(ledger, tmp_path) == [access.Caller("eve", "admin")]


def test_where_it_cannot_be_recorded_the_former_key_stays(ledger: Ledger, tmp_path: Path, monkeypatch) -> None:
    key_record.make(ledger, tmp_path, "ada", "approver", ROOT, AT)
    former = access.load_keys(tmp_path)

    def refuses(*_: object) -> None:
        raise InputError("no ledger")

    monkeypatch.setattr(ledger, "append", refuses)
    with pytest.raises(InputError, match="no ledger"):
        key_record.make(ledger, tmp_path, "ada", "admin", ROOT, AT)
    assert access.load_keys(tmp_path) == former


def test_keys_of_one_name_made_at_once_end_with_the_one_that_was_recorded_last(ledger, tmp_path: Path, race) -> None:
    for _ in range(10):
        race([lambda: key_record.make(ledger, tmp_path, "ada", "approver", ROOT, AT)] * 3)
        assert len(access.load_keys(tmp_path)) == 1
        assert key_record.unrecorded(ledger, tmp_path) == []
