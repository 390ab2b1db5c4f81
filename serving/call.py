"""One request that was let in, as the operations see it; and an answer that is not plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.access import Caller
from serving.admission import Bucket, Turnstile
from serving.live import Live


@dataclass(frozen=True, slots=True)
class Call:
    """A request: its body as read by the route (`asked`), its media type, the name in its path, its query, whose."""

    live: Live
    turnstile: Turnstile
    asked: Any
    media: str
    name: str
    query: Mapping[str, str]
    caller: Caller
    bucket: Bucket | None = None

    def pay(self, count: int) -> None:
        """Count this request as `count`, where its key has a rate."""
        if self.bucket is not None:
            self.bucket.take(count)


@dataclass(frozen=True, slots=True)
class Reply:
    """A body as it is to be sent, with its media type."""

    body: bytes
    media: str
