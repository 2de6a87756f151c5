"""Stand-ins on free ports, and the channels that send to them."""

from collections.abc import AsyncIterator

import pytest

from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn
from pingpilot.sandbox.webhook import WebhookStandIn

from .standins import TOKEN, discord_in_place


@pytest.fixture
async def discord_stand_in() -> AsyncIterator[DiscordStandIn]:
    async with discord_in_place() as stand_in:
        yield stand_in


@pytest.fixture
async def telegram_stand_in() -> AsyncIterator[TelegramStandIn]:
    async with TelegramStandIn(token=TOKEN) as stand_in:
        yield stand_in


@pytest.fixture
async def mail_stand_in() -> AsyncIterator[MailStandIn]:
    async with MailStandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def webhook_stand_in() -> AsyncIterator[WebhookStandIn]:
    async with WebhookStandIn(secrets=()) as stand_in:
        yield stand_in
