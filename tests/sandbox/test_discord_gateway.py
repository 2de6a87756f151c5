"""Gateway and slash commands of the Discord stand-in, driven by discord.py."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

import aiohttp
import discord
import pytest
from discord import app_commands

from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser

from .conftest import TOKEN
from .discord_bot import SmallBot


@pytest.fixture
async def bot(discord_stand_in: DiscordStandIn) -> AsyncIterator[SmallBot]:
    """A client that is connected to the gateway."""
    async with connected(discord_stand_in) as client:
        yield client


@asynccontextmanager
async def connected(stand_in: DiscordStandIn) -> AsyncIterator[SmallBot]:
    """Run a client until the end that is connected to the gateway of this bot."""
    client = SmallBot()
    running = asyncio.create_task(client.start(stand_in.token))
    await stand_in.wait_connected()
    yield client
    await client.close()
    running.cancel()
    with suppress(asyncio.CancelledError, discord.ConnectionClosed):
        await running


def failures_of(bot: SmallBot) -> asyncio.Queue[app_commands.AppCommandError]:
    """Return what will hold the errors of the bot's commands."""
    failures: asyncio.Queue[app_commands.AppCommandError] = asyncio.Queue()

    @bot.tree.error
    async def keep(_interaction: discord.Interaction[SmallBot], error: app_commands.AppCommandError) -> None:
        await failures.put(error)

    return failures


@pytest.mark.parametrize(("where", "context"), [("dm", [1]), ("guild", [0]), ("private", [2])])
async def test_a_command_is_answered_wherever_it_is_used(
    discord_stand_in: DiscordStandIn,
    bot: SmallBot,
    ada: DiscordUser,
    where: Literal["dm", "guild", "private"],
    context: list[int],
) -> None:
    reply = await discord_stand_in.command(ada, "/link K7QM2XNP with a note", where=where)

    assert reply.content == f"ada links K7QM2XNP with a note in {context}"
    assert reply.ephemeral
    assert not reply.deferred


