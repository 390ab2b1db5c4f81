"""The routes, answered in ASGI before the framework sees them: strict, JSON only, one form of error."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec

from serving import access, metrics, problems
from serving.access import Caller
from serving.admission import Admission, Bucket
from serving.call import Call, Reply
from serving.live import Live
from serving.openapi import openapi
from serving.problems import Header, refused, retry_after
from serving.refusals import read_strictly, refusal_of
from serving.request import Receive, Request, Scope
from serving.routes import JSON, ROUTES, Found, Route, Table

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("creditloop.serving")
_PROBES = {"/livez", "/readyz", "/healthz"}
_OF_BENTOML = ("/schema.json", "/assets", "/static_content")
_PROBLEM = "application/problem+json"
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is sent; `route` is how it is counted."""

    status: int
    body: bytes
    media: str = JSON
    headers: tuple[Header, ...] = ()
    route: str = "other"


class Routes:
    """ASGI middleware: what is ours is answered here, the rest (probes, the page of docs) goes on to BentoML."""

    def __init__(self, app: Asgi, live: Callable[[], Live | None], routes: Sequence[Route] = ROUTES) -> None:
        self.app, self.live, self._routes = app, live, routes
        self._table = Table(routes)
        self._admission: Admission | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or hand on."""
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        answer = await self._answer(scope, receive)
        if answer is None:
            await self.app(scope, receive, send)
            return
        await _send(send, answer)
        metrics.answered(answer.route, answer.status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer | None:
        found: Found | None = None
        try:
            live = self.live()
            if live is None:
                raise refused(problems.NOT_READY, "the service is starting", retry_after(1))
            path, method = scope["path"], scope["method"]
            if path == "/docs.json":
                return _described(live, self._routes)
            if path == "/" and method == "GET":
                return None  # BentoML's page that shows /docs.json
            headers = dict(scope["headers"])
            caller = _caller(live, headers)
            if path == "/metrics" or path.startswith(_OF_BENTOML):
                _allow(caller, "read")
                return _Answer(200, metrics.exposition(), metrics.MEDIA_TYPE) if path == "/metrics" else None
            found = self._table.find(path, method)
            _allow(caller, found.route.role)
            return await self._run(found, Request(scope, headers, receive), caller, live)
        except Exception as error:  # whatever it is, it is answered in the one form
            return _told(error, found)

    async def _run(self, found: Found, request: Request, caller: Caller, live: Live) -> _Answer:
        serving = live.settings.serving
        admission = self._admission = self._admission or Admission(serving)
        bucket = _paid(admission, caller)
        if admission.full():
            raise refused(problems.BUSY, f"{admission.inside} requests are being worked on", retry_after(1))
        admission.inside += 1
        arrived = False
        try:
            async with asyncio.timeout(serving.deadline_seconds):
                asked, media = await _read(found, request, live)
                arrived = True
                call = Call(live, admission.turnstile, asked, media, found.name, request.query(), caller, bucket)
                made = await found.route.run(call)
        except TimeoutError:
            if arrived:
                raise
            raise refused(problems.TOO_SLOW, f"expected within {serving.deadline_seconds:g} s") from None
        finally:
            admission.inside -= 1
            metrics.queue(admission.inside, len(admission.turnstile))
        if isinstance(made, Reply):
            return _Answer(200, made.body, made.media, route=found.route.path)
        return _Answer(200, _encoder.encode(made), route=found.route.path)


def _described(live: Live, routes: Sequence[Route]) -> _Answer:
    records = {name: scorer.records for name, scorer in live.scorers.items()}
    return _Answer(200, _encoder.encode(openapi(records, version("creditloop"), routes)))


def _caller(live: Live, headers: dict[bytes, bytes]) -> Caller:
    caller = access.caller(live.keys, headers.get(b"authorization", b"").decode("latin-1"))
    if caller is None:
        raise refused(problems.NO_VALID_KEY, "send Authorization: Bearer KEY", (b"www-authenticate", b"Bearer"))
    return caller


def _allow(caller: Caller, action: access.Action) -> None:
    if not caller.may(action):
        told = f"the key of {caller.name} has the role {caller.role}, this needs {action}"
        raise refused(problems.NOT_ALLOWED, told)


def _paid(admission: Admission, caller: Caller) -> Bucket | None:
    """The caller's tokens, one of them taken; None where no rate is set. Raises Refused where none is left."""
    now = time.monotonic()
    bucket = admission.bucket(caller.name, now)
    if bucket is not None:
        if wait := bucket.wait(now):
            told = f"the key of {caller.name} may ask {bucket.per_second:g} times a second"
            raise refused(problems.TOO_MANY_REQUESTS, told, retry_after(wait))
        bucket.take(1)
    return bucket


async def _read(found: Found, request: Request, live: Live) -> tuple[Any, str]:
    """The body as the route's request type, or as bytes where the route reads it itself; and its media type."""
    route, serving = found.route, live.settings.serving
    if route.request is None:
        return None, ""
    media = request.media()
    if media not in route.media:
        raise refused(problems.NOT_JSON, f"send Content-Type: {' or '.join(route.media)}")
    kilobytes = serving.batch_body_limit_kilobytes if route.whole else serving.body_limit_kilobytes
    body = await request.body(kilobytes * 1024)
    if found.decoder is None:
        return body, media
    with read_strictly(found.decoder.type):
        return found.decoder.decode(body), media


def _told(error: Exception, found: Found | None) -> _Answer:
    """An error as its problem. What nobody foresaw is logged by its kind and place: its words may hold records."""
    told = refusal_of(error)
    if told is None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        log.error("%s at %s:%s", error.__class__.__name__, last.filename, last.lineno)
        told = refused(problems.FAULT, f"{error.__class__.__name__}; the log says where")
    metrics.refused(told.problem.title)
    route = found.route.path if found else "other"
    return _Answer(told.problem.status, _encoder.encode(told.problem), _PROBLEM, told.headers, route)


async def _send(send: Send, answer: _Answer) -> None:
    headers = [
        (b"content-type", answer.media.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
