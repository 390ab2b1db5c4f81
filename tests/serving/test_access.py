"""Keys: only hashes at rest, readable by the owner alone, one key for each name."""

from __future__ import annotations

import hashlib
import json
import stat
import threading
from pathlib import Path

import pytest

from configs.errors import ConfigError, InputError
from serving import access
from serving.access import ACTIONS, caller, create_key, key_id, load_keys, revoke_key


def test_a_key_is_known_by_its_hash_alone(tmp_path: Path) -> None:
    key = create_key(tmp_path, "shop", "score")
    kept = json.loads((tmp_path / "keys.json").read_text())
    assert list(kept) == [hashlib.sha256(key.encode()).hexdigest()]


def test_no_file_of_the_home_holds_the_key(tmp_path: Path) -> None:
    key = create_key(tmp_path, "shop", "score")
    assert all(key not in path.read_text() for path in tmp_path.iterdir())


def test_only_the_owner_may_read_the_keys(tmp_path: Path) -> None:
    create_key(tmp_path, "shop", "score")
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_a_file_left_behind_by_a_kill_does_not_lend_its_mode(tmp_path: Path) -> None:
    (tmp_path / "keys.unfinished").touch(mode=0o644)
    create_key(tmp_path, "shop", "score")
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("authorization", ["Bearer {key}", "bearer {key}", "Bearer  {key} "])
def test_a_bearer_key_is_its_callers(tmp_path: Path, authorization: str) -> None:
    key = create_key(tmp_path, "shop", "score")
    found = caller(load_keys(tmp_path), authorization.format(key=key))
    assert found is not None
    assert found.name == "shop"


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer cl_unknown", "Basic {key}", "{key}"])
def test_anything_but_a_known_bearer_key_is_nobody(tmp_path: Path, authorization: str) -> None:
    key = create_key(tmp_path, "shop", "score")
    assert caller(load_keys(tmp_path), authorization.format(key=key)) is None


def test_the_hash_of_a_key_is_no_key(tmp_path: Path) -> None:
    key = create_key(tmp_path, "shop", "score")
    assert caller(load_keys(tmp_path), f"Bearer {hashlib.sha256(key.encode()).hexdigest()}") is None


def test_a_new_key_replaces_the_former_one_of_that_name(tmp_path: Path) -> None:
    former, new = create_key(tmp_path, "shop", "score"), create_key(tmp_path, "shop", "score")
    keys = load_keys(tmp_path)
    assert (caller(keys, f"Bearer {former}"), caller(keys, f"Bearer {new}") is not None) == (None, True)


def test_a_new_key_leaves_those_of_others(tmp_path: Path) -> None:
    other = create_key(tmp_path, "auditor", "read")
    create_key(tmp_path, "shop", "score")
    found = caller(load_keys(tmp_path), f"Bearer {other}")
    assert found is not None
    assert (found.name, found.role) == ("auditor", "read")


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("score", {"score", "read"}),
        ("read", {"read"}),
        ("outcome", {"outcome"}),
        ("override", {"override", "read"}),
        ("admin", set(ACTIONS)),
        ("developer", {"read", "train", "incident"}),
        ("validator", {"read", "validate", "approve", "review", "incident"}),
        ("approver", {*("read", "approve", "waive", "promote", "rollback", "refer", "review", "incident", "retire")}),
        (
            "risk",
            {
                *("read", "override", "waive", "rollback", "refer", "overlay", "customers", "erase", "hold"),
                *("review", "incident"),
            },
        ),
        ("auditor", {"read", "validate", "hold"}),
    ],
)
def test_a_role_may_what_it_covers(tmp_path: Path, role: str, may: set[str]) -> None:
    create_key(tmp_path, "shop", role)
    (found,) = load_keys(tmp_path).values()
    assert {action for action in ACTIONS if found.may(action)} == may


def test_an_unknown_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="role 'root': expected one of score, read, outcome, override, admin"):
        create_key(tmp_path, "shop", "root")


def test_no_key_file_means_no_callers(tmp_path: Path) -> None:
    assert load_keys(tmp_path) == {}


def test_a_revoked_key_is_nobodys_and_others_stay(tmp_path: Path) -> None:
    gone, stays = create_key(tmp_path, "shop", "score"), create_key(tmp_path, "auditor", "read")
    assert revoke_key(tmp_path, "shop")[1].name == "shop"
    keys = load_keys(tmp_path)
    assert (caller(keys, f"Bearer {gone}"), caller(keys, f"Bearer {stays}") is not None) == (None, True)


def test_a_key_that_is_revoked_while_another_is_made_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(tmp_path, "shop", "score")
    revoking = threading.Thread(target=revoke_key, args=(tmp_path, "shop"))
    write = access._write

    def slowly(home: Path, kept: dict[str, access.Caller]) -> None:
        if not revoking.ident:
            revoking.start()
            revoking.join(0.3)  # it is through by now, unless it waits for its turn
        write(home, kept)

    monkeypatch.setattr(access, "_write", slowly)
    create_key(tmp_path, "auditor", "read")
    revoking.join()
    assert [who.name for who in load_keys(tmp_path).values()] == ["auditor"]


def test_a_key_is_revoked_by_its_id_too(tmp_path: Path) -> None:
    create_key(tmp_path, "shop", "score")
    (digest,) = load_keys(tmp_path)
    revoke_key(tmp_path, key_id(digest))
    assert load_keys(tmp_path) == {}


@pytest.mark.parametrize("which", ["shopp", "", "0"])
def test_what_is_no_keys_name_or_id_revokes_nothing(tmp_path: Path, which: str) -> None:
    create_key(tmp_path, "shop", "score")
    with pytest.raises(InputError, match="is no key's name or id"):
        revoke_key(tmp_path, which)
    assert len(load_keys(tmp_path)) == 1


def test_two_keys_are_not_revoked_for_one_id(tmp_path: Path) -> None:
    kept = {f"{'a' * 60}{end}": {"name": end, "role": "read"} for end in ("0001", "0002")}
    (tmp_path / "keys.json").write_text(json.dumps(kept))
    with pytest.raises(InputError, match="more than one key's"):
        revoke_key(tmp_path, "a" * 8)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b'{"a": 1}',
        b'{"a": {"name": "shop"}}',
        b'{"a": {"name": "shop", "role": "root"}}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_of_keys_is_told_with_its_remedy(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "keys.json").write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"keys\.json: not a file of API keys: .*creditloop keys create"):
        load_keys(tmp_path)


def test_a_damaged_file_of_keys_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(b"{")
    with pytest.raises(ConfigError):
        create_key(tmp_path, "shop", "score")
    assert (tmp_path / "keys.json").read_bytes() == b"{"
