"""Stand-ins, bots that are up, and people in a chat with them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from models import Account
from models.database import open_database
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.telegram import TelegramStandIn
from tests.channels.standins import TOKEN, discord_in_place
from tests.conftest import PATIENT
from tests.support.accounts import new_account
from tests.support.databases import PostgresCopies, SqliteCopies

from .bots import Bots, OnDiscord, OnTelegram, Person


@pytest.fixture
def bots() -> Bots:
    return Bots()


@pytest.fixture
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """An open database: SQLite, or each of those that a test is marked for with `ON_BOTH_DATABASES`."""
    kind = getattr(request, "param", "sqlite")
    copies: SqliteCopies | PostgresCopies = request.getfixturevalue(f"{kind}_copies")
    url = copies.new(tmp_path)
    async with open_database(url, patience=PATIENT):
        yield url
    copies.drop(url)


@pytest.fixture
async def discord_stand_in() -> AsyncIterator[DiscordStandIn]:
    async with discord_in_place() as stand_in:
        yield stand_in


@pytest.fixture
async def telegram_stand_in() -> AsyncIterator[TelegramStandIn]:
    async with TelegramStandIn(token=TOKEN) as stand_in:
        stand_in.chat_limit = None
        yield stand_in


@pytest.fixture
async def on_discord(storage: str, bots: Bots, discord_stand_in: DiscordStandIn) -> AsyncIterator[OnDiscord]:
    """Somebody who talks to the Discord bot."""
    async with bots.supervised(bots.discord(discord_stand_in)):
        yield OnDiscord(discord_stand_in)


@pytest.fixture
async def on_telegram(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> AsyncIterator[OnTelegram]:
    """Somebody who talks to the Telegram bot."""
    async with bots.supervised(bots.telegram(telegram_stand_in)):
        yield OnTelegram(telegram_stand_in)


@pytest.fixture(params=["on_discord", "on_telegram"])
def person(request: pytest.FixtureRequest) -> Person:
    """Somebody who talks to a bot; the test runs once on each platform."""
    found: Person = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def alice(storage: str, bots: Bots) -> Account:
    """An account that is linked to nothing yet."""
    return await new_account(bots.clock, "alice@example.com")


@pytest.fixture
async def mailed(storage: str, bots: Bots) -> Account:
    """An account that gets e-mails, linked to no chat yet."""
    return await new_account(bots.clock, "alice@example.com", channels=["email"])
