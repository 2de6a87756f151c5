"""A webhook's receiver, as the Standard Webhooks specification wants it: it takes nothing unsigned.

Written from the specification alone: what we sign is tested against it.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import ssl
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Handler

from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.inbox import Inbox
from pingpilot.sandbox.server import HttpStandIn, Refused

TOLERANCE = timedelta(minutes=5)
"""How far a message's time may be from the receiver's: older ones may be replays."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_SIGNATURE = re.compile(r"v[0-9a-z]+,[A-Za-z0-9+/]+={0,2}")
_LONGEST_BODY = 1024 * 1024
_DRIP = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """One message as it was taken. `signatures` tells how many it had."""

    path: str
    id: str
    headers: dict[str, str]
    body: bytes
    signatures: int

    @property
    def payload(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class WebhookStandIn(HttpStandIn):
    """Takes what one of its `secrets` signs, at any path, and each id once: `repeats` counts the others.

    `now` is its own clock.
    """

    def __init__(
        self,
        *,
        secrets: Collection[str],
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(host=host, port=port, tls=tls)
        self.secrets = list(secrets)
        self.repeats = 0
        self.now = now
        self._inbox: Inbox[WebhookMessage] = Inbox(self._changes)

    @property
    def url(self) -> str:
        """Where it takes messages."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/hook"

    @property
    def messages(self) -> list[WebhookMessage]:
        """What was taken, oldest first."""
        return self._inbox.items

    @property
    def on_message(self) -> list[Callable[[WebhookMessage], None]]:
        """Called with each message taken."""
        return self._inbox.callbacks

    async def wait_for_messages(self, count: int = 1, timeout: float = 10) -> list[WebhookMessage]:
        """Return what was taken once there are so many. Raises `TimeoutError`."""
        return await self._inbox.wait_for(count, timeout)

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_route("*", "/{path:.*}", self._receive)

    def _route_of(self, request: web.Request) -> str | None:
        return f"{request.method} {request.path}"

    def _name_of(self, request: web.Request) -> str:
        return f"{request.method} {request.path}"

    def _accepts_message(self, request: web.Request) -> bool:
        return request.method == "POST"

    def _answer_fault(self, fault: Fault) -> web.Response:
        headers = dict(fault.headers or {})
        if fault.retry_after is not None:
            headers["Retry-After"] = f"{fault.retry_after:g}"
        return web.Response(status=fault.code, text=fault.text or "No.", headers=headers)

    async def _take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST":
            raise Refused(405, {"error": "only POST is taken"})
        return await handler(request)

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.content.read(_LONGEST_BODY)
        if request.content_type != "application/json":
            raise Refused(415, {"error": "the body must be application/json"})
        message_id = request.headers.get("webhook-id", "")
        if not _ID.fullmatch(message_id):
            raise Refused(400, {"error": "webhook-id must be there, without a full stop"})
        signatures = self._verified(request, message_id, body)
        try:
            payload = json.loads(body)
        except ValueError:
            raise Refused(400, {"error": "the body must be JSON"}) from None
        if not isinstance(payload, dict) or not {"type", "timestamp", "data"} <= payload.keys():
            raise Refused(400, {"error": "the body must have type, timestamp and data"})
        if any(each.id == message_id for each in self.messages):
            self.repeats += 1
        else:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self._inbox.take(WebhookMessage(request.path_qs, message_id, headers, body, signatures))
        return web.Response(status=204)

    def _verified(self, request: web.Request, message_id: str, body: bytes) -> int:
        """Return how many signatures a body has, one of which is good. Raises `Refused`."""
        timestamp = request.headers.get("webhook-timestamp", "")
        if not re.fullmatch("[0-9]{1,12}", timestamp):
            raise Refused(400, {"error": "webhook-timestamp must be whole seconds"})
        if abs(self.now() - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
            raise Refused(401, {"error": "webhook-timestamp is too old or too new"})
        given = request.headers.get("webhook-signature", "").split(" ")
        if not all(_SIGNATURE.fullmatch(each) for each in given):
            raise Refused(400, {"error": "webhook-signature must be signatures with one space between"})
        signed = f"{message_id}.{timestamp}.".encode() + body
        for secret in self.secrets:
            key = base64.b64decode(secret.removeprefix("whsec_"))
            good = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            if any(hmac.compare_digest(f"v1,{good}", each) for each in given):
                return len(given)
        raise Refused(401, {"error": "no signature is good"})

    async def _misbehave(self, request: web.Request, fault: Fault) -> web.Response:
        transport = request.transport
        if fault.endless is None or transport is None:
            return await super()._misbehave(request, fault)
        pipe = cast("asyncio.WriteTransport", transport)  # uvloop's transports don't derive from it
        pipe.write(f"HTTP/1.1 {fault.code} Said\r\n".encode())
        if fault.endless in ("body", "slow body"):
            pipe.write(b"Content-Length: 9999999999\r\n\r\n")
        else:
            pipe.write(b"X-Padding: ")
        piece = b"a" * (1 if fault.endless in ("slow headers", "slow body") else 65536)
        while not pipe.is_closing() and not self._halted.is_set():
            pipe.write(piece)
            with suppress(TimeoutError):
                async with asyncio.timeout(_DRIP):
                    await self._halted.wait()
        return self._hang_up(request)
