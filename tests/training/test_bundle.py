"""The bundle: what was written scores bit for bit, and what was changed by a byte is refused before it is used."""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import BundleError
from features import kernel
from training import bundle as bundles
from training.bundle import Bundle, Parts, file_digest
from training.dataset import Dataset
from training.fit import raw_score
from training.signature import PrivateKey, public_key, sign

NOW = "2026-01-31"
FILES = (
    "model.txt",
    "calibration.json",
    "features.json",
    "scaling.json",
    "reference.parquet",
    "predictions.parquet",
    "golden.json",
    "validation.json",
    "training.json",
    "manifest.json",
    "manifest.sig",
)
KEY = PrivateKey.from_private_bytes(b"creditloop: the tests of bundles")
write = functools.partial(bundles.write, key=KEY)
load = functools.partial(bundles.load, trusted=(public_key(KEY),))


@pytest.fixture(scope="session")
def kept(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that no test changes."""
    return write(parts, tmp_path_factory.mktemp("kept"), NOW)


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(kept, tmp_path / kept.name))


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """LightGBM is out of reach: a damaged model text would end this process."""

    def reached(*_: Any, **__: Any) -> None:
        raise AssertionError("LightGBM was given a file that had not been checked")

    monkeypatch.setattr(lgb, "Booster", reached)


def versions(home: Path) -> list[str]:
    """What serving.champion would list."""
    return sorted(path.name for path in home.glob("[!.]*") if path.is_dir())


def test_a_bundle_read_back_gives_the_same_pds_bit_for_bit(
    kept: Path, parts: Parts, numbers: Callable[..., Dataset]
) -> None:
    values = numbers(500, seed=9).matrix
    before = parts.calibration.default_probability(raw_score(parts.booster, values))
    assert load(kept).default_probability(values).tobytes() == before.tobytes()


@pytest.mark.parametrize("part", ["calibration", "scale", "program.features", "program.digest", "product"])
def test_a_bundle_read_back_says_the_same(kept: Path, parts: Parts, part: str) -> None:
    made: Any = load(kept)
    given_: Any = parts
    for name in part.split("."):
        made, given_ = getattr(made, name), getattr(given_, name)
    assert made == given_


def test_a_bundle_read_back_keeps_the_reference_rows(kept: Path, parts: Parts) -> None:
    pd.testing.assert_frame_equal(load(kept).reference(), parts.reference, check_exact=True)


def test_a_version_is_named_by_product_day_and_content(kept: Path) -> None:
    assert load(kept).version == f"made_up-20260131-{file_digest(kept / 'manifest.json')[:10]}"


def test_the_digest_is_that_of_the_manifest(kept: Path) -> None:
    assert load(kept).digest == file_digest(kept / "manifest.json")


def test_the_manifest_names_every_other_file(kept: Path) -> None:
    named = json.loads((kept / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert (
        sorted([*named, "manifest.json", "manifest.sig"])
        == sorted(FILES)
        == sorted(path.name for path in kept.iterdir())
    )


def test_everything_stored_is_plain(kept: Path) -> None:
    for path in kept.iterdir():
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".parquet":
            assert pq.read_table(path).num_rows == 600
        elif path.suffix == ".sig":
            assert path.read_text(encoding="ascii").startswith(public_key(KEY))
        else:
            assert path.read_text(encoding="utf-8").startswith("tree\n")


def test_a_number_that_is_none_is_null_in_json(parts: Parts, tmp_path: Path) -> None:
    odd = dataclasses.replace(parts, validation={"rate": float("nan"), "grades": ({"high": float("inf")},)})
    assert load(write(odd, tmp_path, NOW)).validation == {"rate": None, "grades": [{"high": None}]}


def test_writing_twice_gives_the_same_version(kept: Path, parts: Parts) -> None:
    before = (kept / "manifest.json").stat().st_mtime_ns
    assert write(parts, kept.parent, NOW) == kept
    assert (kept / "manifest.json").stat().st_mtime_ns == before
    assert list(kept.parent.iterdir()) == [kept]


def test_writing_elsewhere_gives_the_same_bytes(kept: Path, parts: Parts, tmp_path: Path) -> None:
    other = write(parts, tmp_path, NOW)
    assert [(other / name).read_bytes() for name in FILES] == [(kept / name).read_bytes() for name in FILES]


def test_another_calibration_is_another_version(kept: Path, parts: Parts, tmp_path: Path) -> None:
    moved = dataclasses.replace(parts, calibration=dataclasses.replace(parts.calibration, intercept=0.2))
    assert write(moved, tmp_path, NOW).name != kept.name


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_in_any_file_is_refused(
    folder: Path, kept: Path, unread: None, name: str, data: st.DataObject
) -> None:
    whole = (kept / name).read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    (folder / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
    with pytest.raises(BundleError, match=r"do not use|not a manifest|bundle format"):
        load(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_file_cut_short_is_refused(folder: Path, unread: None, name: str, share: float) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BundleError):
        load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_its_name(folder: Path, unread: None, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        load(folder)


@pytest.mark.parametrize(
    "renamed",
    [
        lambda name: f"other-{name}",
        lambda name: name.removeprefix("made_"),
        lambda name: name.replace("20260131", "20260201"),
        lambda name: name[:-1] + ("0" if name[-1] != "0" else "1"),
        lambda _: "bundle",
    ],
)
def test_a_renamed_folder_is_refused_with_the_name_it_had(
    folder: Path, kept: Path, unread: None, renamed: Callable[[str], str]
) -> None:
    moved = folder.rename(folder.with_name(renamed(folder.name)))
    with pytest.raises(BundleError, match=f"this version is named {kept.name}"):
        load(moved)


@pytest.mark.parametrize("text", ["[]", "null", "3", '{"format": 1}', '{"format": 1, "files": 7}', "{", "\x00"])
def test_what_is_no_manifest_is_refused(folder: Path, unread: None, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match="not a manifest"):
        load(folder)


def test_an_empty_folder_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no manifest.json; this is not a model version"):
        load(tmp_path)


def resealed(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> Path:
    """`folder` with a JSON file changed by one who also puts the hashes and the signature right."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if name == "manifest.json":
        change(manifest)
    else:
        values = json.loads((folder / name).read_text(encoding="utf-8"))
        change(values)
        (folder / name).write_text(json.dumps(values), encoding="utf-8")
        manifest["files"][name] = file_digest(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    sign(folder, (folder / "manifest.json").read_bytes(), KEY)
    return folder.rename(folder.with_name(f"made_up-20260131-{file_digest(folder / 'manifest.json')[:10]}"))


def test_another_format_is_refused(folder: Path, unread: None) -> None:
    with pytest.raises(BundleError, match="bundle format 2, this installation reads 1"):
        load(resealed(folder, "manifest.json", lambda values: values.update(format=2)))


def test_another_program_hash_is_refused_with_the_way_out(folder: Path, unread: None) -> None:
    moved = resealed(folder, "features.json", lambda values: values.update(program="0" * 64))
    with pytest.raises(BundleError, match=r"made for feature program 000000000000, .*train again, or serve it with"):
        load(moved)


def test_a_bundle_of_another_kernel_is_refused(folder: Path, unread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "VERSION", kernel.VERSION + 1)
    with pytest.raises(BundleError, match="made for feature program"):
        load(folder)


def test_a_feature_that_is_declared_otherwise_here_is_refused(folder: Path, unread: None) -> None:
    def turn(values: dict[str, Any]) -> None:
        values["features"][0]["risk"] = "falls"

    with pytest.raises(BundleError, match="made for feature program"):
        load(resealed(folder, "features.json", turn))


def test_a_feature_not_declared_here_is_refused_by_name(folder: Path, unread: None) -> None:
    def rename(values: dict[str, Any]) -> None:
        values["features"][0].update(name="unheard_of", group="behavioral")

    with pytest.raises(BundleError, match="feature 'unheard_of' is not declared here"):
        load(resealed(folder, "features.json", rename))


def test_golden_rows_that_score_differently_are_refused(folder: Path) -> None:
    def nudge(values: dict[str, Any]) -> None:
        score = float.fromhex(values["raw_score"][3])
        values["raw_score"][3] = float(np.nextafter(score, np.inf)).hex()

    with pytest.raises(BundleError, match="the golden rows score differently here"):
        load(resealed(folder, "golden.json", nudge))


def test_the_golden_rows_keep_missing_values(kept: Path, parts: Parts) -> None:
    rows = json.loads((kept / "golden.json").read_text(encoding="utf-8"))["rows"]
    read = np.array([[float.fromhex(value) for value in row] for row in rows])
    np.testing.assert_array_equal(read, parts.golden)
    assert np.isnan(read).any()


@pytest.mark.parametrize("step", ["_write_files", "sign", "_sync", "file_digest"])
@pytest.mark.parametrize("error", [OSError("no space left on device"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_leaves_nothing(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(bundles, step, fails)
    with pytest.raises(type(error)):
        write(parts, tmp_path, NOW)
    assert list(tmp_path.iterdir()) == []


_CHILD = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from training import bundle
    from training.signature import PrivateKey

    loaded = bundle.load(Path(sys.argv[1]), (sys.argv[4],))
    parts = bundle.Parts(
        loaded.product, loaded.program, loaded.booster, loaded.calibration, loaded.scale,
        loaded.reference(), loaded.predictions(), loaded.reference()[list(loaded.program.names)].to_numpy()[:16],
        loaded.validation, {"written": "again"},
    )
    setattr(bundle, sys.argv[3], lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    bundle.write(parts, Path(sys.argv[2]), "2026-01-31", PrivateKey.generate())
""")


def test_a_kill_before_the_rename_leaves_nothing_that_looks_like_a_version(kept: Path, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", _CHILD, str(kept), str(tmp_path), "_sync", public_key(KEY)]
    child = subprocess.run(arguments, capture_output=True, text=True, timeout=100)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert list(tmp_path.iterdir()) != []
    assert versions(tmp_path) == []


def test_what_a_kill_left_does_not_stand_in_the_way_of_the_next_write(parts: Parts, tmp_path: Path) -> None:
    (tmp_path / ".unfinished-abc").mkdir()
    made = write(parts, tmp_path, NOW)
    assert versions(tmp_path) == [made.name] == [load(made).version]


def test_scores_do_not_depend_on_the_threads(kept: Path, numbers: Callable[..., Dataset]) -> None:
    bundle: Bundle = load(kept)
    values = numbers(500, seed=9).matrix
    assert bundle.raw_score(values, threads=1).tobytes() == bundle.raw_score(values, threads=2).tobytes()