async def test_a_deferred_reply_is_the_edited_message(
    discord_stand_in: DiscordStandIn, bot: SmallBot, ada: DiscordUser
) -> None:
    reply = await discord_stand_in.command(ada, "/report 7")

    await discord_stand_in.wait_for_calls("POST webhooks/{application}/{token}")
    assert reply.embeds[0]["title"] == "The last 7 days"
    assert reply.ephemeral
    assert reply.deferred


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("/unlink", "there are: /link, /report, /menu"),
        ("/link", "/link needs code"),
        ("/report 1 2", "takes at most 1 word"),
        ("/report seven", "invalid literal"),
    ],
)
async def test_what_the_client_would_not_send_is_an_error(
    discord_stand_in: DiscordStandIn, bot: SmallBot, ada: DiscordUser, text: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        await discord_stand_in.command(ada, text)


async def test_a_pressed_button_changes_its_message(
    discord_stand_in: DiscordStandIn, bot: SmallBot, ada: DiscordUser
) -> None:
    menu = await discord_stand_in.command(ada, "/menu")

    reply = await discord_stand_in.press(ada, "mute:sales")

    assert (reply.content, reply.updated, reply.components) == ("Muted", True, [])
    assert reply.message_id == menu.message_id
    with pytest.raises(ValueError, match="mute:sales"):
        await discord_stand_in.press(ada, "mute:sales")


async def test_a_reply_beyond_the_limit_is_refused(
    discord_stand_in: DiscordStandIn, bot: SmallBot, ada: DiscordUser
) -> None:
    failures = failures_of(bot)

    with pytest.raises(TimeoutError, match="did not reply"):
        await discord_stand_in.command(ada, "/link " + "x" * 2000, timeout=0.2)

    failure = await failures.get()
    assert "50035" in str(failure)


async def test_a_late_callback_finds_no_interaction(
    discord_stand_in: DiscordStandIn, bot: SmallBot, ada: DiscordUser
) -> None:
    failures = failures_of(bot)
    discord_stand_in.interaction_deadline = -1

    with pytest.raises(TimeoutError):
        await discord_stand_in.command(ada, "/link CODE", timeout=0.2)

    assert "10062" in str(await failures.get())


async def test_commands_are_kept_as_they_were_registered(
    discord_stand_in: DiscordStandIn, bot: SmallBot
) -> None:
    fetched = await bot.tree.fetch_commands()

    assert [command["name"] for command in discord_stand_in.commands] == ["link", "report", "menu"]
    assert discord_stand_in.commands[0]["contexts"] == [0, 1, 2]
    assert {command.name for command in fetched} == {"link", "report", "menu"}


@pytest.mark.parametrize("code", [None, 4000])
async def test_a_dropped_client_resumes_and_hears_what_it_missed(
    discord_stand_in: DiscordStandIn, bot: SmallBot, ada: DiscordUser, code: int | None
) -> None:
    await discord_stand_in.drop_gateways(code)

    reply = await discord_stand_in.command(ada, "/link CODE")

    await asyncio.wait_for(bot.resumed.wait(), timeout=5)
    assert reply.content.startswith("ada links CODE")
    assert discord_stand_in.connections == 1


async def test_an_invalid_but_resumable_session_is_resumed(
    discord_stand_in: DiscordStandIn, bot: SmallBot
) -> None:
    await discord_stand_in.invalidate_sessions(resumable=True)

    await asyncio.wait_for(bot.resumed.wait(), timeout=5)
    assert discord_stand_in.connections == 1


async def test_an_unknown_session_is_invalid(discord_stand_in: DiscordStandIn) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(discord_stand_in.gateway_url) as socket:
        hello = await socket.receive_json()
        resume = {"token": TOKEN, "session_id": "gone", "seq": 1}
        await socket.send_json({"op": 6, "d": resume})

        answer = await socket.receive_json()

    assert hello == {"op": 10, "d": {"heartbeat_interval": 41250}}
    assert answer == {"op": 9, "d": False}


async def test_a_revoked_token_closes_the_gateway_for_good(discord_stand_in: DiscordStandIn) -> None:
    async with SmallBot() as client:
        running = asyncio.create_task(client.start(TOKEN))
        await discord_stand_in.wait_connected()

        discord_stand_in.revoke_token()

        with pytest.raises(discord.ConnectionClosed) as closed:
            await running
        assert closed.value.code == 4004


async def test_a_wrong_token_is_not_let_in(discord_stand_in: DiscordStandIn) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(discord_stand_in.gateway_url) as socket:
        await socket.receive_json()
        await socket.send_json({"op": 2, "d": {"token": "wrong"}})

        await socket.receive()

    assert socket.close_code == 4004


async def test_a_refusing_gateway_takes_no_websockets(discord_stand_in: DiscordStandIn) -> None:
    discord_stand_in.refuse_gateway = True

    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(discord_stand_in.gateway_url)


async def test_stop_does_not_wait_for_open_websockets(
    discord_stand_in: DiscordStandIn, bot: SmallBot
) -> None:
    async with asyncio.timeout(10):
        await discord_stand_in.stop()

    assert discord_stand_in.connections == 0


async def test_nobody_hears_a_command_before_a_client_has_connected(
    discord_stand_in: DiscordStandIn, ada: DiscordUser
) -> None:
    async with SmallBot() as client:
        await client.login(TOKEN)

        with pytest.raises(RuntimeError, match="no client"):
            await discord_stand_in.command(ada, "/menu")


async def begin(host: str, session: aiohttp.ClientSession) -> tuple[aiohttp.ClientWebSocketResponse, object]:
    """Connect through this host and identify; return the socket and the opcode of the answer."""
    socket = await session.ws_connect(f"ws://{host}/gateway")
    await socket.receive_json()
    await socket.send_json({"op": 2, "d": {"token": TOKEN, "intents": 1}})
    answer = await socket.receive()
    return socket, answer.json()["op"] if answer.type is aiohttp.WSMsgType.TEXT else answer.data


async def test_bots_at_one_address_have_sessions_limits_and_people_of_their_own(
    discord_stand_in: DiscordStandIn, bot: SmallBot, ada: DiscordUser
) -> None:
    second = DiscordStandIn(token="that-of-the-second-bot")
    discord_stand_in.others.append(second)
    for each in (discord_stand_in, second):
        each.session_limit.max_concurrency = 1
    async with connected(second) as other:
        ids = [str(client.application_id) for client in (bot, other)]
        assert ids == [discord_stand_in.user_id, second.user_id]
        replies = [await each.command(ada, "/link K7QM2XNP") for each in (discord_stand_in, second)]
        for client in (bot, other):
            dm = await client.create_dm(discord.Object(int(ada.id)))
            await dm.send(f"hello from {client.user}")
        with pytest.raises(discord.NotFound):  # another bot's conversation
            await bot.get_partial_messageable(int(second.messages[0].channel_id)).send("hello")

        discord_stand_in.global_limit = 2
        answers = {}
        for token in (TOKEN, second.token):
            async with aiohttp.ClientSession(headers={"Authorization": f"Bot {token}"}) as session:
                asked = [session.get(f"{discord_stand_in.url}/users/@me") for _ in range(5)]
                answers[token] = [answer.status for answer in await asyncio.gather(*asked)]

    assert [reply.content[:9] for reply in replies] == ["ada links"] * 2
    assert [len(each.messages) for each in (discord_stand_in, second)] == [1, 1]
    assert discord_stand_in.takeovers == second.takeovers == []
    assert (429 in answers[TOKEN], 429 in answers[second.token]) == (True, False)
    assert discord_stand_in.exceeded == {"requests of the bot": answers[TOKEN].count(429)}
    assert not second.exceeded


async def test_sessions_are_limited_within_seconds_and_within_a_day() -> None:
    async with (
        DiscordStandIn(token=TOKEN) as stand_in,
        aiohttp.ClientSession(headers={"Authorization": f"Bot {TOKEN}"}) as session,
    ):
        host = f"127.0.0.1:{stand_in.port}"
        stand_in.session_limit.total, stand_in.session_limit.max_concurrency = 2, 1

        answers = [(await begin(host, session))[1] for _ in range(3)]
        async with session.get(f"{stand_in.url}/gateway/bot") as answer:
            limit = (await answer.json())["session_start_limit"]

    assert answers == [0, 9, 4004]  # READY, invalid session, closed
    assert stand_in.exceeded == {"sessions at once": 1, "sessions a day": 1}
    assert (limit["remaining"], limit["max_concurrency"]) == (0, 1)
    assert 0 < limit["reset_after"] <= 86_400_000


async def test_other_processes_are_told_of_two_clients_at_once() -> None:
    async with (
        DiscordStandIn(token=TOKEN, host="0.0.0.0") as stand_in,  # noqa: S104
        aiohttp.ClientSession() as session,
    ):
        hosts = [f"127.0.0.{each}:{stand_in.port}" for each in (2, 3)]
        connected = [await begin(host, session) for host in hosts]

        async with session.get(f"http://{hosts[0]}/counts") as answer:
            counts = await answer.json()

    assert [opcode for _, opcode in connected] == [0, 0]
    assert counts["takeovers"][0]["former"] == hosts[0]
    assert counts["takeovers"][0]["later"] == hosts[1]
    assert (counts["most_connections"], counts["sessions_begun"]) == (2, 2)
