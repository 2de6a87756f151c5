"""What was written before another daemon led the bot does not reach the platform later."""

import asyncio
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import psutil
import pytest
from pydantic import SecretStr

from bots.discord.channel import DiscordChannel
from bots.discord.gateway import GatewayHttp
from bots.telegram.channel import TelegramChannel
from pingpilot.delivery.channel import Recipient
from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser

from .notifications import SALE
from .standins import TOKEN, open_conversation

GIVES_UP_AFTER = timedelta(seconds=3)


def patience_towards(url: str) -> Iterator[int]:
    """Yield the milliseconds for which the system keeps what it sends to a server, of each connection."""
    for connection in psutil.Process().net_connections(kind="tcp"):
        if connection.raddr and connection.raddr.port == urlsplit(url).port:
            with socket.socket(fileno=os.dup(connection.fd)) as opened:
                yield opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


@pytest.mark.parametrize("time", [None, GIVES_UP_AFTER])
async def test_telegrams_connections_end_where_nothing_is_acknowledged(
    telegram_stand_in: TelegramStandIn, time: timedelta | None
) -> None:
    grace = TelegramUser(7_123_456_789, "grace", "Grace")
    telegram_stand_in.start_chat(grace)
    token, url = SecretStr(TOKEN), telegram_stand_in.url
    channel = TelegramChannel(token=token, api_url=url, gives_up_after=time)
    await channel.send(Recipient(1, str(grace.id)), SALE)

    found = list(patience_towards(url))
    await channel.close()

    assert found == [3000 if time else 0]


@pytest.mark.parametrize("time", [None, GIVES_UP_AFTER])
async def test_discords_connections_end_where_nothing_is_acknowledged(
    discord_stand_in: DiscordStandIn, time: timedelta | None
) -> None:
    ada = DiscordUser("81384788765712384", "ada")
    recipient = Recipient(1, await open_conversation(discord_stand_in, ada))
    channel = DiscordChannel(token=SecretStr(TOKEN), gives_up_after=time)
    await channel.send(recipient, SALE)

    found = list(patience_towards(discord_stand_in.url))
    await channel.close()

    assert found == [3000 if time else 0]


async def test_the_gateways_connection_ends_where_nothing_is_acknowledged(
    discord_stand_in: DiscordStandIn,
) -> None:
    http = GatewayHttp(asyncio.get_running_loop(), gives_up_after=GIVES_UP_AFTER)
    await http.ws_connect(discord_stand_in.gateway_url)

    found = list(patience_towards(discord_stand_in.url))
    await http.close()

    assert found == [3000]
