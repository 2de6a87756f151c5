"""What Discord's gateway sends: unpacked as discord.py would, and refused beyond a bound."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bots.discord.gateway import LONGEST_MESSAGE, BoundedSocket, GatewayHttp
from pingpilot.errors import PingPilotError

LONGER = LONGEST_MESSAGE + 1


@asynccontextmanager
async def gateway(*frames: bytes | str) -> AsyncIterator[tuple[BoundedSocket, list[str]]]:
    """A websocket over which these come, and the queries it was asked with."""
    queries = list[str]()

    async def serve(request: web.Request) -> web.WebSocketResponse:
        queries.append(request.query_string)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
        await socket.receive()
        return socket

    application = web.Application()
    application.router.add_get("/gateway", serve)
    http = GatewayHttp(asyncio.get_running_loop())
    async with TestServer(application) as server:
        try:
            url = server.make_url("/gateway").with_query(v="10", compress="zstd-stream")
            yield await http.ws_connect(str(url)), queries
        finally:
            await http.close()


def packed(*texts: str) -> list[bytes]:
    """Return messages of one zlib stream, as Discord sends them."""
    packer = zlib.compressobj()
    return [packer.compress(text.encode()) + packer.flush(zlib.Z_SYNC_FLUSH) for text in texts]


async def test_packed_messages_of_one_stream_come_as_texts() -> None:
    first, second = packed('{"op": 10}', '{"op": 11}')

    async with gateway(first[:4], first[4:], second, '{"op": 7}') as (socket, queries):
        texts = [(await socket.receive(5)).data for _ in range(3)]

    assert texts == ['{"op": 10}', '{"op": 11}', '{"op": 7}']
    assert queries == ["v=10&compress=zlib-stream"]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(lambda: [" " * LONGER], id="text"),
        pytest.param(lambda: [bytes(LONGER)], id="bytes"),
        pytest.param(lambda: [bytes(LONGEST_MESSAGE // 2)] * 3, id="parts without end"),
        pytest.param(lambda: packed(" " * LONGER), id="unpacks to more"),
        pytest.param(lambda: packed(" " * 80_000_000), id="unpacks to very much more"),
        pytest.param(lambda: [b"no zlib\x00\x00\xff\xff"], id="can't be unpacked"),
    ],
)
async def test_a_message_that_can_not_be_taken_ends_the_connection(
    frames: Callable[[], Sequence[bytes | str]],
) -> None:
    async with gateway(*frames()) as (socket, _):
        with pytest.raises(PingPilotError, match="Discord's gateway"):
            await socket.receive(10)


async def test_the_longest_message_is_taken() -> None:
    text = " " * (LONGEST_MESSAGE - 1)

    async with gateway(text, *packed(text + " ")) as (socket, _):
        lengths = [len((await socket.receive(10)).data) for _ in range(2)]

    assert lengths == [LONGEST_MESSAGE - 1, LONGEST_MESSAGE]
