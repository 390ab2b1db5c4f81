"""Verification: an honest version derives again to the last bit, and no number can be changed unnoticed."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.errors import BundleError
from configs.settings import ValidationPolicy, parse
from training import verify
from training.bundle import Bundle, Parts, file_digest, load, write
from training.signature import PrivateKey, public_key, sign

NOW = "2026-01-31"


@pytest.fixture(scope="session")
def honest(examined: Parts, signer: PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(examined, tmp_path_factory.mktemp("honest"), NOW, signer)


@pytest.fixture(scope="session")
def bundle(honest: Path, signer: PrivateKey) -> Bundle:
    return load(honest, (public_key(signer),))


def leaves(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else None
    if items is None:
        yield path, values
        return
    for name, inner in items:
        yield from leaves(inner, (*path, name))


def put(values: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = json.loads(json.dumps(values))
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed


def forged(folder: Path, tmp_path: Path, change: Callable[[Path], None], signer: PrivateKey) -> Bundle:
    """The version with a file changed by one who holds the key: manifest, name and signature are made again."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    change(copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"] = {name: file_digest(copy / name) for name in manifest["files"]}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    sign(copy, (copy / "manifest.json").read_bytes(), signer)
    renamed = copy.rename(tmp_path / f"made_up-20260131-{file_digest(copy / 'manifest.json')[:10]}")
    return load(renamed, (public_key(signer),))


def test_an_honest_version_derives_again_to_the_last_bit(bundle: Bundle) -> None:
    compared, found = verify.verify(bundle)
    assert found == ()
    assert compared == len(list(leaves(bundle.validation))) + len(
        list(leaves({name: bundle.training[name] for name in ("gate", "auc_against_champion", "monotone")}))
    )


def test_a_number_changed_on_disk_is_named_though_the_manifest_agrees(
    honest: Path, signer: PrivateKey, tmp_path: Path
) -> None:
    def change(folder: Path) -> None:
        values = json.loads((folder / "validation.json").read_text())
        values["auc"]["value"] = np.nextafter(values["auc"]["value"], 1)
        (folder / "validation.json").write_text(json.dumps(values))

    _, found = verify.verify(forged(honest, tmp_path, change, signer))
    assert [one.place for one in found] == ["validation.json.auc.value"]


def test_an_outcome_changed_on_disk_is_noticed(honest: Path, signer: PrivateKey, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        rows = pd.read_parquet(folder / "predictions.parquet")
        rows.loc[0, "defaulted"] = 1 - rows.loc[0, "defaulted"]
        rows.to_parquet(folder / "predictions.parquet", index=False)

    places = {one.place for one in verify.verify(forged(honest, tmp_path, change, signer))[1]}
    assert {"validation.json.defaults", "validation.json.auc.value", "training.json.gate.checks[0].measured"} <= places


def test_every_value_of_the_report_is_held_to_the_predictions(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    # The derivation reads only `facts` of the report, so it is made once for all changes beyond them.
    derived = verify._validation(bundle, verify.facts_of(bundle.validation["facts"]), _policy(bundle))
    stored = json.loads(json.dumps(bundle.validation))
    for path, value in leaves(bundle.validation):
        place = reduce(getitem, path[:-1], stored)
        place[path[-1]] = _other(value)
        found = list(verify.differences(place, reduce(getitem, path[:-1], derived)))
        place[path[-1]] = value
        assert len(found) == 1, path


@pytest.mark.parametrize("fact", ["initial_rows", "initial_defaults", "feature_counts", "training_auc"])
def test_a_changed_fact_shows_in_the_numbers_made_of_it(bundle: Bundle, fact: str) -> None:
    path, value = next(
        (path, value) for path, value in leaves(bundle.validation["facts"][fact], ("facts", fact)) if value
    )
    other = dataclasses.replace(bundle, validation=put(bundle.validation, path, value + type(value)(1)))
    assert verify.verify(other)[1] != ()


def test_a_changed_verdict_of_the_gate_is_named(bundle: Bundle) -> None:
    passed = bundle.training["gate"]["passed"]
    other = dataclasses.replace(bundle, training=put(bundle.training, ("gate", "passed"), not passed))
    assert [one.place for one in verify.verify(other)[1]] == ["training.json.gate.passed"]


def test_a_changed_threshold_of_the_policy_is_noticed(bundle: Bundle) -> None:
    changed = put(bundle.training, ("run", "settings", "validation", "psi_red"), 0.5)
    found = verify.verify(dataclasses.replace(bundle, training=changed))[1]
    assert {one.place.rpartition(".")[2] for one in found} == {"red"}


def test_a_certificate_that_the_trees_do_not_give_is_named(bundle: Bundle) -> None:
    changed = put(bundle.training, ("monotone", "holds"), not bundle.training["monotone"]["holds"])
    found = verify.verify(dataclasses.replace(bundle, training=changed))[1]
    assert [one.place for one in found] == ["training.json.monotone.holds"]


def test_a_red_finding_taken_out_of_the_gates_answer_is_noticed(bundle: Bundle) -> None:
    leak = {"severity": "red", "subject": "closed_on"}
    found = verify.verify(dataclasses.replace(bundle, training={**bundle.training, "leakage": [leak]}))[1]
    assert "training.json.gate.checks[6].passed" in {one.place for one in found}


def test_a_version_from_before_reports_were_derivable_is_told_apart(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="nothing to derive its report from"):
        verify.verify(dataclasses.replace(bundle, validation={"auc": {"value": 0.7}}))


def test_what_is_told_names_place_stored_and_derived() -> None:
    told = verify.told("v1", 10, (verify.Difference("validation.json.ks", 0.5, 0.4),))
    assert told.splitlines() == [
        "v1: 1 of 10 values differ from what its predictions say",
        "  validation.json.ks: stored 0.5, derived 0.4",
    ]


def _policy(bundle: Bundle) -> Any:
    return parse(ValidationPolicy, bundle.training["run"]["settings"]["validation"], "test")


def _other(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return "another"
    return not value if isinstance(value, bool) else np.nextafter(value, 9e9) if isinstance(value, float) else value + 1
