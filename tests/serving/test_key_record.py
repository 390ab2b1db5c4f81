"""Keys on record: who made which for whom, and which is in use though nobody is on record for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serving import access, key_record
from serving.ledger import Ledger

AT = "2026-01-31T00:00:00.000000+00:00"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as opened:
        yield opened


def test_a_key_is_on_record_by_its_hash_with_who_made_it_and_never_itself(ledger: Ledger, tmp_path: Path) -> None:
    key = key_record.make(ledger, tmp_path, "ada", "approver", "root", AT)
    (digest,) = access.load_keys(tmp_path)
    (one,) = key_record.changes(ledger)
    assert one == key_record.Change("made", access.key_id(digest), "ada", "approver", "root", AT)
    assert key not in str(next(ledger.records()).body())
    assert key_record.unrecorded(ledger, tmp_path) == []


def test_a_key_written_by_hand_is_unrecorded(ledger: Ledger, tmp_path: Path) -> None:
    key_record.make(ledger, tmp_path, "ada", "validator", "root", AT)
    access.create_key(tmp_path, "eve", "admin")
    assert key_record.unrecorded(ledger, tmp_path) == [access.Caller("eve", "admin")]


def test_a_role_raised_by_hand_is_unrecorded(ledger: Ledger, tmp_path: Path) -> None:
    key_record.make(ledger, tmp_path, "ada", "validator", "root", AT)
    kept = json.loads((tmp_path / "keys.json").read_text())
    (digest,) = kept
    kept[digest]["role"] = "admin"
    (tmp_path / "keys.json").write_text(json.dumps(kept))
    assert key_record.unrecorded(ledger, tmp_path) == [access.Caller("ada", "admin")]


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "revoked"])
def test_a_key_that_ended_and_is_brought_back_is_unrecorded(ledger: Ledger, tmp_path: Path, replaced: bool) -> None:
    key_record.make(ledger, tmp_path, "Ada", "approver", "root", AT)
    former = (tmp_path / "keys.json").read_bytes()
    if replaced:
        key_record.make(ledger, tmp_path, "ada", "approver", "root", AT)
    else:
        key_record.ended(ledger, *access.revoke_key(tmp_path, "Ada"), "root", AT)
    assert key_record.unrecorded(ledger, tmp_path) == []
    (tmp_path / "keys.json").write_bytes(former)
    assert key_record.unrecorded(ledger, tmp_path) == [access.Caller("Ada", "approver")]
