"""Rate limits, faults and outages of the Discord stand-in, as discord.py meets them."""

import asyncio

import aiohttp
import discord
import pytest

from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.faults import Fault

from .conftest import TOKEN
from .discord_bot import SmallBot

SEND = "POST channels/{channel}/messages"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.status(503), 503),
        (Fault.page(403), 403),
        (Fault.status(429, retry_after=1, headers={"Via": ""}), 429),
        (Fault.error(400, "Cannot send messages to this user", code=50007), 400),
    ],
)
async def test_a_fault_strikes_once(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser, fault: Fault, status: int
) -> None:
    discord_stand_in.faults.add(fault, route="messages")

    with pytest.raises(discord.HTTPException) as refusal:
        await rest_bot.dm(ada.id, "lost")
    await rest_bot.dm(ada.id, "taken")

    assert (refusal.value.status, refusal.value.code) == (status, fault.platform_code)
    assert [message.content for message in discord_stand_in.messages] == ["taken"]


@pytest.mark.parametrize(
    ("fault", "taken"), [(Fault.drop(), 0), (Fault.drop(after_accepting=True), 1), (Fault.cut(), 0)]
)
async def test_a_dropped_connection(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser, fault: Fault, taken: int
) -> None:
    discord_stand_in.faults.add(fault, route="messages")

    with pytest.raises((aiohttp.ClientError, OSError)):
        await rest_bot.dm(ada.id, "hello")

    assert len(discord_stand_in.messages) == taken


async def test_a_retry_after_a_lost_answer_repeats_nothing(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser
) -> None:
    discord_stand_in.faults.add(Fault.hang(after_accepting=True))

    sending = asyncio.create_task(rest_bot.dm(ada.id, "hello", nonce="delivery-1"))
    await discord_stand_in.wait_for_messages(1)
    sending.cancel()
    await rest_bot.dm(ada.id, "hello", nonce="delivery-1")

    assert len(discord_stand_in.messages) == 1


async def test_a_hung_request_does_not_delay_stop(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser
) -> None:
    discord_stand_in.faults.add(Fault.hang(), times=None)
    sending = asyncio.create_task(rest_bot.dm(ada.id, "hello"))
    await discord_stand_in.wait_for_calls("POST users/@me/channels")

    async with asyncio.timeout(10):
        await discord_stand_in.stop()

    with pytest.raises((aiohttp.ClientError, OSError)):
        await sending


async def test_a_used_up_channel_makes_the_client_wait(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser
) -> None:
    discord_stand_in.channel_limit = (2, 0.2)

    await asyncio.gather(*(rest_bot.dm(ada.id, f"{number}") for number in range(5)))

    assert len(discord_stand_in.messages) == 5


async def test_a_client_that_does_not_wait_is_throttled(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser
) -> None:
    channel = await rest_bot.create_dm(discord.Object(int(ada.id)))
    discord_stand_in.channel_limit = (1, 60.0)
    headers = {"Authorization": f"Bot {TOKEN}"}
    url = f"{discord_stand_in.url}/channels/{channel.id}/messages"

    async with aiohttp.ClientSession(headers=headers) as session:
        taken = await session.post(url, json={"content": "one"})
        throttled = await session.post(url, json={"content": "two"})
        body = await throttled.json()

    assert (taken.status, taken.headers["X-RateLimit-Remaining"]) == (200, "0")
    assert throttled.status == 429
    assert set(body) == {"message", "retry_after", "global"}
    assert throttled.headers["Via"]
    assert discord_stand_in.throttled == 1


async def test_the_overall_limit_holds_over_all_routes(discord_stand_in: DiscordStandIn) -> None:
    discord_stand_in.global_limit = 1
    headers = {"Authorization": f"Bot {TOKEN}"}

    async with aiohttp.ClientSession(headers=headers) as session:
        answers = [await session.get(discord_stand_in.url + "/users/@me") for _ in range(20)]
        throttled = [await answer.json() for answer in answers if answer.status == 429]

    assert len(throttled) == discord_stand_in.throttled > 0
    assert throttled[0]["global"] is True


async def test_a_429_is_waited_out_by_the_client(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser
) -> None:
    discord_stand_in.faults.add(Fault.status(429, retry_after=0.01), route="messages", times=2)

    await rest_bot.dm(ada.id, "hello")

    assert discord_stand_in.throttled == 2
    assert discord_stand_in.calls[SEND] == 3


async def test_a_platform_that_comes_back_keeps_its_port_and_messages(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser
) -> None:
    await rest_bot.dm(ada.id, "before")
    port = discord_stand_in.port

    await discord_stand_in.stop()
    with pytest.raises((aiohttp.ClientError, OSError)):
        await rest_bot.dm(ada.id, "lost")
    await discord_stand_in.start()
    await rest_bot.dm(ada.id, "after")

    assert discord_stand_in.port == port
    assert [message.content for message in discord_stand_in.messages] == ["before", "after"]
