"""The champion: promoted on record, by compare-and-swap, and loaded only as the bytes that were promoted."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import BundleError, InputError, Refusal
from configs.settings import Product
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


def promotions(ledger: Ledger, bundle: Bundle, *versions: str) -> list[Promotion]:
    made: list[Promotion] = []
    for version in versions:
        made.append(promote(ledger, replace(bundle, version=version), made[-1] if made else None))
    return made


def undo(ledger: Ledger, bundle: Bundle) -> str:
    """A rollback, without the folders."""
    expected, back = champion.current(ledger, NAME), champion.former(ledger, NAME)
    assert expected is not None
    made = replace(bundle, version=back.version)
    return champion.promote(ledger, made, expected, "a person", "why", AT, expected.record_id).version


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("who", " "), ("\t", "")])
def test_a_promotion_without_a_name_or_a_reason_is_refused(
    ledger: Ledger, bundle: Bundle, by: str, reason: str
) -> None:
    with pytest.raises(InputError, match="neither may be empty"):
        champion.promote(ledger, bundle, None, by, reason, AT)


def test_a_rollback_makes_the_former_champion_the_champion_again_on_record(
    ledger: Ledger, home: Path, product: Product, bundle: Bundle, successor: Bundle
) -> None:
    second = promote(ledger, successor, promote(ledger, bundle, None))
    made = champion.rollback(ledger, home, product, "a person", "it declines everybody", AT)
    assert (made.version, made.previous, made.undoes) == (bundle.version, successor.version, second.record_id)
    assert champion.current(ledger, NAME) == made
    assert champion.history(ledger, NAME)[-1] == made


def test_rollbacks_go_back_one_champion_each(ledger: Ledger, bundle: Bundle) -> None:
    promotions(ledger, bundle, "a", "b", "c")
    assert [undo(ledger, bundle), undo(ledger, bundle)] == ["b", "a"]


def test_a_promotion_after_a_rollback_is_rolled_back_to_where_it_began(ledger: Ledger, bundle: Bundle) -> None:
    promotions(ledger, bundle, "a", "b")
    undo(ledger, bundle)
    promote(ledger, replace(bundle, version="c"), champion.current(ledger, NAME))
    assert undo(ledger, bundle) == "a"


def test_a_version_promoted_twice_in_a_row_is_not_its_own_former_champion(ledger: Ledger, bundle: Bundle) -> None:
    promotions(ledger, bundle, "a", "b", "b")
    assert champion.former(ledger, NAME).version == "a"


@pytest.mark.parametrize("versions", [(), ("a",), ("a", "a")])
def test_without_a_former_champion_there_is_no_way_back(
    ledger: Ledger, bundle: Bundle, versions: tuple[str, ...]
) -> None:
    promotions(ledger, bundle, *versions)
    with pytest.raises(Refusal, match="no former champion"):
        champion.former(ledger, NAME)


def test_a_damaged_former_champion_is_not_gone_back_to(
    ledger: Ledger, home: Path, product: Product, bundle: Bundle, successor: Bundle
) -> None:
    second = promote(ledger, successor, promote(ledger, bundle, None))
    (champion.bundle_folder(home, NAME, bundle.version) / "model.txt").write_text("tree\n")
    with pytest.raises(BundleError, match="do not use"):
        champion.rollback(ledger, home, product, "a person", "why", AT)
    assert champion.current(ledger, NAME) == second


def test_what_was_live_is_the_last_promotion_by_then(ledger: Ledger, bundle: Bundle) -> None:
    first = champion.promote(ledger, bundle, None, "a", "b", "2026-01-31T10:00:00+00:00")
    champion.promote(ledger, bundle, first, "a", "b", "2026-02-28T10:00:00+00:00")
    found = [
        champion.live_at(ledger, NAME, dt.datetime.fromisoformat(moment))
        for moment in ("2026-01-31T09:59:59+00:00", "2026-01-31T11:00:00+01:00", "2026-02-28T09:59:59+00:00")
    ]
    assert found == [None, first, first]


def test_versions_of_one_day_are_listed_by_the_time_they_were_made(tmp_path: Path) -> None:
    names = [f"{NAME}-20260101-{end}" for end in ("ffff", "aaaa", "cccc")]
    for number, name in enumerate([*names, f"{NAME}-20251231-eeee"]):
        manifest = champion.bundle_folder(tmp_path, NAME, name) / "manifest.json"
        manifest.parent.mkdir(parents=True)
        manifest.touch()
        os.utime(manifest, (1000 + number, 1000 + number))
    assert champion.versions(tmp_path, NAME) == [f"{NAME}-20251231-eeee", *names]
