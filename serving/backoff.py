"""When to try again what failed."""

from __future__ import annotations

FIRST_SECONDS = 2.0
LONGEST_SECONDS = 300.0


class Backoff:
    """Tries of a `what` for each name: at once when it is new, then 2, 4, 8 ... and at most 300 seconds apart.

    Times are seconds of a clock that only rises.
    """

    def __init__(self) -> None:
        self._failed: dict[str, tuple[str, int, float]] = {}

    def due(self, name: str, what: str, now: float) -> bool:
        """Whether `what` should be tried for `name`."""
        failed, _, again = self._failed.get(name, ("", 0, 0.0))
        return failed != what or now >= again

    def failed(self, name: str, what: str, now: float) -> None:
        """`what` was tried and failed."""
        before, times, _ = self._failed.get(name, ("", 0, 0.0))
        times = times + 1 if before == what else 1
        self._failed[name] = (what, times, now + min(FIRST_SECONDS * 2.0 ** min(times - 1, 30), LONGEST_SECONDS))

    def worked(self, name: str) -> None:
        """Forget what failed for `name`."""
        self._failed.pop(name, None)
