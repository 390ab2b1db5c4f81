"""Model versions in a place that several homes share: a folder or an S3-compatible store, by URL (stores.bundles).

A version goes up file by file, its manifest last, so that one without a manifest is not there yet; it comes down into
a hidden folder that is renamed at the end. What comes down is loaded as any version is: signature and hashes first.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pyarrow import fs

from configs.errors import BundleError, ConfigError
from training.bundle import MANIFEST


def push(folder: Path, url: str) -> None:
    """Copy the version in `folder`, by product and name, to the place of `url`; what is there whole is left.

    Raises ConfigError for a URL that is none, BundleError where the place cannot be written.
    """
    with _told(url):
        store, root = _opened(url)
        at = f"{root}/{folder.parent.name}/{folder.name}"
        if _holds(store, f"{at}/{MANIFEST}", (folder / MANIFEST).read_bytes()):
            return
        store.create_dir(at, recursive=True)
        last = folder / MANIFEST
        for path in [*sorted(path for path in folder.iterdir() if path != last), last]:
            content = path.read_bytes()
            with store.open_output_stream(f"{at}/{path.name}") as written:
                written.write(content)


def _holds(store: fs.FileSystem, at: str, content: bytes) -> bool:
    """Whether the file is there with just this content: one that was cut off is written again."""
    if store.get_file_info(at).type != fs.FileType.File:
        return False
    with store.open_input_stream(at) as read:
        return bool(read.read() == content)


def pull(url: str, product: str, version: str, home: Path) -> Path:
    """Copy a version from the place of `url` below `home`/bundles, and return its folder; one that is there is left.

    Raises ConfigError for a URL that is none, BundleError where the place cannot be read or has no such version.
    """
    folder = home / "bundles" / product / version
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        with _told(url):
            _copy_down(url, f"{product}/{version}", unfinished)
        if folder.exists():  # another process was faster: the same bytes, or load refuses them
            shutil.rmtree(unfinished)
        else:
            unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return folder


def versions(url: str, product: str) -> list[str]:
    """The names of the versions of a product that are there whole. Raises as `pull` does."""
    with _told(url):
        store, root = _opened(url)
        below = fs.FileSelector(f"{root}/{product}", allow_not_found=True, recursive=True)
        found = [Path(info.path) for info in store.get_file_info(below) if info.base_name == MANIFEST]
    return sorted(path.parent.name for path in found)


def _copy_down(url: str, at: str, into: Path) -> None:
    store, root = _opened(url)
    files = store.get_file_info(fs.FileSelector(f"{root}/{at}", allow_not_found=True))
    if MANIFEST not in {info.base_name for info in files}:
        raise BundleError(f"stores.bundles: no version {at}")
    for info in files:
        with store.open_input_stream(info.path) as read, (into / info.base_name).open("wb") as written:
            shutil.copyfileobj(read, written)
            written.flush()
            os.fsync(written.fileno())


def _opened(url: str) -> tuple[fs.FileSystem, str]:
    try:
        store, root = fs.FileSystem.from_uri(url)
    except (ValueError, NotImplementedError):  # Arrow's own words hold the URL, and that may hold a key
        raise ConfigError("stores.bundles: expected s3://BUCKET/PREFIX?region=... or file:///FOLDER") from None
    return store, root.rstrip("/")


@contextmanager
def _told(url: str) -> Iterator[None]:
    """An error of the place, without what of its URL may be secret."""
    try:
        yield
    except OSError as error:
        parts = urlsplit(url)
        place = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
        raise BundleError(f"stores.bundles: {place}: {error.__class__.__name__}: {error}") from None
