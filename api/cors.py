"""CORS: web pages of other origins that may send events, and nothing else (the Fetch standard's protocol)."""

from aiohttp import hdrs, web

PATHS = ("/api/v1/event", "/api/v1/events")
ANY = "*"
_TAKEN = "Authorization, Content-Type, Idempotency-Key, Prefer, X-API-Key, X-Request-Id"
_SHOWN = (
    "Idempotent-Replayed, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    "X-Request-Id"
)
_REMEMBERED = "7200"  # seconds; Chromium heeds no more


class Cors:
    """The origins whose pages may send events; `*` among them stands for all."""

    def __init__(self, origins: tuple[str, ...] = ()) -> None:
        self._origins = frozenset(origins)

    def allows(self, request: web.Request) -> bool:
        """Return whether a page of one of the origins makes, or asks to make, a call that sends an event."""
        if not self._origins:
            return False
        method = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD, request.method)
        if request.path not in PATHS or method != hdrs.METH_POST:
            return False
        origin = request.headers.get(hdrs.ORIGIN)
        return origin is not None and (origin in self._origins or ANY in self._origins)

    def preflight(self, request: web.Request) -> web.Response | None:
        """Return the answer to a browser that asks first, None for any other request."""
        if request.method != hdrs.METH_OPTIONS or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
            return None
        if not self.allows(request):
            return None
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: hdrs.METH_POST,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _TAKEN,
                hdrs.ACCESS_CONTROL_MAX_AGE: _REMEMBERED,
            },
        )

    def stamp(self, response: web.StreamResponse, request: web.Request) -> None:
        """Let the page read the reply, an error included."""
        if not self._origins:
            return
        if request.path in PATHS:
            response.headers[hdrs.VARY] = hdrs.ORIGIN
        if self.allows(request):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _SHOWN
