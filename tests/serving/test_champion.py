"""The champion: promoted on record, by compare-and-swap, and loaded only as the bytes that were promoted."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import BundleError, Refusal
from serving import champion
from serving.champion import Promotion
from serving.ledger import Ledger
from training.bundle import Bundle

NAME = "consumer_platform"
AT = "2026-01-31T00:00:00+00:00"


def promote(ledger: Ledger, bundle: Bundle, expected: Promotion | None) -> Promotion:
    return champion.promote(ledger, bundle, expected, "a person", "a reason", AT)


@pytest.fixture
def home(tmp_path: Path, bundle: Bundle, trust: Callable[[Path, Bundle], None]) -> Path:
    """A home that holds the first version."""
    shutil.copytree(bundle.folder, champion.bundle_folder(tmp_path, NAME, bundle.version))
    trust(tmp_path, bundle)
    return tmp_path


def test_before_the_first_promotion_there_is_no_champion(ledger: Ledger) -> None:
    assert champion.current(ledger, NAME) is None


def test_loading_without_a_champion_is_refused_with_the_command_that_helps(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=f"creditloop models promote --product {NAME}"):
        champion.load_champion(ledger, tmp_path, NAME)


def test_what_was_promoted_is_current(ledger: Ledger, bundle: Bundle) -> None:
    made = promote(ledger, bundle, None)
    assert champion.current(ledger, NAME) == made


def test_a_promotion_names_who_why_and_in_place_of_what(ledger: Ledger, bundle: Bundle, successor: Bundle) -> None:
    made = promote(ledger, successor, promote(ledger, bundle, None))
    assert (made.previous, made.by, made.reason) == (bundle.version, "a person", "a reason")


def test_another_products_promotion_moves_nothing(ledger: Ledger, bundle: Bundle) -> None:
    promote(ledger, replace(bundle, product="another"), None)
    assert champion.current(ledger, NAME) is None


def test_promoting_over_a_pointer_that_moved_is_refused(ledger: Ledger, bundle: Bundle, successor: Bundle) -> None:
    promote(ledger, bundle, None)
    with pytest.raises(Refusal, match="somebody was faster"):
        promote(ledger, successor, None)


def test_a_refused_promotion_leaves_the_champion(ledger: Ledger, bundle: Bundle, successor: Bundle) -> None:
    first = promote(ledger, bundle, None)
    promote(ledger, successor, first)
    with pytest.raises(Refusal):
        promote(ledger, bundle, first)
    found = champion.current(ledger, NAME)
    assert found is not None
    assert found.version == successor.version


def test_one_can_go_back_and_forth_between_two_versions(ledger: Ledger, bundle: Bundle, successor: Bundle) -> None:
    expected: Promotion | None = None
    for made in (bundle, successor) * 3:
        expected = promote(ledger, made, expected)
    assert [record.entry.subject for record in ledger.records("promotion")] == [bundle.version, successor.version] * 3


def test_of_concurrent_promoters_exactly_one_wins(tmp_path: Path, bundle: Bundle) -> None:
    barrier = threading.Barrier(6)

    def run(_: int) -> bool:
        ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
        barrier.wait()
        try:
            promote(ledger, bundle, None)
        except Refusal:
            return False
        finally:
            ledger.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(run, range(6))) == 1


def test_the_champion_loads(ledger: Ledger, home: Path, bundle: Bundle) -> None:
    promote(ledger, bundle, None)
    assert champion.load_champion(ledger, home, NAME).digest == bundle.digest


@pytest.mark.parametrize("name", ["model.txt", "calibration.json", "scaling.json", "golden.json", "reference.parquet"])
def test_a_champion_with_a_changed_byte_is_refused(ledger: Ledger, home: Path, bundle: Bundle, name: str) -> None:
    promote(ledger, bundle, None)
    path = champion.bundle_folder(home, NAME, bundle.version) / name
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    with pytest.raises(BundleError, match="do not use"):
        champion.load_champion(ledger, home, NAME)


def test_a_whole_bundle_that_is_not_the_promoted_one_is_refused(ledger: Ledger, home: Path, bundle: Bundle) -> None:
    """Somebody put a well-made bundle in the place of the promoted one: only the ledger can tell."""
    promote(ledger, replace(bundle, digest="0" * 64), None)
    with pytest.raises(BundleError, match="not the bytes that were promoted"):
        champion.load_champion(ledger, home, NAME)


def test_a_champion_that_is_gone_is_refused(ledger: Ledger, tmp_path: Path, bundle: Bundle) -> None:
    promote(ledger, bundle, None)
    with pytest.raises(BundleError, match="this is not a model version"):
        champion.load_champion(ledger, tmp_path, NAME)


def test_a_champion_that_a_key_not_trusted_here_signed_is_refused(ledger: Ledger, home: Path, bundle: Bundle) -> None:
    promote(ledger, bundle, None)
    (home / "signing" / "key.pub").write_text("0" * 64 + "\n")
    with pytest.raises(BundleError, match=r"which is not trusted here; .*add it to signing\.trusted"):
        champion.load_champion(ledger, home, NAME)


def test_an_unfinished_version_is_not_listed(home: Path, bundle: Bundle) -> None:
    (home / "bundles" / NAME / ".unfinished-1").mkdir()
    assert champion.versions(home, NAME) == [bundle.version]
