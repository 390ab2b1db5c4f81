"""A request as ASGI hands it over: its headers, query and body, read no further than is allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from serving import problems
from serving.problems import refused

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Request:
    """What ASGI gives of a request."""

    scope: Scope
    headers: dict[bytes, bytes]
    receive: Receive

    def media(self) -> str:
        """Its content type, without parameters."""
        return self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")

    def query(self) -> dict[str, str]:
        """Its query; the last of a name said twice."""
        return dict(parse_qsl(self.scope.get("query_string", b"").decode("latin-1")))

    async def body(self, limit: int) -> bytes:
        """Its body. Raises Refused beyond `limit` bytes, and where the caller went away."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise refused(problems.CUT_OFF, "the request ended early")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise refused(problems.TOO_LARGE, f"at most {limit} bytes")
            if not message.get("more_body"):
                return b"".join(parts)
