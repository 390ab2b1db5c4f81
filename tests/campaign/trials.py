"""How many trials a test makes, from which seed; and the count of them, for whoever follows the run."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from configs.whole import whole

SHARE, SEED, FOLLOWED = "CREDITLOOP_CAMPAIGN", "CREDITLOOP_CAMPAIGN_SEED", "CREDITLOOP_CAMPAIGN_FOLLOWED"
FIRST_SEED = 20261126
_EACH = 0.3  # seconds between two notes for who follows


class Trials:
    """The trials of one test. Several threads may count.

    `followed` is the file that says how far the test is; without one nobody is told.
    """

    def __init__(self, count: int, seed: int, followed: Path | None = None) -> None:
        self.count, self.seed = count, seed
        self._followed, self._noted, self._turn = followed, 0.0, threading.Lock()
        self._told: dict[str, Any] = {"wanted": count, "tried": 0, "failed": 0, "facts": {}}

    def __iter__(self) -> Iterator[int]:
        """The number of each trial; one is counted as tried when the next is asked for."""
        for number in range(self.count):
            yield number
            self.done()

    def done(self, more: int = 1) -> None:
        """So many more were tried, and held."""
        with self._turn:
            self._told["tried"] += more
            if time.monotonic() - self._noted > _EACH:
                self._note()

    def found(self, **facts: Any) -> None:
        """What the trials showed, beside that they held: it goes into the result."""
        with self._turn:
            self._told["facts"] |= facts
            self._note()

    def failed(self, told: str) -> None:
        """The trial that was under way did not hold, and the test ended there."""
        with self._turn:
            self._told |= {"tried": self._told["tried"] + 1, "failed": 1, "failure": told}
            self._note()

    def skipped(self, told: str) -> None:
        """Nothing can be tried on this machine."""
        with self._turn:
            self._told["skipped"] = told
            self._note()

    def ended(self) -> None:
        """No more will come."""
        with self._turn:
            self._note()

    def _note(self) -> None:
        self._noted = time.monotonic()
        if self._followed is not None:
            with whole(self._followed) as unfinished:
                unfinished.write_text(json.dumps(self._told), encoding="utf-8")
