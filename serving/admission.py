"""Who is let in: a bounded queue with one turn at a time, a deadline, and a rate for each key.

A service that takes in more than it can do ends up doing nothing in time. What is refused costs little and is told
when to come again; what is let in is done in the order it came.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from configs.settings import Serving


class Turnstile:
    """Lets one waiting request pass each time the event loop goes round, the first come first.

    Between two turns the loop reads sockets, refuses whom there is no room for and answers whose record is durable:
    without it, everything that arrived together would be worked off before anything is answered.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def turn(self) -> None:
        """Returns when it is this caller's turn; what it does until its next await is its turn."""
        loop = asyncio.get_running_loop()
        if self._taken:
            mine: asyncio.Future[None] = loop.create_future()
            self._waiting.append(mine)
            await mine
            return
        self._taken = True
        loop.call_soon(self._pass_on, loop)

    def _pass_on(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():  # one that was cancelled has left the queue
                following.set_result(None)
                loop.call_soon(self._pass_on, loop)
                return
        self._taken = False


@dataclass(slots=True)
class Bucket:
    """Tokens of one key: `per_second` more each second, `burst` at most. What was taken may exceed what is there.

    So a batch is let in whole, and who sent it waits until it is paid for.
    """

    per_second: float
    burst: float
    tokens: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until a request may be let in; 0: now."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        return max(0.0, (1 - self.tokens) / self.per_second)

    def take(self, count: int) -> None:
        """A request, or a batch of `count`, was let in."""
        self.tokens -= count


@dataclass(slots=True)
class Admission:
    """What one serving process has let in. All of it runs on the event loop, so nothing here is locked."""

    serving: Serving
    turnstile: Turnstile = field(default_factory=Turnstile)
    inside: int = 0
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def full(self) -> bool:
        """Whether as many requests are inside as may be."""
        return self.inside >= self.serving.queue

    def bucket(self, name: str, now: float) -> Bucket | None:
        """The tokens of the key of that name; None where no rate is set."""
        per_second, burst = self.serving.requests_per_second, float(self.serving.burst)
        if not per_second:
            return None
        if name not in self._buckets:
            self._buckets[name] = Bucket(per_second, burst, burst, now)
        return self._buckets[name]
