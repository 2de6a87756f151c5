"""Many accounts, each linked to people of its own."""

from datetime import UTC, datetime

import aiohttp

from models import Destination, Plan
from models.database import migrate, open_database
from pingpilot.accounts.accounts import create_account, set_combine
from pingpilot.channels import DISCORD, TELEGRAM, direct_channels
from pingpilot.sandbox.telegram import TelegramUser
from tests.support.platforms import DISCORD_TOKEN, Platforms

ACCOUNTS = 60
"""So many that the pace of one chat holds nothing up."""


async def linked_accounts(database_url: str, platforms: Platforms, count: int = ACCOUNTS) -> list[str]:
    """Return the keys of new accounts, each with people of its own."""
    await migrate(database_url)
    async with open_database(database_url), aiohttp.ClientSession() as http:
        return [await _linked_account(number, platforms, http) for number in range(count)]


async def _linked_account(number: int, platforms: Platforms, http: aiohttp.ClientSession) -> str:
    now = datetime.now(UTC)
    new = await create_account(
        f"user{number}@example.com", plan=Plan.PRO, monthly_events=None, channels=direct_channels(), now=now
    )
    await set_combine(new.account, combine=False)  # each event must be seen to arrive
    dm = await _open_dm(platforms, f"{81384788765712384 + number}", http)
    person = TelegramUser(7_000_000_000 + number, f"user{number}", "User")
    platforms.telegram.start_chat(person)
    for channel, address in ((DISCORD, dm), (TELEGRAM, str(person.id))):
        await Destination.link(
            new.account.id, channel.name, address=address, user_id=address, username=None, at=now
        )
    return new.api_key


async def _open_dm(platforms: Platforms, user_id: str, http: aiohttp.ClientSession) -> str:
    headers = {"Authorization": f"Bot {DISCORD_TOKEN}"}
    url = f"{platforms.discord.url}/users/@me/channels"
    async with http.post(url, json={"recipient_id": user_id}, headers=headers) as response:
        return str((await response.json())["id"])
