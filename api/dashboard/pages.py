"""Pages: templates, and what every one of them is sent with.

Addresses within a page are relative, so that it works wherever a proxy puts it (`https://example.org/ping`).
Nothing in it is inline: no script, no style, no `style` attribute; a category's colour is an SVG's `fill`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from api.dashboard.assets import asset_url
from api.services import SERVICES
from pingpilot.rendering.templates import templates
from pingpilot.rendering.times import ago

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
FRAMING = {"Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; frame-src 'self'"}
"""For a page that shows another one of ours in a frame."""
_HTTPS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}


def render(
    request: web.Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    zone: str = "UTC",
    live: str | None = None,
    **values: Any,
) -> web.Response:
    """Return a page, packed where the browser takes that.

    `zone` is the IANA name that times are shown in; `live` how far a page has got that loads itself anew
    (`api.dashboard.live`), None for one that does not.
    """
    services = request.app[SERVICES]
    pages = templates("api", "dashboard")
    pages.globals["asset"] = asset_url  # a value of the page would not reach its macros
    text = pages.get_template(template).render(
        values,
        live=live,
        root=root_of(request),
        query=request.rel_url.raw_query_string,
        now=services.clock.now(),
        zone=ZoneInfo(zone),
        ago=ago,
        exact=_exact,
    )
    given = {**headers_for(request), **(headers or {})}
    page = web.Response(text=text, status=status, content_type="text/html", headers=given)
    page.enable_compression()
    return page


def see_other(request: web.Request, path: str) -> web.Response:
    """Return what leads a browser to another page: a path from the dashboard's root, such as `events`."""
    headers = {**headers_for(request), "Location": root_of(request) + path}
    return web.Response(status=303, headers=headers)


def headers_for(request: web.Request) -> dict[str, str]:
    """Return what every answer of the dashboard carries."""
    is_https = request.app[SERVICES].base_url.startswith("https://")
    return {**HEADERS, **(_HTTPS_HEADERS if is_https else {})}


def root_of(request: web.Request) -> str:
    """Return the way from a request's address to the dashboard's root, which only a proxy knows whole."""
    return "../" * (request.rel_url.raw_path.count("/") - 1) or "./"


def _exact(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
