"""What the Telegram clients make their requests with: python-telegram-bot's, with a bound for the answers,
and a last look at whether this daemon may still ask.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from functools import cache, partial
from typing import Any

import httpx
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from pingpilot.delivery.pacing import at_the_last_moment

LONGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer; a hundred of the longest updates are a few million."""
_KEPT_OPEN = (
    60.0  # seconds of idleness; httpx's 5 would have most single messages wait for a new TLS handshake
)


class LeadsNoLonger(TelegramError):
    """Nothing was asked of Telegram: another daemon may be doing so with this token."""

    def __init__(self) -> None:
        super().__init__("This daemon does not lead the bot any longer.")


def new_request(
    kind: type[HTTPXRequest] = HTTPXRequest,
    *,
    connections: int,
    timeout: float,
    may_act: Callable[[], bool] = lambda: True,
) -> HTTPXRequest:
    """Return a request object for so many connections, each wait (for one, for an answer) being as long.

    An answer that is longer than any of Telegram's fails as if the connection had broken. A request is made
    while `may_act` says so: it raises `LeadsNoLonger` otherwise, without a byte sent that asks for anything.
    """
    return kind(
        connection_pool_size=connections,
        read_timeout=timeout,
        pool_timeout=timeout,
        httpx_kwargs={
            "limits": httpx.Limits(max_connections=connections, keepalive_expiry=_KEPT_OPEN),
            # Few bytes may unpack to very many
            "headers": {"Accept-Encoding": "identity"},
            "event_hooks": {"request": [partial(_guard, may_act)], "response": [_bound]},
            "verify": _tls(),
        },
    )


@cache
def _tls() -> ssl.SSLContext:
    """Return one context for all clients: each would have its own certificates, 0.7 MB and 15 ms."""
    return httpx.create_ssl_context()


# A request has been waiting for a connection when it gets there; without its body it asks for nothing.
# https://www.encode.io/httpcore/extensions/#trace
_HEADERS, _BODY = "send_request_headers.started", "send_request_body.started"


async def _guard(may_act: Callable[[], bool], request: httpx.Request) -> None:
    async def look(event: str, _info: Any) -> None:
        if event.endswith(_HEADERS):
            await at_the_last_moment()
        if event.endswith((_HEADERS, _BODY)) and not may_act():
            raise LeadsNoLonger

    if not may_act():
        raise LeadsNoLonger
    request.extensions["trace"] = look


async def _bound(response: httpx.Response) -> None:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise httpx.ReadError("the answer is packed, which was not asked for", request=response.request)
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # of an asynchronous client
    response.stream = _BoundedStream(response.stream)


class _BoundedStream(httpx.AsyncByteStream):
    """A body that breaks off beyond `LONGEST_ANSWER`."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LONGEST_ANSWER:
                raise httpx.ReadError(f"the answer is over {LONGEST_ANSWER:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
