"""Who acts: read from a key, never from what somebody writes; the role decides what they may."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from configs.errors import InputError, Refusal
from configs.settings import Settings, load_settings
from serving import access
from serving.identity import Person, acting, keeper_of_keys


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A fresh home; nobody's key is in the environment."""
    monkeypatch.delenv("CREDITLOOP_KEY", raising=False)
    monkeypatch.delenv("CREDITLOOP_KEY_FILE", raising=False)
    return load_settings(tmp_path)


def said(by: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(by=by)


def test_who_holds_the_key_is_who_acts(house: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITLOOP_KEY", access.create_key(house.home, "Ada", "approver"))
    assert acting(said(), house, "promote") == Person("Ada", "approver")


def test_a_key_may_lie_in_a_file(house: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ada.key").write_text(access.create_key(house.home, "Ada", "approver") + "\n")
    monkeypatch.setenv("CREDITLOOP_KEY_FILE", str(tmp_path / "ada.key"))
    assert acting(said(), house, "promote").name == "Ada"


def test_without_a_key_nobody_acts_and_the_way_out_is_told(house: Settings) -> None:
    with pytest.raises(InputError, match=r"export CREDITLOOP_KEY=\$\(creditloop keys create YOU --role admin\)"):
        acting(said("Ada"), house, "promote")


def test_nobody_acts_in_another_name_than_their_keys(house: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITLOOP_KEY", access.create_key(house.home, "Ada", "approver"))
    assert acting(said(" ADA "), house, "approve").name == "Ada"
    with pytest.raises(InputError, match="the key is Ada's"):
        acting(said("Ben"), house, "approve")


def test_a_role_that_may_not_is_refused_with_those_that_may(house: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITLOOP_KEY", access.create_key(house.home, "Dan", "developer"))
    with pytest.raises(Refusal, match="Dan has the role developer; promote needs one of admin, approver"):
        acting(said(), house, "promote")


@pytest.mark.parametrize("role", ["score", "read", "outcome", "override"])
def test_a_machine_is_no_person(house: Settings, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITLOOP_KEY", access.create_key(house.home, "shop", role))
    with pytest.raises(InputError, match="belongs to no person"):
        acting(said(), house, "read")


def test_a_revoked_key_is_nobodys(house: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITLOOP_KEY", access.create_key(house.home, "Ada", "approver"))
    access.revoke_key(house.home, "Ada")
    with pytest.raises(InputError, match="belongs to no person"):
        acting(said(), house, "read")


def test_a_name_is_enough_only_where_the_settings_say_so(tmp_path: Path) -> None:
    named = load_settings(tmp_path, {"governance": {"identity": "named"}})
    assert acting(said("Ada"), named, "promote") == Person("Ada", "named")
    with pytest.raises(InputError, match="--by NAME"):
        acting(said(" "), named, "promote")


def test_keys_are_free_to_make_until_there_is_an_administrator(
    house: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    access.create_key(house.home, "shop", "score")
    assert keeper_of_keys(said(), house) is None
    key = access.create_key(house.home, "Root", "admin")
    with pytest.raises(InputError, match="CREDITLOOP_KEY is not set"):
        keeper_of_keys(said(), house)
    monkeypatch.setenv("CREDITLOOP_KEY", access.create_key(house.home, "Ada", "approver"))
    with pytest.raises(Refusal, match="keys needs one of admin"):
        keeper_of_keys(said(), house)
    monkeypatch.setenv("CREDITLOOP_KEY", key)
    assert keeper_of_keys(said(), house) == Person("Root", "admin")


def test_one_person_does_not_hold_two_keys_by_writing_their_name_otherwise(house: Settings) -> None:
    access.create_key(house.home, "Ada", "approver")
    access.create_key(house.home, " ADA", "validator")
    assert [(who.name, who.role) for who in access.load_keys(house.home).values()] == [("ADA", "validator")]


def test_the_key_of_nobody_is_not_made(house: Settings) -> None:
    with pytest.raises(InputError, match="must not be empty"):
        access.create_key(house.home, " ", "approver")
