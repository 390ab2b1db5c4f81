"""Files that are there whole or not at all."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the name to write to, hidden beside `path`; it becomes `path` only when the block ends without an error.

    Of several processes that write one `path` at once each waits for the one before, and the last one's is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    with _held(unfinished):
        try:
            yield unfinished
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


@contextmanager
def _held(unfinished: Path) -> Iterator[None]:
    """The file of that name, made where it is not there, against all others."""
    while True:
        with unfinished.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_called(file.fileno(), unfinished):  # whoever held it before has given it its final name
                yield
                return


def _is_called(file: int, name: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), name.stat())
    except FileNotFoundError:
        return False


def make_once(path: Path, content: bytes) -> None:
    """A new file (mode 0600) at `path`, whole, however many processes try at once. Raises FileExistsError."""
    unfinished = beside(path, content)
    try:
        os.link(unfinished, path)  # unlike a rename, never over a file that is there
    finally:
        unfinished.unlink()


def beside(path: Path, content: bytes) -> Path:
    """A file (mode 0600) of a name of its own in the folder of `path`, its content on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
