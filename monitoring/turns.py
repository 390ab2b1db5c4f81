"""One at a time: a lock that the system lets go of when its process ends, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.errors import Refusal


@contextmanager
def only_one(home: Path, what: str, product: str) -> Iterator[None]:
    """Hold the lock of `what` for a product, on this machine's home folder; Refusal where another process has it.

    The file stays; what counts is the lock of the kernel (flock), so that a killed process leaves nothing behind.
    """
    path = home / f"{what}-{product}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(f"{product}: a {what} is running already") from None
        yield
