"""One at a time, across processes."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.errors import Refusal


@contextmanager
def only_one(path: Path, told: str) -> Iterator[None]:
    """Hold the lock file `path`; Refusal with `told` where another holds it.

    The system lets go of it when the process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(told) from None
        yield


@contextmanager
def making(url: str) -> Iterator[Path | None]:
    """The file of a SQLite database while nobody else makes it, None for a database that is no file or of another kind.

    Of processes that are the first at once each would find a half of what the other makes.
    """
    kind, _, named = url.partition(":///")
    file = named.partition("?")[0]
    if kind.partition("+")[0] != "sqlite" or file in ("", ":memory:"):
        yield None
        return
    path = Path(file)
    with in_turn(path.with_name(f".{path.name}.lock")):
        yield path


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, once whoever holds it has let go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
