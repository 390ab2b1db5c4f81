"""An answer as a response: the template in the visitor's language, cookies, and headers that forbid the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from starlette.responses import RedirectResponse, Response

from configs.console_pages import ConsolePages
from configs.templates import templates
from console import language, pages, static
from console.visit import Answer, Document, Elsewhere, Page, Visit
from monitoring.customers import charts
from monitoring.customers.pages import FILTERS

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def _templates() -> Environment:
    found = templates(Path(__file__).parent / "pages")
    found.filters |= {**FILTERS, "moment": _moment}
    found.globals |= {"lines": charts.lines, "bars": charts.bars, "spark": charts.spark}
    return found


def _moment(at: str | None) -> str:
    """An ISO time to the second, without the letter between day and time; UTC is said in the column's head."""
    return "–" if not at else at[:19].replace("T", " ")


_TEMPLATES = _templates()


def answered(answer: Answer, visit: Visit, root: str, settings: ConsolePages) -> Response:
    """The response to a visit; `root` is the path the console is mounted under."""
    session = visit.session
    if isinstance(answer, Elsewhere):
        response: Response = RedirectResponse(root + answer.path, 303)
        session = answer.session or session
    elif isinstance(answer, Document):
        response = Response(answer.body, media_type=answer.media)
        if answer.name:
            response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(answer.name)}"
    else:
        response = Response(_rendered(answer, visit, root), answer.status, media_type="text/html; charset=utf-8")
    response.headers.update(_HEADERS)
    response.headers["Content-Security-Policy"] = getattr(answer, "policy", "") or POLICY
    _set(response, "creditloop_console", visit.state.sessions.cookie(session), root, settings, None)
    if isinstance(answer, Elsewhere) and answer.language is not None:
        _set(response, "creditloop_language", answer.language, root, settings, 365 * 86400)
    return response


def _set(response: Response, name: str, value: str, root: str, settings: ConsolePages, seconds: int | None) -> None:
    response.set_cookie(
        name, value, max_age=seconds, path=root, secure=settings.https, httponly=True, samesite="strict"
    )


def _rendered(page: Page, visit: Visit, root: str) -> str:
    def link(path: str, **query: Any) -> str:
        kept = {name: value for name, value in query.items() if value not in (None, "")}
        return root + quote(path, safe="/") + (f"?{urlencode(kept)}" if kept else "")

    shown = {
        "t": visit.say,
        "link": link,
        "file": lambda name: root + static.address(name),
        "token": visit.state.sessions.token(visit.session),
        "visit": visit,
        "languages": language.NAMES,
        "navigation": pages.NAVIGATION,
        "product": pages.product_shown(visit),
        "done": pages.DONE.get(visit.query.get("done", ""), ""),
    }
    return _TEMPLATES.get_template(page.template).render({**shown, **page.values})


def told_wrong(visit: Visit, status: int, told: str) -> Page:
    """A page that says what is wrong and nothing else."""
    return Page("wrong.html", {"status": status, "told": told}, status)
