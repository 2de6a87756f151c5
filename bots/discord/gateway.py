"""discord.py's HTTP client, at the pace of the bot's messages and with a bound for what the gateway sends."""

import asyncio
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiohttp
from aiohttp import WSMessage, WSMsgType
from discord.gateway import DiscordClientWebSocketResponse
from discord.http import HTTPClient, Route
from yarl import URL

from bots.sockets import sockets_for
from pingpilot.delivery.parts import Place, anywhere
from pingpilot.errors import NotLeading, PingPilotError

LONGEST_MESSAGE = 4 * 1024 * 1024
"""Bytes of a message, unpacked; without intents, the longest has a line for each of the bot's servers."""
_END_OF_MESSAGE = b"\x00\x00\xff\xff"  # Z_SYNC_FLUSH; a message may come in several pieces
_SECONDS_TO_CLOSE = 1.0  # where Discord is out of reach, another daemon waits to take over


class GatewayHttp(HTTPClient):
    """Opens the gateway in a session of its own, whose messages fail beyond `LONGEST_MESSAGE`.

    It says nothing there unless it `may_act`; what it wrote is dropped as `give_up_after` has it.

    What is packed is asked for as one zlib stream, whatever else the library could unpack.

    Each request waits for its `place`: Discord counts them all together, but for the answers to commands,
    which the library sends in another way: https://discord.com/developers/docs/topics/rate-limits#global-rate-limit.
    """

    _gateway: aiohttp.ClientSession | None = None

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        http_trace: aiohttp.TraceConfig | None = None,
        may_act: Callable[[], bool] = lambda: True,
        gives_up_after: timedelta | None = None,
        place: Place = anywhere,
    ) -> None:
        self._new_socket = sockets_for(gives_up_after)
        connector = aiohttp.TCPConnector(limit=0, socket_factory=self._new_socket)
        super().__init__(loop, connector, http_trace=http_trace)
        self._may_act = may_act
        self._place = place

    async def request(self, route: Route, **options: Any) -> Any:
        """Return what a request is answered with; raises what the library's own does."""
        async with self._place(route.path):
            return await super().request(route, **options)

    async def ws_connect(self, url: str, *, compress: int = 0) -> "BoundedSocket":
        """Connect to the gateway. Raises `aiohttp.ClientError`, as the library expects, and `NotLeading`,
        which ends the client.
        """
        if not self._may_act():
            raise NotLeading
        if self._gateway is None or self._gateway.closed:
            self._gateway = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(socket_factory=self._new_socket),
                ws_response_class=BoundedSocket,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        address = URL(url)
        if "compress" in address.query:
            address = address.update_query(compress="zlib-stream")
        socket: Any = await self._gateway.ws_connect(
            address,
            max_msg_size=LONGEST_MESSAGE,
            timeout=aiohttp.ClientWSTimeout(ws_close=_SECONDS_TO_CLOSE),
            autoclose=False,
            headers={"User-Agent": self.user_agent},
            compress=compress,
            proxy=self.proxy,
            proxy_auth=self.proxy_auth,
        )
        assert isinstance(socket, BoundedSocket)  # noqa: S101  # as the session was told
        socket.may_act = self._may_act
        return socket

    async def close(self) -> None:
        """Close both sessions."""
        await super().close()
        if self._gateway:
            await self._gateway.close()


class BoundedSocket(DiscordClientWebSocketResponse):
    """A websocket that unpacks what comes itself, so that the library gets texts of a bounded length."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unpacker = zlib.decompressobj()
        self._packed = bytearray()
        self.may_act: Callable[[], bool] = lambda: True

    async def send_str(self, data: str, compress: int | None = None) -> None:
        """Send a message. Raises `NotLeading` where another daemon leads the bot by now: this one may have
        stood still, and would go on with a session beside the other's.
        """
        if not self.may_act():
            raise NotLeading
        await super().send_str(data, compress)

    async def receive(self, timeout: float | None = None) -> Any:
        """Return the next message. Raises `PingPilotError` for one that can't be taken.

        The library knows no such error, so it ends this client. The next one begins a new session, in which
        the same message does not come again.
        """
        while True:
            message: WSMessage = await super().receive(timeout)
            if message.type is WSMsgType.ERROR:
                raise PingPilotError(f"Discord's gateway: {message.data}")
            if message.type is not WSMsgType.BINARY:
                return message
            self._packed += message.data
            try:
                text = self._unpacked()
            except (zlib.error, ValueError) as exc:
                raise PingPilotError(f"Discord's gateway: {exc}") from exc
            if text is not None:
                return WSMessage(WSMsgType.TEXT, text, None)

    def _unpacked(self) -> str | None:
        """Return the message that was packed, None while parts are missing. Raises where it is too long."""
        text = b""
        if self._packed.endswith(_END_OF_MESSAGE):
            text = self._unpacker.decompress(self._packed, LONGEST_MESSAGE + 1)
            self._packed.clear()
        elif len(self._packed) <= LONGEST_MESSAGE:
            return None
        if len(text) > LONGEST_MESSAGE or self._packed:
            raise ValueError(f"a message is over {LONGEST_MESSAGE:,} bytes")
        return text.decode()
