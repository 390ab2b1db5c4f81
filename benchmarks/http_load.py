"""A load of HTTP requests over kept-alive connections: prepared bytes out, statuses and seconds back."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Measured:
    """What came back within the time: seconds of each answer that was a 200, and how many had which status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    elapsed: float = 0.0

    def told(self) -> dict[str, Any]:
        """Answers per second and percentiles in milliseconds."""
        p50, p99 = np.percentile(self.seconds, [50, 99]) * 1e3 if self.seconds else (float("nan"),) * 2
        return {
            "per_second": len(self.seconds) / self.elapsed,
            "p50_ms": float(p50),
            "p99_ms": float(p99),
            "statuses": {str(status): count for status, count in self.statuses.items()},
        }


def prepared(bodies: Sequence[dict[str, Any]], port: int, key: str) -> list[bytes]:
    """The bytes of one POST /v1/decide for each body."""
    requests = []
    for body in bodies:
        content = json.dumps(body).encode()
        head = (
            f"POST /v1/decide HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        requests.append(head.encode() + content)
    return requests


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _ask(connection: Connection, requests: Iterator[bytes], until: float, into: Measured, polite: bool) -> None:
    reader, writer = connection
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if b": " in line)
        await reader.readexactly(int(fields[b"content-length"]))
        status = int(head[9:12])
        if time.perf_counter() > until:
            break
        into.statuses[status] += 1
        if status == 200:
            into.seconds.append(time.perf_counter() - started)
        elif polite and b"retry-after" in fields:
            await asyncio.sleep(float(fields[b"retry-after"]))
    writer.close()


def load(port: int, requests: Sequence[bytes], connections: int, seconds: float, polite: bool = True) -> Measured:
    """Ask without pause over so many connections; who is polite comes again when a refusal said so."""
    measured = Measured(elapsed=seconds)

    async def all_connections() -> None:
        turns = itertools.cycle(requests)
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
        until = time.perf_counter() + seconds
        await asyncio.gather(*(_ask(one, turns, until, measured, polite) for one in opened))

    asyncio.run(all_connections())
    return measured
