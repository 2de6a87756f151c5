"""Answers of a platform, or of what is on the way to it, that never end: they fail, and fill no memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from bots.discord.channel import DiscordChannel
from bots.discord.client import use_api
from bots.telegram.channel import TelegramChannel
from pingpilot.delivery.channel import Channel, Recipient
from pingpilot.errors import LONGEST_REASON, DeliveryFailure, TemporaryFailure
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramStandIn

from .notifications import SALE
from .standins import TOKEN, keeping_discords_address

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SIZED = HEAD + b"Content-Length: 80000000\r\n\r\n"
MEGABYTE = 1024 * 1024
MOST = 120 * MEGABYTE
"""What may have been sent by the time the other side is cut off: it may send fast."""


@dataclass
class Endless:
    """A server whose answers go on for ever; `sent` counts their bytes, `refused` the broken connections."""

    url: str
    sent: int = 0
    refused: int = 0


@asynccontextmanager
async def endless(head: bytes) -> AsyncIterator[Endless]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        block = b" " * MEGABYTE
        try:
            while server_side.sent < MOST:
                writer.write(b"%x\r\n%s\r\n" % (MEGABYTE, block) if head == CHUNKED else block)
                await writer.drain()
                server_side.sent += MEGABYTE
        except ConnectionError:
            server_side.refused += 1
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    server_side = Endless(f"http://{host}:{port}")
    try:
        yield server_side
    finally:
        server.close()


@asynccontextmanager
async def sending_to(platform: str, url: str) -> AsyncIterator[Channel]:
    with keeping_discords_address():
        use_api(url)
        channel: DiscordChannel | TelegramChannel = (
            DiscordChannel(token=SecretStr(TOKEN))
            if platform == "discord"
            else TelegramChannel(token=SecretStr(TOKEN), api_url=url)
        )
        try:
            yield channel
        finally:
            await channel.close()


@pytest.mark.parametrize("head", [CHUNKED, SIZED], ids=["chunked", "sized"])
@pytest.mark.parametrize("platform", ["discord", "telegram"])
async def test_an_answer_without_end_is_a_temporary_failure(platform: str, head: bytes) -> None:
    async with endless(head) as server, sending_to(platform, server.url) as channel:
        with pytest.raises(TemporaryFailure):
            await channel.send(Recipient(1, "4711"), SALE)

    assert server.sent < MOST


async def test_an_answer_that_unpacks_to_more_is_not_taken() -> None:
    packed = HEAD + b"Content-Encoding: gzip\r\nContent-Length: 80000000\r\n\r\n"
    async with endless(packed) as server, sending_to("telegram", server.url) as channel:
        with pytest.raises(TemporaryFailure, match="packed"):
            await channel.send(Recipient(1, "4711"), SALE)


@pytest.mark.parametrize("platform", ["discord", "telegram"])
async def test_a_reason_can_be_stored_and_read_whatever_a_platform_says(
    platform: str, discord_stand_in: DiscordStandIn, telegram_stand_in: TelegramStandIn
) -> None:
    words = "\x00\x1b[31m" + "no " * 100_000
    stand_in = discord_stand_in if platform == "discord" else telegram_stand_in
    stand_in.faults.add(Fault.error(400, words), times=None)

    async with sending_to(platform, stand_in.url) as channel:
        with pytest.raises(DeliveryFailure) as failure:
            await channel.send(Recipient(1, "4711"), SALE)

    reason = failure.value.reason
    assert "no no no" in reason
    assert len(reason) == LONGEST_REASON + 1
    assert not set(reason) & {"\x00", "\x1b"}


async def test_an_answer_of_discord_that_is_no_json_is_a_temporary_failure(
    discord_stand_in: DiscordStandIn,
) -> None:
    discord_stand_in.faults.add(Fault.error(400, "\ud800"), times=None)

    async with sending_to("discord", discord_stand_in.url) as channel:
        with pytest.raises(TemporaryFailure, match="can't be read"):
            await channel.send(Recipient(1, "4711"), SALE)
