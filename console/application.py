"""The ASGI application under /console: finds the page, knows the visitor, checks the form, answers with strict headers.

Nothing here runs on the event loop but finding the page and reading the form: pages are made in threads, a few at a
time, so that decisions do not wait. Whatever goes wrong in a page ends in a page that says so, and in no other route.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import threading
import time
import traceback
from collections.abc import Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from configs.errors import CreditloopError, InputError
from console import language, pages, signing_in, static
from console.answering import answered, told_wrong
from console.routes import Found, Route, find
from console.visit import Answer, Page, State, Visit
from serving.live import Live

log = logging.getLogger("creditloop.console")
COOKIE, LANGUAGE = "creditloop_console", "creditloop_language"
_FORM_BYTES = 64 * 1024


class Console:
    """The console of one serving process."""

    def __init__(self, path: str, live: Callable[[], Live | None]) -> None:
        self._path, self._live = path, live
        self._state: State | None = None
        self._opening = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._waiting = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        started = time.perf_counter()
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return
        except Exception as error:  # whatever it is: told by its kind and place, for its words may hold records
            last = traceback.extract_tb(error.__traceback__)[-1]
            log.error("%s at %s:%s", error.__class__.__name__, last.filename, last.lineno)
            response = PlainTextResponse("The console could not make this page. The service's log says where.", 500)
        response.headers["Server-Timing"] = f"page;dur={1000 * (time.perf_counter() - started):.1f}"
        await response(scope, receive, send)

    def close(self) -> None:
        """Finish the pages that are being made, and let go of the ledger."""
        if self._pool is not None:
            self._pool.shutdown()
        if self._state is not None:
            self._state.close()

    async def _respond(self, request: Request) -> Response:
        path = request.url.path.removeprefix(self._path) or "/"
        if path.startswith("/static/"):
            return static.response(path.removeprefix("/static/"))
        live = self._live()
        if live is None:
            return PlainTextResponse("The service is starting.", 503, {"Retry-After": "1"})
        settings = live.settings.console
        if self._waiting >= settings.waiting:
            return PlainTextResponse("Too many pages are being made: come again.", 503, {"Retry-After": "1"})
        self._pool = self._pool or ThreadPoolExecutor(settings.threads, "console")
        self._waiting += 1
        try:
            form = await _form(request) if request.method == "POST" else {}
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._made, request, path, form, live)
        finally:
            self._waiting -= 1

    def _made(self, request: Request, path: str, form: dict[str, str] | None, live: Live) -> Response:
        state = self._state_of(live)
        visit = self._visit(request, path, form or {}, state)
        found = find(request.method, path)
        answer, visit = _answer(visit, found, request, form)
        return answered(answer, visit, self._path, state.settings.console)

    def _state_of(self, live: Live) -> State:
        with self._opening:
            if self._state is None or self._state.live is not live:
                self._state = State(live)
            return self._state

    def _visit(self, request: Request, path: str, form: dict[str, str], state: State) -> Visit:
        now = dt.datetime.now(dt.UTC)
        seconds = now.timestamp()
        session = state.sessions.read(request.cookies.get(COOKIE, ""), seconds) or state.sessions.visitor(seconds)
        caller = state.live.keys.get(session.key) if session.key else None
        spoken = language.known(request.cookies.get(LANGUAGE), state.settings.serving.language)
        address = request.client.host if request.client else ""
        return Visit(state, session, caller, spoken, path, now, dict(request.query_params), form, address=address)


def _answer(visit: Visit, found: Found | None, request: Request, form: dict[str, str] | None) -> tuple[Answer, Visit]:
    """The answer, and the visit as the page around it shows it."""
    if found is None:
        return told_wrong(visit, 404, visit.say("There is no such page.")), visit
    visit, route = pages.named(visit, found.names), found.route
    if (refused := _refused(visit, route, request, form)) is not None:
        return refused, visit
    try:
        return route.run(visit), visit
    except CreditloopError as error:
        bad_input = isinstance(error, InputError)
        if route.back is None:
            return told_wrong(visit, 404 if bad_input else 409, str(error)), visit
        visit = pages.wrong(visit, str(error))
        shown = route.back(visit)
        return Page(shown.template, shown.values, 422 if bad_input else 409), visit


def _refused(visit: Visit, route: Route, request: Request, form: dict[str, str] | None) -> Page | None:
    """The page that says why a form is not taken or a page not opened; None where nothing is in the way."""
    if request.method == "POST":
        if form is None:
            return told_wrong(visit, 413, visit.say("The form is too large, or none."))
        if not _ours(request) or not visit.state.sessions.token_holds(visit.session, visit.form.get("token", "")):
            told = "This form is not of your session, or the session is over. Nothing was done; open the page again."
            return told_wrong(visit, 403, visit.say(told))
    if route.action is not None and visit.caller is None:
        return signing_in.asked(visit)
    if route.action is not None and not visit.may(route.action):
        return pages.not_allowed(visit, route.action)
    return None


def _ours(request: Request) -> bool:
    """Whether the browser says the form came from this site; a client that does not say is held by the token alone."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    same = origin is None or origin.partition("//")[2] == request.headers.get("host")
    return site in ("same-origin", "none") and same


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of the form; None where it is none, or too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _FORM_BYTES:
            return None
    if not body:
        return {}
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        return None
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict"))
    except ValueError:
        return None
