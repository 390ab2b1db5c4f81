"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the name to write to, hidden beside `path`; it becomes `path` only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    yield unfinished
    unfinished.replace(path)


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
