"""The few files a browser needs beside the pages: read once, sent as they are."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import PlainTextResponse, Response

_FOLDER = Path(__file__).parent / "static"
_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",  # their address changes with their bytes
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}


@cache
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in _MEDIA}


@cache
def address(name: str) -> str:
    """Where a file is found, below the console's path."""
    return f"/static/{name}?{hashlib.sha256(_files()[name]).hexdigest()[:12]}"


def response(name: str) -> Response:
    """The file, or that there is none."""
    body = _files().get(name)
    if body is None:
        return PlainTextResponse("There is no such file.", 404)
    return Response(body, media_type=_MEDIA[Path(name).suffix], headers=_HEADERS)
