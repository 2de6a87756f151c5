"""discord.py's HTTP client with a bound for what the gateway sends, which the library takes at any length."""

import zlib
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import WSMessage, WSMsgType
from discord.gateway import DiscordClientWebSocketResponse
from discord.http import HTTPClient
from yarl import URL

from pingpilot.errors import NotLeading, PingPilotError

LONGEST_MESSAGE = 4 * 1024 * 1024
"""Bytes of a message, unpacked; without intents, the longest has a line for each of the bot's servers."""
_END_OF_MESSAGE = b"\x00\x00\xff\xff"  # Z_SYNC_FLUSH; a message may come in several pieces
_SECONDS_TO_CLOSE = 30.0


class GatewayHttp(HTTPClient):
    """Opens the gateway in a session of its own, whose messages fail beyond `LONGEST_MESSAGE`.

    What is packed is asked for as one zlib stream, whatever else the library could unpack.
    """

    _gateway: aiohttp.ClientSession | None = None

    def __init__(self, *args: Any, may_act: Callable[[], bool] = lambda: True, **options: Any) -> None:
        super().__init__(*args, **options)
        self._may_act = may_act

    async def ws_connect(self, url: str, *, compress: int = 0) -> "BoundedSocket":
        """Connect to the gateway. Raises `aiohttp.ClientError`, as the library expects, and `NotLeading`,
        which ends the client.
        """
        if not self._may_act():
            raise NotLeading
        if self._gateway is None or self._gateway.closed:
            self._gateway = aiohttp.ClientSession(
                ws_response_class=BoundedSocket, cookie_jar=aiohttp.DummyCookieJar()
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
