"""A steady load of several callers on one service; what each was told, for a test to hold against the ledger."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import httpx


class Callers:
    """Callers that ask one question after another until the block ends: answers, other statuses, broken connections.

    `pause`: seconds each waits between two questions. Where a connection breaks they go on, unless `once`. `keyed`:
    each question has an idempotency key that begins so; those that had no answer are kept in `unanswered`.
    """

    def __init__(
        self,
        service: Any,
        bodies: Sequence[dict[str, Any]],
        count: int = 8,
        pause: float = 0.0,
        once: bool = False,
        keyed: str = "",
    ) -> None:
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.statuses: Counter[int] = Counter()
        self.broken: Counter[str] = Counter()
        self._service, self._bodies, self._pause, self._once = service, bodies, pause, once
        self.unanswered: list[dict[str, Any]] = []
        self._keyed = keyed
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(place,)) for place in range(count)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=90)

    def wait_for(self, more: int, seconds: float = 60.0) -> float:
        """Until so many more answers came; the seconds that took. Raises AssertionError where they do not come."""
        began, before = time.monotonic(), self.statuses[200]
        while self.statuses[200] < before + more:
            assert time.monotonic() - began < seconds, f"no {more} answers in {seconds} s: {dict(self.statuses)}"
            time.sleep(0.01)
        return time.monotonic() - began

    def _call(self, place: int) -> None:
        headers = dict(self._service.score.headers)
        with httpx.Client(base_url=self._service.address, headers=headers, timeout=60) as client:
            while not self._stop.wait(self._pause):
                place += 7
                body = self._bodies[place % len(self._bodies)]
                if self._keyed:
                    body = {**body, "idempotency_key": f"{self._keyed}-{threading.get_ident()}-{place}"}
                try:
                    answer = client.post("/v1/decide", json=body)
                except httpx.TransportError as error:
                    self.broken[type(error).__name__] += 1
                    if self._once:
                        return
                    time.sleep(0.02)
                    continue
                if answer.status_code == 200:
                    self.acknowledged[answer.json()["decision_id"]] = answer.json()
                elif self._keyed:
                    self.unanswered.append(body)
                self.statuses[answer.status_code] += 1
