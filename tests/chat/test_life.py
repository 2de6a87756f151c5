"""The bots' life: how they start, what they survive, and how each stands in the health report."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import pytest
import structlog
from pydantic import SecretStr

from bots.discord.channel import DiscordChannel
from bots.discord.gateway import LONGEST_MESSAGE
from pingpilot.clock import SystemClock
from pingpilot.daemon.supervision import supervise
from pingpilot.delivery.channel import Recipient
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramStandIn
from pingpilot.telemetry.health import Health, State
from tests.channels.notifications import SALE
from tests.channels.standins import TOKEN, open_conversation
from tests.support.waiting import until

from .bots import Bots, OnDiscord, OnTelegram, Person

HELP = "I bring you notifications from your programs."


async def test_discord_goes_away_and_comes_back(on_discord: OnDiscord, bots: Bots) -> None:
    await on_discord.stand_in.stop()
    await bots.wait_until("discord", State.RETRYING)
    reason = bots.health.parts["discord"].reason
    await on_discord.stand_in.start()
    await bots.wait_until("discord", State.UP)

    assert reason == "The connection to Discord was lost."
    assert (await on_discord.ask("/help")).startswith(HELP)


async def test_telegram_goes_away_and_comes_back(on_telegram: OnTelegram, bots: Bots) -> None:
    await on_telegram.stand_in.wait_polling()

    await on_telegram.stand_in.stop()
    await bots.wait_until("telegram", State.RETRYING)
    reason = bots.health.parts["telegram"].reason
    await on_telegram.stand_in.start()
    await bots.wait_until("telegram", State.UP)

    assert reason is not None
    assert reason.startswith("Telegram: ")
    assert (await on_telegram.ask("/help")).startswith(HELP)


@pytest.mark.usefixtures("storage")
async def test_platforms_that_are_away_at_the_start_are_found_later(
    bots: Bots, discord_stand_in: DiscordStandIn, telegram_stand_in: TelegramStandIn
) -> None:
    await discord_stand_in.stop()
    await telegram_stand_in.stop()

    async with AsyncExitStack() as stack:
        for component in (bots.discord(discord_stand_in), bots.telegram(telegram_stand_in)):
            await stack.enter_async_context(bots.supervised(component, state=State.RETRYING))
        await discord_stand_in.start()
        await telegram_stand_in.start()
        await bots.wait_until("discord", State.UP)
        await bots.wait_until("telegram", State.UP)

        assert (await OnDiscord(discord_stand_in).ask("/help")).startswith(HELP)
        assert (await OnTelegram(telegram_stand_in).ask("/help")).startswith(HELP)


@pytest.mark.parametrize("broken", ["discord", "telegram"])
@pytest.mark.usefixtures("storage")
async def test_a_bad_token_pauses_its_own_bot_alone(
    bots: Bots, discord_stand_in: DiscordStandIn, telegram_stand_in: TelegramStandIn, broken: str
) -> None:
    tokens = {"discord": TOKEN, "telegram": TOKEN, broken: "7000000042:wrong"}
    components = (
        bots.discord(discord_stand_in, tokens["discord"]),
        bots.telegram(telegram_stand_in, tokens["telegram"]),
    )
    people: dict[str, Person] = {
        "discord": OnTelegram(telegram_stand_in),
        "telegram": OnDiscord(discord_stand_in),
    }

    async with AsyncExitStack() as stack:
        for component in components:
            state = State.PAUSED if component.name == broken else State.UP
            await stack.enter_async_context(bots.supervised(component, state=state))
        unharmed = await people[broken].ask("/help")

    assert unharmed.startswith(HELP)
    assert bots.health.parts[broken].reason == (
        f"{broken.capitalize()} refuses the bot's token: set a valid one."
    )


async def test_a_discord_token_revoked_while_running_is_noticed(on_discord: OnDiscord, bots: Bots) -> None:
    await on_discord.stand_in.revoke_token()

    await bots.wait_until("discord", State.PAUSED)

    assert on_discord.stand_in.connections == 0


async def test_a_telegram_token_revoked_while_running_is_noticed(on_telegram: OnTelegram, bots: Bots) -> None:
    await on_telegram.stand_in.wait_polling()

    on_telegram.stand_in.revoke_token()

    await bots.wait_until("telegram", State.PAUSED)


async def test_a_second_poller_shows_and_is_outlived(on_telegram: OnTelegram, bots: Bots) -> None:
    stand_in = on_telegram.stand_in
    await stand_in.wait_polling()

    async with aiohttp.ClientSession() as session:
        url = f"{stand_in.url}/bot{TOKEN}/getUpdates?timeout=20"
        other = asyncio.create_task(session.get(url).__aenter__())
        await bots.wait_until("telegram", State.RETRYING)
        reason = bots.health.parts["telegram"].reason
        await bots.wait_until("telegram", State.UP)
        answer = await other
        answer.close()

    assert reason is not None
    assert "terminated by other getUpdates request" in reason
    assert answer.status == 409
    assert (await on_telegram.ask("/help")).startswith(HELP)


async def test_flood_control_of_polling_is_waited_out(on_telegram: OnTelegram, bots: Bots) -> None:
    stand_in = on_telegram.stand_in
    await stand_in.wait_polling()
    stand_in.faults.add(Fault.status(429, retry_after=1), route="getUpdates")

    replies = [await on_telegram.ask("/help") for _ in range(2)]

    assert all(reply.startswith(HELP) for reply in replies)
    assert stand_in.throttled == 1
    assert bots.health.parts["telegram"].state is State.UP


async def test_discord_drops_the_connection_and_it_is_resumed(on_discord: OnDiscord, bots: Bots) -> None:
    await on_discord.stand_in.drop_gateways(4000)
    await on_discord.stand_in.wait_connected()

    await bots.wait_until("discord", State.UP)
    assert (await on_discord.ask("/help")).startswith(HELP)


async def test_a_session_discord_forgot_is_begun_anew(on_discord: OnDiscord, bots: Bots) -> None:
    await on_discord.stand_in.invalidate_sessions(resumable=False)
    await bots.wait_until("discord", State.RETRYING)

    await bots.wait_until("discord", State.UP)  # after 5 s, as Discord asks
    assert (await on_discord.ask("/help")).startswith(HELP)


async def test_a_message_of_the_gateway_without_measure_is_not_taken(
    on_discord: OnDiscord, bots: Bots
) -> None:
    await on_discord.stand_in.send_event("GUILD_CREATE", {"name": "x" * LONGEST_MESSAGE})
    await bots.wait_until("discord", State.RETRYING)

    await bots.wait_until("discord", State.UP, timeout=30)
    assert (await on_discord.ask("/help")).startswith(HELP)


async def test_messages_go_out_while_the_gateway_is_lost(on_discord: OnDiscord, bots: Bots) -> None:
    stand_in = on_discord.stand_in
    channel = DiscordChannel(token=SecretStr(TOKEN))
    recipient = Recipient(1, await open_conversation(stand_in, on_discord.user))
    stand_in.refuse_gateway = True
    await stand_in.drop_gateways()
    await bots.wait_until("discord", State.RETRYING)

    await channel.send(recipient, SALE)

    await channel.close()
    assert len(stand_in.messages) == 1
    assert bots.health.parts["discord"].state is State.RETRYING


async def test_a_cancelled_bot_leaves_no_connection_behind(
    storage: str, bots: Bots, discord_stand_in: DiscordStandIn, telegram_stand_in: TelegramStandIn
) -> None:
    async with (
        bots.supervised(bots.discord(discord_stand_in)),
        bots.supervised(bots.telegram(telegram_stand_in)),
    ):
        await telegram_stand_in.wait_polling()

    await until(lambda: discord_stand_in.connections == 0)
    with pytest.raises(TimeoutError):
        await telegram_stand_in.wait_polling(timeout=0.1)


class Fragile:
    """A part that ends as it is told, run after run."""

    name = "fragile"

    def __init__(self, *ends: Exception | None) -> None:
        self._ends = list(ends)
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        end = self._ends.pop(0) if self._ends else None
        if end:
            raise end


@pytest.mark.parametrize(
    ("end", "reason"),
    [(RuntimeError("boom"), "RuntimeError: boom"), (None, "The connection ended.")],
)
async def test_a_part_that_ends_shows_why_and_is_run_again(end: Exception | None, reason: str) -> None:
    health, part = Health(), Fragile(end, end)

    task = asyncio.create_task(supervise(part, health, clock=SystemClock()))
    await until(lambda: part.runs == 1 and health.state_of("fragile") is State.RETRYING)
    shown = health.parts["fragile"].reason
    await until(lambda: part.runs == 2)
    task.cancel()
    await asyncio.wait([task])

    assert shown == reason


async def test_a_reply_of_a_bot_that_leads_no_more_is_left_to_the_next_leader(
    storage: str, bots: Bots, discord_stand_in: DiscordStandIn, telegram_stand_in: TelegramStandIn
) -> None:
    leads, held = True, asyncio.Event()
    telegram_stand_in.faults.add(Fault.hold(held), route="deleteMessage")
    with structlog.testing.capture_logs() as log:
        async with (
            bots.supervised(bots.discord(discord_stand_in, may_act=lambda: leads)),
            bots.supervised(bots.telegram(telegram_stand_in, may_act=lambda: leads)),
        ):
            key_in_chat = OnTelegram(telegram_stand_in).ask(f"/link pp_{'x' * 43}")
            asked = [asyncio.create_task(key_in_chat)]
            await telegram_stand_in.wait_for_calls("deleteMessage")
            leads = False  # both stood still here, and hear of it later
            held.set()
            asked.append(asyncio.create_task(OnDiscord(discord_stand_in).ask("/help")))
            told = {f"A reply on {platform} was not sent" for platform in ("Telegram", "Discord")}
            await until(lambda: told <= {each["event"] for each in log})
        for each in asked:
            each.cancel()

    assert not [each for each in log if each["log_level"] == "error"]
    assert not telegram_stand_in.messages
    assert not discord_stand_in.replies
