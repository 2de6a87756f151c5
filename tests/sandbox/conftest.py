"""Stand-ins on free ports, and real clients that talk to them."""

import warnings
from collections.abc import AsyncIterator

import pytest
import yarl
from telegram import Bot
from telegram.request import HTTPXRequest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # discord.py imports audioop, which 3.13 lacks
    import discord
    import discord.gateway
    import discord.http

from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser

from .discord_bot import SmallBot

TOKEN = "7000000042:sandbox-token"


def make_bot(server: TelegramStandIn) -> Bot:
    """Return a python-telegram-bot client of that server."""
    request = HTTPXRequest(connection_pool_size=8, read_timeout=5)
    polling = HTTPXRequest(connection_pool_size=2, read_timeout=5)
    return Bot(TOKEN, base_url=f"{server.url}/bot", request=request, get_updates_request=polling)


@pytest.fixture
def ada() -> DiscordUser:
    return DiscordUser("81384788765712384", "ada")


@pytest.fixture
def grace() -> TelegramUser:
    """Somebody whose id doesn't fit into 32 bits."""
    return TelegramUser(7_123_456_789, "grace", "Grace")


@pytest.fixture
async def discord_stand_in(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordStandIn]:
    """Discord, with discord.py pointed at it."""
    async with DiscordStandIn(token=TOKEN) as stand_in:
        monkeypatch.setattr(discord.http.Route, "BASE", stand_in.url)
        address = yarl.URL(stand_in.gateway_url)
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", address)
        yield stand_in


@pytest.fixture
async def rest_bot(discord_stand_in: DiscordStandIn) -> AsyncIterator[SmallBot]:
    """A Discord client that has logged in, without a gateway."""
    async with SmallBot() as client:
        await client.login(TOKEN)
        yield client


@pytest.fixture
async def telegram_stand_in() -> AsyncIterator[TelegramStandIn]:
    async with TelegramStandIn(token=TOKEN) as stand_in:
        yield stand_in


@pytest.fixture
def chat(telegram_stand_in: TelegramStandIn, grace: TelegramUser) -> int:
    """The id of a chat that knows the bot."""
    telegram_stand_in.start_chat(grace)
    return grace.id


@pytest.fixture
async def telegram_bot(
    telegram_stand_in: TelegramStandIn, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bot]:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # without it, RetryAfter warns
    async with make_bot(telegram_stand_in) as initialized:
        yield initialized


@pytest.fixture
async def mail_stand_in() -> AsyncIterator[MailStandIn]:
    async with MailStandIn() as stand_in:
        yield stand_in
