"""What the HTTP stand-ins share: a loopback server that misbehaves on demand and stops at once."""

import asyncio
import json
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self, cast

from aiohttp import web
from aiohttp.typedefs import Handler

from pingpilot.sandbox.faults import Fault, FaultQueue
from pingpilot.sandbox.inbox import Changes

GRACE_SECONDS = 0.2
"""How long `stop()` lets running requests finish; aiohttp may take twice as long."""

TOO_MANY_REQUESTS = 429

COUNTS = "/counts"
"""Where a stand-in tells of limits that clients exceeded."""

HALF_AN_ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n{"ok": true, "id'
)


class Refused(Exception):
    """The platform's answer to a request it doesn't take; `limit` names the one that it exceeds, if any."""

    def __init__(
        self,
        status: int,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        limit: str | None = None,
    ) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Takeover:
    """A client came while another of the same token was there: who was there and who came, by the host and
    port that they were given as the platform's address.
    """

    former: str
    later: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def as_json(self) -> dict[str, str]:
        return {"former": self.former, "later": self.later, "at": self.at.isoformat()}


def json_answer(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON response.

    Its content type is exactly `application/json`: with a charset, discord.py takes the body for text.
    """
    content = json.dumps(body).encode()
    return web.Response(body=content, status=status, headers=headers, content_type="application/json")


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units, in which Telegram counts and Discord's clients do.

    Apart from the function of that name in `pingpilot.rendering`, which is tested against the stand-ins.
    """
    return len(text) + sum(character > "\uffff" for character in text)


def reset_connection(transport: asyncio.BaseTransport | None) -> None:
    """Close a connection the hard way: the peer gets a TCP reset, and nothing that is still buffered."""
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    cast("asyncio.WriteTransport", transport).abort()  # uvloop's transports don't derive from it


class HttpStandIn:
    """Base of the stand-ins that speak HTTP: life cycle, faults and counters.

    It may be started again after `stop()`, on the same port and with what it has received so far, as
    a platform that comes back. With `tls` it speaks that. `calls` counts requests by name, `throttled` the
    answers of status 429, `exceeded` the times that a client exceeded a limit, by the limit; answers of the
    fault queue are no limits. `GET /counts` tells them to other processes.

    Several clients of one token are told apart by the host that each names in its requests: give them
    different ones (127.0.0.2, 127.0.0.3) of a stand-in that listens on 0.0.0.0.
    """

    def __init__(self, *, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.faults = FaultQueue()
        self.calls: Counter[str] = Counter()
        self.throttled = 0
        self.exceeded: Counter[str] = Counter()
        self._changes = Changes()
        self._halted = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; `port` then holds the bound port."""
        self._halted = asyncio.Event()
        app = web.Application(middlewares=[self._serve])
        self._add_routes(app.router)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close all connections and refuse new ones, within about a second."""
        if self._runner is None:
            return
        self._halted.set()
        runner, self._runner = self._runner, None
        await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    @property
    def counts(self) -> dict[str, Any]:
        """What `GET /counts` shows: what clients did that a platform would not have them do."""
        return {"throttled": self.throttled, "exceeded": dict(self.exceeded), "calls": dict(self.calls)}

    async def wait_for_calls(self, route: str, count: int = 1, timeout: float = 10) -> None:
        """Return once `calls[route]` is at least `count`; raises `TimeoutError`."""
        await self._changes.until(
            lambda: self.calls[route] >= count, timeout=timeout, what=f"calls of {route}"
        )

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the platform's routes; called at each start."""
        raise NotImplementedError

    def _route_of(self, request: web.Request) -> str | None:
        """Return what the fault queue matches a request by, None for one that no fault may strike.

        Called once a request.
        """
        raise NotImplementedError

    def _name_of(self, request: web.Request) -> str:
        """Return what `calls` counts the request under."""
        raise NotImplementedError

    def _accepts_message(self, request: web.Request) -> bool:
        """Tell whether the request carries a message that is meant to arrive."""
        raise NotImplementedError

    def _answer_fault(self, fault: Fault) -> web.Response:
        """Return the platform's way of answering `fault`."""
        raise NotImplementedError

    async def _take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check and handle a request that no fault keeps from arriving."""
        return await handler(request)

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == COUNTS:
            return json_answer(self.counts)
        self.calls[self._name_of(request)] += 1
        route, fault = self._route_of(request), None
        if route is not None:
            fault = self.faults.take(route, accepts_message=self._accepts_message(request))
        self._changes.announce()
        if fault is not None and fault.until is not None:
            await fault.until.wait()
            fault = None
        if fault is not None and not fault.after_accepting:
            return await self._misbehave(request, fault)
        try:
            answer = await self._take(request, handler)
        except Refused as refusal:
            self._note(refusal)
            return json_answer(refusal.body, status=refusal.status, headers=refusal.headers)
        return answer if fault is None else await self._misbehave(request, fault)

    def _note(self, refusal: Refused) -> None:
        """Count a refusal that is about a limit."""
        self.throttled += refusal.status == TOO_MANY_REQUESTS
        if refusal.limit:
            self.exceeded[refusal.limit] += 1

    async def _misbehave(self, request: web.Request, fault: Fault) -> web.Response:
        if fault.action == "answer":
            self.throttled += fault.code == TOO_MANY_REQUESTS
            return self._answer_fault(fault)
        if fault.action == "page":
            return web.Response(text=f"<h1>{fault.code}</h1>", status=fault.code, content_type="text/html")
        if fault.action == "hang":
            await self._halted.wait()
        if fault.action == "cut" and request.transport:
            request.transport.write(HALF_AN_ANSWER)
        return self._hang_up(request)

    def _hang_up(self, request: web.Request) -> web.Response:
        """Reset the connection; the returned response is for aiohttp, which finds nobody to send it to."""
        reset_connection(request.transport)
        return web.Response()
