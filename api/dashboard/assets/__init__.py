"""The files a page loads, each under an address of its own for each content: browsers keep it for good."""

import gzip
import hashlib
from functools import cache
from pathlib import Path

from aiohttp import web

from api.errors import ApiError
from pingpilot.rendering.looks import STYLESHEET

_FOLDER = Path(__file__).parent
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_TOGETHER = {"htmx.js": ("htmx.min.js", "hx-sse.min.js")}
"""Files sent as one: htmx begins a moment after its script ran, and uses no extension that comes later."""
_ELSEWHERE = {STYLESHEET.name: STYLESHEET}
"""Files that others use too."""
_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def asset_url(name: str) -> str:
    """Return where a file is, from the dashboard's root."""
    return f"assets/{_mark(name)}/{name}"


async def get_asset(request: web.Request) -> web.Response:
    """Return a file, packed where the browser takes that; only under the mark of its content."""
    name = request.match_info["name"]
    names = {path.name for path in _FOLDER.iterdir() if path.suffix in _TYPES}
    if name not in names | _TOGETHER.keys() | _ELSEWHERE.keys() or request.match_info["mark"] != _mark(name):
        raise ApiError("not_found")
    headers = {**_HEADERS, "Content-Type": _TYPES[Path(name).suffix], "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=_packed(name), headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=content_of(name), headers=headers)


@cache
def content_of(name: str) -> bytes:
    """Return a file as it is sent, its parts in one. Raises `OSError`."""
    parts = _TOGETHER.get(name, (name,))
    return b"\n".join(_ELSEWHERE.get(part, _FOLDER / part).read_bytes() for part in parts)


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(content_of(name), 9, mtime=0)


@cache
def _mark(name: str) -> str:
    return hashlib.sha256(content_of(name)).hexdigest()[:12]
