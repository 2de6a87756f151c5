"""Two bots on Telegram and two daemons: either may lead either, and a token comes and goes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from models import Plan
from models.database import open_database
from pingpilot.accounts.accounts import NewAccount, create_account, set_combine
from pingpilot.channels import TELEGRAM
from pingpilot.clock import SystemClock
from pingpilot.events.former_bots import LINKED_WITH_ANOTHER
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from tests.support.accounts import link_chat
from tests.support.databases import PostgresCopies
from tests.support.waiting import eventually, until

from .test_two_daemons import HastyDaemon

FIRST, SECOND = (
    "7000000042:AAG-the-token-of-the-first-bot-0123",
    "7000000043:AAG-the-token-of-the-second-bot-012",
)


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
