"""`GET /openapi.json`, and `GET /docs`, which shows it with the viewer this package carries."""

import hashlib
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

from aiohttp import web

from api.calls import Call
from api.openapi.document import build
from api.replies import encoded

_STATIC = Path(__file__).parents[1] / "static"
_VIEWER = _STATIC / "swagger-ui"
_FILES = {
    path.name: path
    for path in (
        _STATIC / "docs.css",
        _STATIC / "docs.js",
        _VIEWER / "swagger-ui.css",
        _VIEWER / "swagger-ui-bundle.js",
    )
}
# By suffix, since the types that Python guesses differ from machine to machine
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}  # no-cache: asks, by ETag
_PAGE_HEADERS = {
    **_HEADERS,
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class Document:
    """The OpenAPI document of some calls; built at the first request, and once."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = calls

    @cached_property
    def text(self) -> bytes:
        return encoded(build(self._calls))

    @cached_property
    def tag(self) -> str:
        """What tells this document from those of other versions."""
        return hashlib.sha256(self.text).hexdigest()[:32]


def add_docs(app: web.Application, calls: Sequence[Call]) -> None:
    """Serve the document of these calls and the page that shows it."""
    app.router.add_get("/openapi.json", partial(get_document, Document(calls)))
    app.router.add_get("/docs", get_page)
    app.router.add_get("/docs/{file}", get_file)


async def get_document(document: Document, request: web.Request) -> web.Response:
    """Return the document, or 304 to those who have it."""
    headers = {**_HEADERS, "ETag": f'"{document.tag}"'}
    if any(known.value in (document.tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=document.text, content_type="application/json", headers=headers)


async def get_page(_request: web.Request) -> web.FileResponse:
    """Return the page; it may load nothing but this daemon's files."""
    return web.FileResponse(_STATIC / "docs.html", headers=_PAGE_HEADERS)


async def get_file(request: web.Request) -> web.FileResponse:
    """Return a file of the page, or 304 to those who have it."""
    path = _FILES.get(request.match_info["file"])
    if path is None:
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={**_HEADERS, "Content-Type": _TYPES[path.suffix]})
