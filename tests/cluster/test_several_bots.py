"""Several bots a platform: on one daemon at their own paces, and on two, where a token comes and goes."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from models import Plan
from models.database import open_database
from pingpilot.accounts.accounts import NewAccount, create_account, set_combine
from pingpilot.channels import DISCORD, TELEGRAM
from pingpilot.clock import SystemClock
from pingpilot.events.former_bots import LINKED_WITH_ANOTHER
from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from tests.support.accounts import link_chat
from tests.support.daemon import Daemon, a_daemon
from tests.support.databases import PostgresCopies
from tests.support.waiting import eventually, until

from .test_two_daemons import HastyDaemon

FIRST, SECOND = (
    "7000000042:AAG-the-token-of-the-first-bot-0123",
    "7000000043:AAG-the-token-of-the-second-bot-012",
)

ON_DISCORD = (
    "MTA0ODU3Ng.GhXwYz.the-token-of-the-first-discord-bot-01",
    "MTA0ODU3Nw.GhXwYz.the-token-of-the-second-discord-bot-1",
)
PEOPLE, EVENTS = 36, 3
"""More messages for each bot than its platform takes in a second, and not more for a chat."""
EVENT = re.compile("event . of ")


@dataclass
class Town:
    """Two daemons on one database, the two bots, and people who each have an account."""

    url: str
    folder: Path
    bots: dict[str, TelegramStandIn]
    daemons: list[HastyDaemon]

    async def run(self, *tokens: str, daemons: str = "ab") -> None:
        """Let these daemons run with these tokens, and no others."""
        await self.end()
        own = {"PINGPILOT_TELEGRAM_TOKEN": ", ".join(tokens)}
        own["PINGPILOT_TELEGRAM_API_URL"] = self.bots["first_bot"].url
        for name in daemons:
            folder = self.folder / name
            folder.mkdir(exist_ok=True)
            self.daemons.append(HastyDaemon(own, database_url=self.url, folder=folder))
        await asyncio.gather(*(each.start() for each in self.daemons))
        names = [f"telegram:{token.partition(':')[0]}" for token in tokens]
        for name in names if len(names) > 1 else ["telegram"]:
            await eventually(partial(self._states, name), {"standby", "up"} if len(daemons) > 1 else {"up"})

    async def end(self) -> None:
        await asyncio.gather(*(each.stop() for each in self.daemons))
        for each in self.daemons:
            await each.close()
        self.daemons.clear()

    async def link(self, person: TelegramUser, account: NewAccount, by: str = "") -> str:
        """Let a person link with the bot that the account is told of, or another one; return which."""
        answer = await self.daemons[0]._ask(
            "POST", "/api/v1/link-codes", {"Authorization": f"Bearer {account.api_key}"}, {}
        )
        told = by or answer.body["telegramUrl"].split("/")[3].split("?")[0]
        await self.bots[told].say(person, f"/link {answer.body['code']}")
        await until(lambda: any("is linked" in each for each in self.texts(told, person)))
        return str(told)

    async def post(self, account: NewAccount, text: str) -> None:
        answer = await self.daemons[-1].post(account.api_key, {"category": "sale", "description": text})
        assert answer.status == 200, answer.body

    def texts(self, bot: str, person: TelegramUser) -> list[str]:
        return [each.text for each in self.bots[bot].messages if each.chat_id == person.id]

    async def arrived(self, bot: str, person: TelegramUser, text: str) -> None:
        await until(lambda: any(text in each for each in self.texts(bot, person)))

    async def _states(self, name: str) -> set[str]:
        return {(await each.parts()).get(name, "") for each in self.daemons}


@pytest.fixture
async def town(postgres_copies: PostgresCopies, tmp_path: Path) -> AsyncIterator[Town]:
    url = postgres_copies.new(tmp_path)
    second = TelegramStandIn(token=SECOND, username="second_bot")
    async with TelegramStandIn(token=FIRST, username="first_bot") as first:
        first.others.append(second)
        town = Town(url, tmp_path, {"first_bot": first, "second_bot": second}, [])
        try:
            yield town
        finally:
            for each in town.daemons:
                await each.close()
    postgres_copies.drop(url)


async def test_accounts_are_spread_over_two_bots_and_a_token_may_go_and_come_back(town: Town) -> None:
    people = [TelegramUser(7_000_000_100 + number, f"user{number}", "User") for number in range(3)]
    async with open_database(town.url):
        accounts = []
        for number in range(3):
            new = await create_account(
                f"user{number}@example.com",
                plan=Plan.PRO,
                monthly_events=None,
                channels=[TELEGRAM.name],
                now=SystemClock().now(),
            )
            await set_combine(new.account, combine=False)
            accounts.append(new)
        await link_chat(accounts[0].account, TELEGRAM.name, SystemClock(), str(people[0].id))
    town.bots["first_bot"].start_chat(people[0])
    ada, bea, cem = zip(people, accounts, strict=True)

    await town.run(FIRST, SECOND)
    told = [
        "first_bot",
        *[await town.link(*each) for each in (bea, cem)],
    ]
    for (person, account), bot in zip((ada, bea, cem), told, strict=True):
        await town.post(account, "hello")
        await town.arrived(bot, person, "hello")
    assert sorted(told[1:]) == ["first_bot", "second_bot"]

    mover, other = (bea if told[1] == "first_bot" else cem), "second_bot"
    await town.link(*mover, by=other)  # the code works with whichever bot gets it
    await town.post(mover[1], "moved")
    await town.arrived(other, mover[0], "moved")

    await town.run(FIRST)
    await eventually(partial(is_suspended, town, mover[1]), True)
    await town.post(ada[1], "still there")
    await town.arrived("first_bot", ada[0], "still there")

    await town.run(SECOND, FIRST, daemons="a")  # in whatever order
    await eventually(partial(is_suspended, town, mover[1]), False)
    await town.post(mover[1], "back")
    await town.arrived(other, mover[0], "back")
    assert not town.bots["first_bot"].exceeded


async def is_suspended(town: Town, account: NewAccount) -> bool:
    """Return whether the account's chat was linked with a bot that is gone, as its owner sees it."""
    headers = {"Authorization": f"Bearer {account.api_key}"}
    answer = await town.daemons[0]._ask("GET", "/api/v1/destinations/telegram", headers)
    return bool(answer.body["suspendedReason"] == LINKED_WITH_ANOTHER)


