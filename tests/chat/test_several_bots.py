"""One of several bots: what is linked by it is its own, and it tells where it is found."""

import pytest

from bots.commands import Commands
from models import Account, Destination, Fact
from pingpilot.accounts.linking import (
    DISCORD_INSTALL,
    TELEGRAM_USERNAME,
    ChatUser,
    create_link_code,
    fact_of_bot,
)
from pingpilot.accounts.rooms import Room
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.telegram import TelegramStandIn
from tests.support.waiting import eventually

from .bots import ADA_ON_TELEGRAM, Bots, OnDiscord

ROOM = "-1001"
ADA = ChatUser("telegram", "7123456789", "ada")


@pytest.fixture
def bots() -> Bots:
    return Bots(lane=1)


async def lanes(account: Account) -> dict[str, int]:
    linked = Destination.filter(account_id=account.id, linked_at__isnull=False)
    return {each.name: each.lane for each in await linked}


async def test_on_discord(bots: Bots, alice: Account, discord_stand_in: DiscordStandIn) -> None:
    async with bots.supervised(bots.discord(discord_stand_in)):
        code = await create_link_code(alice, bots.clock.now())
        person = OnDiscord(discord_stand_in)
        await discord_stand_in.command(person.user, f"/link {code.code}")

    install = await Fact.read(fact_of_bot(DISCORD_INSTALL, 1))
    assert (install or "").endswith(f"client_id={discord_stand_in.application_id}")
    assert await Fact.read(DISCORD_INSTALL) is None
    assert await lanes(alice) == {"discord": 1}


async def test_on_telegram(bots: Bots, alice: Account, telegram_stand_in: TelegramStandIn) -> None:
    async with bots.supervised(bots.telegram(telegram_stand_in)):
        code = await create_link_code(alice, bots.clock.now())
        await telegram_stand_in.say(ADA_ON_TELEGRAM, f"/link {code.code}")
        await eventually(lambda: lanes(alice), {"telegram": 1})

    assert await Fact.read(fact_of_bot(TELEGRAM_USERNAME, 1)) == telegram_stand_in.username


async def test_a_room_that_one_bot_loses_another_one_keeps(bots: Bots, alice: Account) -> None:
    for name, commands in (("first", Bots().commands), ("second", bots.commands)):
        await link_room(commands, alice, name, bots)

    await bots.commands.rooms.suspend("telegram", f"{ROOM}-first", "The bot was removed.")
    await bots.commands.rooms.suspend("telegram", f"{ROOM}-second", "The bot was removed.")

    [suspended] = await Destination.filter(suspended_reason__isnull=False)
    assert (await lanes(alice), suspended.name) == ({"first": 0, "second": 1}, "second")


async def link_room(commands: Commands, account: Account, name: str, bots: Bots) -> None:
    code = await create_link_code(account, bots.clock.now(), room=name)
    await commands.rooms.link(ADA, Room("telegram", f"{ROOM}-{name}", "Team"), code.code)
