"""The routes, answered in ASGI before the framework sees them: strict, JSON only, one form of error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.metadata import version
from typing import Any

import msgspec

from configs.errors import DataError
from serving import access
from serving.api import DecideRequest, openapi, problem
from serving.ledger import LedgerError
from serving.live import Live, answer_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_OPEN = {"/livez", "/readyz", "/healthz"}
_decoder = msgspec.json.Decoder(DecideRequest)
_encoder = msgspec.json.Encoder()


class Answer(Exception):
    """An answer that ends the request: a status and a body."""

    def __init__(self, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


def _refuse(status: int, title: str, detail: str, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, problem(status, title, detail), headers)


class Routes:
    """ASGI middleware: what is ours is answered here, the rest (probes, metrics, docs page) goes on to BentoML."""

    def __init__(self, app: Asgi, live: Callable[[], Live | None]) -> None:
        self.app, self.live = app, live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or hand on."""
        if scope["type"] != "http" or scope["path"] in _OPEN:
            await self.app(scope, receive, send)
            return
        try:
            answer = await self._route(scope, receive)
        except Answer as early:
            answer = early
        except LedgerError as error:
            answer = _refuse(503, "The ledger does not answer", str(error), (b"retry-after", b"1"))
        if answer is None:
            await self.app(scope, receive, send)
        else:
            await _send(send, answer)

    async def _route(self, scope: Scope, receive: Receive) -> Answer | None:
        live = self.live()
        if live is None:
            raise _refuse(503, "Not ready", "the service is starting", (b"retry-after", b"1"))
        path, method = scope["path"], scope["method"]
        if path == "/docs.json":
            records = {name: scorer.records for name, scorer in live.scorers.items()}
            return Answer(200, _encoder.encode(openapi(records, version("creditloop"))))
        if path == "/" and method == "GET":
            return None  # BentoML's page that shows /docs.json
        headers = dict(scope["headers"])
        caller = access.caller(live.keys, headers.get(b"authorization", b"").decode("latin-1"))
        if caller is None:
            raise _refuse(401, "No valid key", "send Authorization: Bearer KEY", (b"www-authenticate", b"Bearer"))
        if path == "/v1/decide":
            _allow(caller, "score")
            _require_method(method, "POST")
            return await _decide(live, headers, receive)
        _allow(caller, "read")
        if path.startswith("/v1/"):
            _require_method(method, "GET")
            return await asyncio.to_thread(_read, live, path)
        return None if path.startswith(("/metrics", "/schema.json", "/assets", "/static_content")) else _unknown(path)


def _allow(caller: access.Caller, role: access.Role) -> None:
    if not caller.may(role):
        raise _refuse(403, "Not allowed", f"the key of {caller.name} has the role {caller.role}, this needs {role}")


def _require_method(method: str, wanted: str) -> None:
    if method != wanted:
        raise _refuse(405, "Wrong method", f"use {wanted}", (b"allow", wanted.encode()))


def _unknown(path: str) -> Answer:
    return _refuse(404, "No such route", f"{path[:100]!r}; see /docs.json")


async def _decide(live: Live, headers: dict[bytes, bytes], receive: Receive) -> Answer:
    if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
        raise _refuse(415, "Not JSON", "send Content-Type: application/json")
    body = await _body(receive, live.settings.serving.body_limit_kilobytes * 1024)
    try:
        request = _decoder.decode(body)
        question = live.question(request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refuse(400, "Not a request", str(error)) from None
    scorer = live.scorer_for(request.product)
    if scorer is None:
        served = ", ".join(live.scorers)
        raise _refuse(404, "No such product", f"product {request.product!r} is not served here; there are: {served}")
    try:
        recorded = live.ask(scorer, question, request.idempotency_key)
    except DataError as error:
        raise _refuse(422, "The records break their contract", str(error)) from None
    record = await asyncio.wrap_future(recorded)
    answer = answer_of(record, request)
    if answer is None:
        raise _refuse(409, "Key used before", "this idempotency key was used for another question")
    return Answer(200, _encoder.encode(answer))


async def _body(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _refuse(400, "Cut off", "the request ended early")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _refuse(413, "Too large", f"at most {limit} bytes")
        if not message.get("more_body"):
            return b"".join(parts)


def _read(live: Live, path: str) -> Answer:
    if path == "/v1/models":
        listed = [
            {
                "product": name,
                "model": scorer.bundle.version,
                "policy": scorer.policy_digest,
                "program": scorer.bundle.program.digest,
                "auc": scorer.bundle.validation["auc"]["value"],
            }
            for name, scorer in live.scorers.items()
        ]
        return Answer(200, _encoder.encode(listed))
    if path.startswith("/v1/decisions/"):
        record = live.ledger.by_id(path.removeprefix("/v1/decisions/"))
        if record is not None and record.entry.kind == "decision":
            return Answer(200, _encoder.encode(record.body()["answer"]))
        return _refuse(404, "No such decision", "the ledger has no decision of this id")
    return _unknown(path)


async def _send(send: Send, answer: Answer) -> None:
    kind = b"application/json" if answer.status < 400 else b"application/problem+json"
    headers = [(b"content-type", kind), (b"content-length", str(len(answer.body)).encode()), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
