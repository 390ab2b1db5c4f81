"""Licences as packages declare them, in one wording, and the bill of what is installed."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import creditloop
from governance.software import LOCK, Licence, bill_of_software, hashes_of, licence_of

MODEL = {"type": "machine-learning-model", "name": "a" * 64}
GRANT = "Permission is hereby granted,\nfree of charge, to any person obtaining\n a copy of this"


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a package `odd` that declares its licence so."""

    def made(*lines: str, file: str = "") -> Licence | None:
        folder = tmp_path / "odd-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", "Name: odd", "Version: 1.0", *lines, ""]))
        (folder / "LICENSE").write_text(file)
        (folder / "RECORD").write_text("odd-1.0.dist-info/LICENSE,,\n")
        monkeypatch.syspath_prepend(tmp_path)
        return licence_of("odd")

    return made


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["License-Expression: MIT AND X-1", "License: MIT"], Licence("MIT AND X-1", spdx=True)),
        (["License: Apache License, Version 2.0"], Licence("Apache-2.0", spdx=True)),
        (["License: MIT OR Apache-2.0"], Licence("MIT OR Apache-2.0", spdx=True)),
        (["License: BSD", "Classifier: License :: OSI Approved :: BSD License"], Licence("BSD", spdx=False)),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"], Licence("MIT", spdx=True)),
        (["License: " + "word " * 20, "Classifier: License :: X :: BSD License"], Licence("BSD License", spdx=False)),
        (["Classifier: License :: A", "Classifier: License :: B"], Licence("A; B", spdx=False)),
        (["Classifier: License :: OSI Approved"], None),
    ],
)
def test_a_licence_has_one_wording_wherever_it_is_declared(declared, lines: list[str], found: Licence | None) -> None:
    assert declared(*lines) == found


def test_a_package_that_says_nothing_is_known_by_the_words_of_its_file(declared) -> None:
    assert declared(file=GRANT) == Licence("MIT, by its file", spdx=False)


def test_a_package_that_is_not_there_is_an_error() -> None:
    with pytest.raises(PackageNotFoundError):
        licence_of("no-such-package-of-ours")


def test_the_bill_is_of_what_is_installed_with_the_hashes_of_the_lock() -> None:
    bill = bill_of_software(LOCK, MODEL)
    found = {one["name"]: one for one in bill["components"]}
    assert (bill["bomFormat"], found["lightgbm"]["version"]) == ("CycloneDX", version("lightgbm"))
    assert [one["content"] for one in found["lightgbm"]["hashes"]] == [
        *hashes_of(LOCK.read_text(encoding="utf-8"))["lightgbm", version("lightgbm")]
    ]
    assert found["lightgbm"]["licenses"] == [{"expression": "MIT"}]
    assert found["numba"]["licenses"] == [{"license": {"name": "BSD"}}]
    assert bill == bill_of_software(LOCK, MODEL)


def test_the_bill_says_who_asks_for_whom() -> None:
    bill = bill_of_software(LOCK, MODEL)
    asked = {one["ref"].split("@")[0]: {ref.split("@")[0] for ref in one["dependsOn"]} for one in bill["dependencies"]}
    assert {"pkg:pypi/numpy", "pkg:pypi/scipy"} <= asked["pkg:pypi/lightgbm"]
    assert "pkg:pypi/dask" not in asked["pkg:pypi/lightgbm"]  # only for one of its extras
    refs = {one["bom-ref"] for one in bill["components"]}
    assert all({one["ref"], *one["dependsOn"]} <= refs for one in bill["dependencies"])


def test_a_version_the_lock_does_not_name_has_no_hashes(tmp_path: Path) -> None:
    assert not any("hashes" in one for one in bill_of_software(tmp_path / "no.lock", MODEL)["components"])


def test_the_command_writes_the_bill_and_tells_what_is_odd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert creditloop.main(["governance", "software", "--json", "--out", str(tmp_path / "bill.json")]) == 0
    told, bill = json.loads(capsys.readouterr().out), json.loads((tmp_path / "bill.json").read_text())
    assert bill["metadata"]["component"] == {"type": "application", "name": "creditloop"}
    assert told["components"] == len(bill["components"])
    assert not any(one.startswith(("lightgbm ", "numpy ")) for one in told["not_as_locked"])
