"""Several bots of a platform: their lanes, and which one an account is told of."""

from datetime import UTC, datetime, timedelta

import pytest

from models import Account, Bot, Fact
from models.database import connection
from models.sql import query
from pingpilot.accounts.linking import (
    TELEGRAM_USERNAME,
    ChatUser,
    bot_of,
    create_link_code,
    fact_of_bot,
    link,
)
from pingpilot.channels import TELEGRAM
from tests.support.accounts import link_chat, new_account
from tests.support.clock import ManualClock

ADA, BEA, CEM = "telegram:1", "telegram:2", "telegram:3"


async def accounts(clock: ManualClock, count: int) -> list[Account]:
    return [await new_account(clock, f"user{number}@example.com") for number in range(count)]


async def test_a_bot_keeps_its_lane_wherever_its_token_stands(database: str) -> None:
    assert await Bot.register("telegram", [ADA]) == {ADA: 0}
    assert await Bot.register("telegram", [BEA, ADA]) == {BEA: 1, ADA: 0}
    assert await Bot.register("telegram", [CEM]) == {CEM: 2}
    assert await Bot.register("discord", ["discord:1"]) == {"discord:1": 0}

    assert await Bot.lanes("telegram", in_use=True) == [2]
    assert await Bot.lanes("telegram", in_use=False) == [0, 1]
    assert await Bot.lanes("telegram") == [0, 1, 2]


async def test_the_only_bot_there_ever_was_gives_its_lane_to_the_one_that_takes_its_place(
    database: str,
) -> None:
    await Bot.register("telegram", [ADA])

    assert await Bot.register("telegram", [BEA]) == {BEA: 0}
    assert await Bot.lanes("telegram") == [0]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_bot_that_another_daemon_leads_keeps_its_lane(database: str) -> None:
    """Both would claim by one lane, and take back what the other one is sending."""
    await Bot.register("telegram", [ADA])
    lease = (
        "INSERT INTO leaders (token, holder, epoch, since, expires_at) VALUES (?, ?, 1, now(), ?) RETURNING 1"
    )
    await query(connection(), lease, [ADA, "web-1:8080:0", datetime.now(UTC) + timedelta(minutes=1)])

    assert await Bot.register("telegram", [BEA]) == {BEA: 1}
    assert await Bot.register("telegram", [ADA]) == {ADA: 0}


async def test_whoever_goes_to_another_bot_has_not_moved(database: str, clock: ManualClock) -> None:
    """Their chat there is another one on Discord: nobody need be warned."""
    [account] = await accounts(clock, 1)
    await link_chat(account, "discord", clock, "4711")
    code, theirs = [await create_link_code(account, clock.now()) for _ in range(2)]

    same = ChatUser("discord", "4711", "alice")
    again = await link(same, code.code, address="4712", now=clock.now(), lane=1)
    other = ChatUser("discord", "666", "mallory")
    taken = await link(other, theirs.code, address="4713", now=clock.now())

    assert (again.old_address, taken.old_address) == (None, "4712")


async def test_accounts_are_spread_over_the_bots(sqlite: str, clock: ManualClock) -> None:
    await Bot.register("telegram", [ADA, BEA])
    for lane, name in enumerate(("ada_bot", "bea_bot")):
        await Fact.keep(fact_of_bot(TELEGRAM_USERNAME, lane), name)

    links = [
        await create_link_code(account, clock.now(), room=room)
        for account in await accounts(clock, 4)
        for room in (None, "ops")
    ]

    names = [(each.telegram_url or "").split("/")[3].split("?")[0] for each in links]
    assert sorted(names) == ["ada_bot"] * 4 + ["bea_bot"] * 4
    assert all(f"@{name} " in each.in_groups for name, each in zip(names, links, strict=True))


async def test_an_account_stays_with_the_bot_that_it_linked_a_chat_with(
    sqlite: str, clock: ManualClock
) -> None:
    own = await accounts(clock, 2)
    for account in own:
        await link_chat(account, TELEGRAM.name, clock)  # while there was one
    await Bot.register("telegram", [ADA])
    await Bot.register("telegram", [ADA, BEA])

    assert [await bot_of(account, "telegram") for account in own] == [0, 0]

    await Bot.register("telegram", [BEA, CEM])
    assert {await bot_of(account, "telegram") for account in own} == {1, 2}
