"""Versions in a shared place: what went up comes down byte for byte, or nothing does. A folder and a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import BundleError, ConfigError
from training import depot

PRODUCT, VERSION = "shop", "shop-20260101-0123456789"


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place: a folder, or a bucket of its own."""
    return (tmp_path / "depot").as_uri() if request.param == "folder" else request.getfixturevalue("bucket")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version's folder; what its files say is no matter here."""
    made = tmp_path / "home" / "bundles" / PRODUCT / VERSION
    made.mkdir(parents=True)
    for name in ("manifest.json", "manifest.sig", "model.txt", "empty.json"):
        (made / name).write_bytes(b"" if name.startswith("empty") else name.encode() * 1000)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_went_up_comes_down_byte_for_byte(url: str, folder: Path, tmp_path: Path) -> None:
    depot.push(folder, url)
    assert depot.versions(url, PRODUCT) == [VERSION]
    down = depot.pull(url, PRODUCT, VERSION, tmp_path / "other")
    assert down == tmp_path / "other" / "bundles" / PRODUCT / VERSION
    assert contents(down) == contents(folder)


def test_a_version_that_is_there_is_not_written_again(url: str, folder: Path, tmp_path: Path) -> None:
    depot.push(folder, url)
    (folder / "model.txt").write_bytes(b"another")
    depot.push(folder, url)
    assert contents(depot.pull(url, PRODUCT, VERSION, tmp_path / "other"))["model.txt"] == b"model.txt" * 1000


def test_a_version_whose_manifest_did_not_arrive_is_not_there(
    url: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def fails(path: Path) -> bytes:
        if path.name == "model.txt":
            raise OSError("power cut")
        return read(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", fails)
        with pytest.raises(BundleError, match="power cut"):
            depot.push(folder, url)
    assert depot.versions(url, PRODUCT) == []
    with pytest.raises(BundleError, match=f"no version {PRODUCT}/{VERSION}"):
        depot.pull(url, PRODUCT, VERSION, tmp_path / "other")
    depot.push(folder, url)
    assert depot.versions(url, PRODUCT) == [VERSION]


def test_a_manifest_that_was_cut_off_is_written_again(folder: Path, tmp_path: Path) -> None:
    url = (tmp_path / "depot").as_uri()
    depot.push(folder, url)
    there = tmp_path / "depot" / PRODUCT / VERSION / "manifest.json"
    there.write_bytes(there.read_bytes()[:10])
    depot.push(folder, url)
    assert there.read_bytes() == (folder / "manifest.json").read_bytes()


def test_nothing_is_left_of_a_version_that_did_not_come_down(url: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no version"):
        depot.pull(url, PRODUCT, VERSION, tmp_path / "home")
    assert list((tmp_path / "home" / "bundles" / PRODUCT).iterdir()) == []


def test_a_version_of_the_home_is_taken_as_it_is(folder: Path) -> None:
    assert depot.pull("file:///nowhere", PRODUCT, VERSION, folder.parents[2]) == folder


@pytest.mark.parametrize("url", ["ftp://host/x", "no url", "s3:/"])
def test_a_url_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="expected s3://BUCKET") as told:
        depot.versions(url, PRODUCT)
    assert url not in str(told.value).replace("s3://BUCKET", "")


def test_a_place_that_does_not_answer_is_told_without_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_answer(url: str) -> None:
        raise OSError("no route")

    monkeypatch.setattr(depot, "_opened", no_answer)
    with pytest.raises(BundleError, match=r"stores\.bundles: s3://bucket/x: OSError: no route") as told:
        depot.versions("s3://KEY:hush@bucket/x?region=us-east-1", PRODUCT)
    assert "hush" not in str(told.value)
