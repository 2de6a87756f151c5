"""The HTTP server: aiohttp's, with a limit for slow callers and JSON for what is not HTTP.

aiohttp has no public way to these: `AppRunner._make_server`, `RequestHandler._waiter`, `Request._match_info`
and what `handle_error` and `request_factory` are given are its own affair, so pyproject.toml bounds its
version and a test tells when they are gone.
"""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from api.cors import PATHS
from api.errors import ApiError
from api.middleware import answer_requests, new_request_id, stamp

HEAD_TIMEOUT = 10.0
"""Seconds in which a request's line and headers must be there, from their first byte or the connection."""
WRITE_TIMEOUT = 30.0
"""Seconds in which a client must take some of an answer that is waiting for it."""
KEEPALIVE = 150.0
"""Seconds for which a connection without a request is kept: longer than reverse proxies keep theirs (nginx
60 s, Traefik 90 s, Caddy 120 s), lest one writes a request into a connection that was just closed."""
# aiohttp would answer a body it can't unpack by itself, as plain text; `api.requests.bodies` unpacks instead
_PROTOCOL: dict[str, Any] = {"auto_decompress": False, "keepalive_timeout": KEEPALIVE}


class ApiRunner(web.AppRunner):
    """Runs the application behind an `ApiServer`."""

    def __init__(
        self,
        app: web.Application,
        *,
        head_timeout: float = HEAD_TIMEOUT,
        write_timeout: float = WRITE_TIMEOUT,
    ) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=1)
        self._timeouts = {"head_timeout": head_timeout, "write_timeout": write_timeout}

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        return ApiServer(plain, **self._timeouts)


class ApiServer(web.Server):
    """Makes a handler a connection."""

    def __init__(self, plain: web.Server, *, head_timeout: float, write_timeout: float) -> None:
        super().__init__(self._answer, request_factory=self._begin, **_PROTOCOL)
        self._matches: dict[str, web.UrlMappingMatchInfo] = {}
        self._plain_handler, self._plain_factory = plain.request_handler, plain.request_factory
        self.head_timeout, self.write_timeout = head_timeout, write_timeout

    def __call__(self) -> "Connection":
        return Connection(self, loop=asyncio.get_running_loop(), access_log=None, **_PROTOCOL)

    def _answer(self, request: Any) -> Awaitable[web.StreamResponse]:
        """Answer who sends an event past aiohttp's way to the handler: a tenth of what an event costs."""
        match = self._matches.get(request.raw_path)
        if match is None or request.method != hdrs.METH_POST or hdrs.EXPECT in request.headers:
            return self._answer_any(request)
        request._match_info = match
        return answer_requests(request, match.handler)

    async def _answer_any(self, request: Any) -> web.StreamResponse:
        try:
            response = await self._plain_handler(request)
        except web.HTTPExpectationFailed:  # aiohttp judges `Expect` before any of ours, at any address
            return _refusal(ApiError("bad_request/expect"))
        if request.method == hdrs.METH_POST and request.raw_path in PATHS:
            self._matches[request.raw_path] = request.match_info
        return response

    def _begin(self, message: Any, payload: Any, protocol: Any, *rest: Any) -> web.BaseRequest:
        protocol.head_is_there()
        return self._plain_factory(message, payload, protocol, *rest)


class Connection(web.RequestHandler):
    """One connection. Who sends headers a byte at a time is cut off, and who takes no answer."""

    def __init__(self, server: ApiServer, **options: Any) -> None:
        super().__init__(server, **options)
        self._head_timeout, self._write_timeout = server.head_timeout, server.write_timeout
        self._deadline: float | None = None  # None: no head is waited for
        self._timer: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._stop_waiting()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Called when much of an answer waits for the client to take it: give it some time for that."""
        super().pause_writing()
        self._cut_off_later(self.transport)

    def resume_writing(self) -> None:
        if self.transport is not None:  # not closing
            self._stop_waiting()
        super().resume_writing()

    def resume_reading(self, resume_parser: bool = True) -> None:
        # aiohttp asks for it twice a request, and looks at its parser and the transport anew, for nothing
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def force_close(self) -> None:
        """Close the connection, which asyncio does once all is sent: end it where nobody takes that."""
        transport = self.transport
        super().force_close()
        if transport is not None and transport.get_write_buffer_size():
            self._cut_off_later(transport)

    def data_received(self, data: bytes) -> None:
        if self._waiter is not None:  # aiohttp waits for a request: what comes is no late body
            self._await_head()
        super().data_received(data)

    def head_is_there(self) -> None:
        """Stop the clock: a whole request line with headers has come in."""
        self._deadline = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refuses, which never reaches the middleware, in the contract's shape."""
        plain = super().handle_error(request, status, exc, message)
        if plain.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _refusal(ApiError("processing_failed"))
        reason = (message or "unknown").partition("\n")[0].rstrip(".: ")
        return _refusal(ApiError("bad_request", reason=reason.encode(errors="replace").decode()))

    def _cut_off_later(self, transport: asyncio.Transport | None) -> None:
        if self._taking is None and transport is not None:
            loop = asyncio.get_running_loop()
            self._taking = loop.call_later(self._write_timeout, transport.abort)

    def _stop_waiting(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _await_head(self) -> None:
        if self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.time() + self._head_timeout
            if self._timer is None:  # one for many requests: to set and cancel it is dear
                self._timer = loop.call_at(self._deadline, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._deadline:
            self.force_close()
        else:
            self._timer = loop.call_at(self._deadline, self._look_at_clock)


def _refusal(error: ApiError) -> web.Response:
    """Return a reply to what never reaches the middleware; the connection ends with it."""
    reply = error.reply()
    stamp(reply, new_request_id())
    reply.force_close()
    return reply
