"""`GET /openapi.json`, and `GET /docs`, which shows it with the viewer this package carries."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

from aiohttp import ETag, web

from api.calls import Call
from api.errors import ApiError
from api.openapi.document import build
from api.replies import encoded

_STATIC = Path(__file__).parents[1] / "static"
_VIEWER = _STATIC / "swagger-ui"
_FILES = (
    _STATIC / "docs.css",
    _STATIC / "docs.js",
    _VIEWER / "swagger-ui.css",
    _VIEWER / "swagger-ui-bundle.js",
)
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


class File:
    """A file of this package with what a browser is told of it; read at the first request, and once."""

    def __init__(self, path: Path, headers: Mapping[str, str]) -> None:
        self._path = path
        self._headers = headers

    async def get(self, request: web.Request) -> web.Response:
        """Return the file, whole; a range of it need not be served (RFC 9110, 14.2)."""
        return _answer(request, self._content, self._tag, self._headers)

    @cached_property
    def _content(self) -> bytes:
        return self._path.read_bytes()

    @cached_property
    def _tag(self) -> str:
        return _tag_of(self._content)


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
        return _tag_of(self.text)


def add_docs(app: web.Application, calls: Sequence[Call]) -> None:
    """Serve the document of these calls and the page that shows it."""
    app.router.add_get("/openapi.json", partial(get_document, Document(calls)))
    app.router.add_get("/docs", File(_STATIC / "docs.html", _PAGE_HEADERS).get)
    for path in _FILES:
        file = File(path, {**_HEADERS, "Content-Type": _TYPES[path.suffix]})
        app.router.add_get(f"/docs/{path.name}", file.get)


async def get_document(document: Document, request: web.Request) -> web.Response:
    """Return the document, or 304 to those who have it."""
    return _answer(request, document.text, document.tag, {**_HEADERS, "Content-Type": "application/json"})


def _answer(request: web.Request, content: bytes, tag: str, headers: Mapping[str, str]) -> web.Response:
    """Return the content, or 304 to those who have it; 412 to those who want another one (`If-Match`)."""
    if request.if_match is not None and not _names(request.if_match, tag):
        raise ApiError("precondition_failed")
    headers = {**headers, "ETag": f'"{tag}"'}
    if _names(request.if_none_match or (), tag):
        kept = {name: value for name, value in headers.items() if name != "Content-Type"}
        return web.Response(status=304, headers=kept)
    return web.Response(body=content, headers=headers)


def _names(known: Iterable[ETag], tag: str) -> bool:
    return any(each.value in (tag, "*") for each in known)


def _tag_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
