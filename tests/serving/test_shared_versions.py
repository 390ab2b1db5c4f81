"""One ledger and one place of versions, two homes: what is trained in one is served, and replayed, in the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from configs.errors import BundleError
from configs.settings import Product, load_settings
from serving import champion
from serving.ledger import Ledger, open_ledger
from training import depot
from training.bundle import Bundle

NOW = "2026-01-31T00:00:00+00:00"


@pytest.fixture
def other(tmp_path: Path, bundle: Bundle, trust) -> tuple[Path, Ledger]:
    """A home without a version, that knows the folder where they lie, and a ledger in which one is champion."""
    return _home(tmp_path, (tmp_path / "place").as_uri(), bundle, trust)


def _home(tmp_path: Path, place: str, bundle: Bundle, trust) -> tuple[Path, Ledger]:
    depot.push(bundle.folder, place)
    home = tmp_path / "other"
    home.mkdir()
    (home / "creditloop.toml").write_text(f'[stores]\nbundles = "{place}"\n')
    trust(home, bundle)
    ledger = open_ledger(load_settings(home))
    champion.promote(ledger, bundle, None, "tests", "the first", NOW)
    return home, ledger


def test_a_home_without_the_champion_brings_it(other: tuple[Path, Ledger], bundle: Bundle, product: Product) -> None:
    home, ledger = other
    assert champion.champion_scorer(ledger, home, product).bundle.digest == bundle.digest
    assert (home / "bundles" / bundle.product / bundle.version / "manifest.json").is_file()


def test_a_home_brings_the_champion_from_a_store_of_objects(tmp_path: Path, bucket: str, bundle: Bundle, trust) -> None:
    home, ledger = _home(tmp_path, bucket, bundle, trust)
    assert champion.versions(home, bundle.product) == [bundle.version]
    brought = champion.load_champion(ledger, home, bundle.product)
    assert brought.digest == bundle.digest
    assert brought.folder.is_relative_to(home)


def test_a_version_of_the_shared_place_can_be_named(other: tuple[Path, Ledger], bundle: Bundle) -> None:
    assert champion.versions(other[0], bundle.product) == [bundle.version]


def test_a_version_that_was_changed_in_the_place_is_not_served(
    other: tuple[Path, Ledger], tmp_path: Path, bundle: Bundle
) -> None:
    home, ledger = other
    (tmp_path / "place" / bundle.product / bundle.version / "model.txt").write_text("tree\nanother\n")
    with pytest.raises(BundleError, match="not the bytes its manifest names"):
        champion.load_champion(ledger, home, bundle.product)


def test_a_version_by_a_stranger_is_not_served(other: tuple[Path, Ledger], bundle: Bundle) -> None:
    home, ledger = other
    (home / "signing" / "key.pub").write_text("0" * 64 + "\n")
    with pytest.raises(BundleError, match="not trusted here"):
        champion.load_champion(ledger, home, bundle.product)


def test_a_place_that_is_gone_does_not_take_a_version_of_the_home_away(
    other: tuple[Path, Ledger], tmp_path: Path, bundle: Bundle
) -> None:
    home, ledger = other
    champion.load_champion(ledger, home, bundle.product)
    shutil.rmtree(tmp_path / "place")
    assert champion.load_champion(ledger, home, bundle.product).version == bundle.version