async def test_two_bots_of_each_platform_send_to_their_own_people_within_their_own_limits(
    sqlite_url: str, tmp_path: Path
) -> None:
    telegram = [
        TelegramStandIn(token=FIRST, username="first_bot"),
        TelegramStandIn(token=SECOND, username="second_bot"),
    ]
    discord = [DiscordStandIn(token=each) for each in ON_DISCORD]
    telegram[0].others.append(telegram[1])
    discord[0].others.append(discord[1])

    def arrived(lane: int) -> tuple[list[str], list[str]]:
        by_telegram = [each.text.splitlines()[-1] for each in telegram[lane].messages]
        by_discord = [str(each.embeds[0]["description"]) for each in discord[lane].messages]
        return sorted(filter(EVENT.search, by_telegram)), sorted(filter(EVENT.search, by_discord))

    async with telegram[0], discord[0]:
        settings = {
            "PINGPILOT_TELEGRAM_TOKEN": ",".join((FIRST, SECOND)),
            "PINGPILOT_TELEGRAM_API_URL": telegram[0].url,
            "PINGPILOT_DISCORD_TOKEN": ",".join(ON_DISCORD),
            "PINGPILOT_DISCORD_API_URL": discord[0].url,
        }
        async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as daemon:
            keys = await keys_of_new_accounts(sqlite_url)
            await daemon.start()
            await asyncio.gather(*(each.wait_polling() for each in telegram))
            await asyncio.gather(*(each.wait_connected() for each in discord))
            lanes = await asyncio.gather(
                *(link_both(daemon, number, key, telegram, discord) for number, key in enumerate(keys))
            )
            events = [
                (number, f"event {each} of {number}") for number in range(PEOPLE) for each in range(EVENTS)
            ]
            await asyncio.gather(
                *(
                    daemon.post(keys[number], {"category": "sale", "description": text})
                    for number, text in events
                )
            )
            await until(lambda: sum(map(len, arrived(0) + arrived(1))) == 2 * len(events))

    assert Counter(lanes) == {0: PEOPLE / 2, 1: PEOPLE / 2}
    for lane in (0, 1):
        own = sorted(text for number, text in events if lanes[number] == lane)
        assert arrived(lane) == (own, own)
    assert [each.throttled for each in telegram] == [each.throttled for each in discord] == [0, 0]
    assert not any(each.takeovers for each in discord)


async def keys_of_new_accounts(database_url: str) -> list[str]:
    """Return the API keys of accounts whose messages are not combined."""
    keys = []
    async with open_database(database_url):
        for number in range(PEOPLE):
            new = await create_account(
                f"user{number}@example.com",
                plan=Plan.PRO,
                monthly_events=None,
                channels=[TELEGRAM.name, DISCORD.name],
                now=SystemClock().now(),
            )
            await set_combine(new.account, combine=False)
            keys.append(new.api_key)
    return keys


async def link_both(
    daemon: Daemon, number: int, key: str, telegram: list[TelegramStandIn], discord: list[DiscordStandIn]
) -> int:
    """Let a person link with the bot that the account is told of, and that of its lane on the other platform;
    return the lane.
    """
    answer = await daemon._ask("POST", "/api/v1/link-codes", {"Authorization": f"Bearer {key}"}, {})
    told = answer.body["telegramUrl"].split("/")[3].split("?")[0]
    lane = [each.username for each in telegram].index(told)
    person = TelegramUser(7_000_000_100 + number, f"user{number}", "User")
    await telegram[lane].say(person, f"/link {answer.body['code']}", timeout=20)
    await discord[lane].command(
        DiscordUser(f"{81384788765712384 + number}", "user"), f"/link {key}", timeout=20
    )
    return lane
