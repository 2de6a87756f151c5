"""From an accepted event to all three platforms, whose limits the stand-ins enforce."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from bots.discord.channel import DiscordChannel
from bots.telegram.channel import TelegramChannel
from models import Account, Delivery, Plan
from models.ids import event_id_text
from pingpilot.channels import DISCORD, EMAIL, TELEGRAM
from pingpilot.clock import SystemClock
from pingpilot.delivery.channel import Channel
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.pacing import Pacer
from pingpilot.delivery.settlement import Settlements
from pingpilot.email.channel import EmailChannel
from pingpilot.email.smtp import MailServer, SmtpPool
from pingpilot.health import Health
from pingpilot.intake import Intake, Submission
from pingpilot.metrics import Metrics
from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from tests.support.accounts import link_chat, new_account
from tests.support.events import caller_for
from tests.support.waiting import eventually, until

from .standins import TOKEN, open_conversation

ALICE_ON_DISCORD = DiscordUser("81384788765712384", "alice")
ALICE_ON_TELEGRAM = TelegramUser(7_123_456_789, "alice", "Alice")
CLOCK = SystemClock()
EVERYWHERE: dict[str, tuple[str, str | None]] = dict.fromkeys(
    ("discord", "telegram", "email"), ("delivered", None)
)
MARKUP = "*_`~|<[\\@everyone #>-:smile: https://example.com/_a_(b) <@1> **"

MAXIMAL: dict[str, tuple[str, Mapping[str, Any]]] = {
    "a long description": ("d" * 4000, {}),
    "emoji all over": ("🎉" * 4000, {f"{n:03}" + "🎉" * 40: "🧑‍🚀" * 20 for n in range(100)}),
    "names and values in full": ("d" * 4000, {f"{n:03}" + "n" * 253: "v" * 340 for n in range(100)}),
    "values in full": ("", {f"{n}": "v" * 4096 for n in range(14)}),
    "discord's markup": (
        (MARKUP * 100)[:4000],
        {f"{n:03}" + (MARKUP * 5)[:253]: (MARKUP * 9)[:300] for n in range(100)},
    ),
    "telegram's markup": (
        "<&\">'</b>" * 444,
        {f"{n:03}" + "&" * 253: "<" * 300 for n in range(100)},
    ),
    "many lines": ("\n" * 3999 + "x", {f"line\n{n}": "\n".join("12345") for n in range(100)}),
    "nothing to see": ("\u200b", {" ": "", "\u200b": " ", "\t": "\n", "\u3164": "\u2800"}),
    "numbers and truth": ("n", {"big": 1.7e308, "small": -5e-324, "zero": -0.0, "yes": True, "no": False}),
    "foreign letters": ("שלום \u202eabc\u202c ", {"à" * 40: "नमस्ते" * 200, "ﷺ" * 40: "ﷺ" * 1000}),
}


@dataclass(frozen=True, slots=True)
class World:
    """The platforms, and an account that is linked to all of them."""

    discord: DiscordStandIn
    telegram: TelegramStandIn
    mail: MailStandIn
    account: Account
    metrics: Metrics

    @asynccontextmanager
    async def dispatching(self) -> AsyncIterator[None]:
        """Deliver through all three channels."""
        token = SecretStr(TOKEN)
        pool = SmtpPool(MailServer(host=self.mail.host, port=self.mail.port, security="none"))
        channels = (
            DiscordChannel(token=token),
            TelegramChannel(token=token, api_url=self.telegram.url),
            EmailChannel(pool, sender="ping@example.com", unsubscribe_url=_unsubscribe, health=Health()),
        )
        async with AsyncExitStack() as stack:
            for channel in channels:
                stack.push_async_callback(channel.close)
                await stack.enter_async_context(_dispatching(channel, self.metrics))
            yield


@asynccontextmanager
async def _dispatching(channel: Channel, metrics: Metrics) -> AsyncIterator[None]:
    dispatcher = Dispatcher(
        channel,
        daemon_id="daemon-1",
        pacer=Pacer(overall=None, per_recipient=None, clock=CLOCK),
        settlements=Settlements(),
        metrics=metrics,
        clock=CLOCK,
        poll=timedelta(milliseconds=10),
    )
    task = asyncio.create_task(dispatcher.run())
    try:
        yield
    finally:
        dispatcher.stop()
        await dispatcher.drain(timedelta())
        await task


def _unsubscribe(account_id: int) -> str:
    return f"https://example.com/unsubscribe/{account_id}"


@pytest.fixture
async def world(
    sqlite: str,
    discord_stand_in: DiscordStandIn,
    telegram_stand_in: TelegramStandIn,
    mail_stand_in: MailStandIn,
) -> World:
    account = await new_account(
        CLOCK, "alice@example.com", plan=Plan.ENTERPRISE, channels=("discord", "telegram", "email")
    )
    conversation = await open_conversation(discord_stand_in, ALICE_ON_DISCORD)
    await link_chat(account, DISCORD.name, CLOCK, conversation)
    telegram_stand_in.start_chat(ALICE_ON_TELEGRAM)
    await link_chat(account, TELEGRAM.name, CLOCK, str(ALICE_ON_TELEGRAM.id))
    return World(discord_stand_in, telegram_stand_in, mail_stand_in, account, Metrics())


async def post(account: Account, description: str, fields: Mapping[str, Any]) -> str:
    """Accept an event; return its id as people see it."""
    caller = await caller_for(account, CLOCK)
    intake = Intake(clock=CLOCK, metrics=Metrics(), on_deliveries=lambda _: None)
    acceptance = await intake.submit(Submission(caller, "sale", description, json.dumps(fields)))
    return event_id_text(acceptance.event_id)


async def outcomes() -> dict[str, tuple[str, str | None]]:
    """Return how each channel's delivery stands."""
    return {each.channel: (each.status, each.last_error) for each in await Delivery.all()}


@pytest.mark.parametrize("content", MAXIMAL)
async def test_whatever_the_contract_allows_arrives_everywhere(world: World, content: str) -> None:
    description, fields = MAXIMAL[content]
    assert len(json.dumps([description, fields], ensure_ascii=False).encode()) <= 64 * 1024

    event_id = await post(world.account, description, fields)
    async with world.dispatching():
        await eventually(outcomes, EVERYWHERE)

    [embed] = world.discord.messages[0].embeds
    assert (embed["title"], embed["footer"]["text"]) == ("💰 Sale", event_id)
    assert world.telegram.messages[0].text.startswith("🟨 💰 Sale")
    assert world.mail.mails[0].message["Subject"].startswith("💰 Sale")


async def test_a_platform_that_is_away_delays_no_other(world: World) -> None:
    await world.telegram.stop()
    await post(world.account, "Sold!", {})

    async with world.dispatching():
        await world.discord.wait_for_messages(1)
        await world.mail.wait_for_messages(1)
        waiting = await Delivery.get(channel=TELEGRAM.name)

    assert waiting.status in ("pending", "sending")
    assert world.telegram.messages == []


async def test_what_the_platforms_answer_is_counted(world: World) -> None:
    world.telegram.faults.add(Fault.status(429, retry_after=0.2), route="sendMessage")
    world.mail.faults.add(Fault.reply("rcpt", 450, "4.2.1 Try again later"))
    world.discord.faults.add(Fault.error(400, "Invalid Form Body", code=50035), route="messages")
    await post(world.account, "Sold!", {})

    async with world.dispatching():
        await until(lambda: count(world, "deliveries_total", "telegram", outcome="delivered") == 1)
        await until(lambda: count(world, "retries_total", "email") == 1)
        await until(lambda: count(world, "deliveries_total", "discord", outcome="failed") == 1)

    assert count(world, "rate_limited_total", "telegram") == 1
    assert count(world, "attempt_duration_seconds_count", "telegram") == 2
    assert count(world, "deliveries_total", "telegram", outcome="failed") == 0
    assert count(world, "rate_limited_total", "email") == count(world, "rate_limited_total", "discord") == 0


def count(world: World, name: str, channel: str, **labels: str) -> float | None:
    return world.metrics.registry.get_sample_value(f"pingpilot_{name}", {"channel": channel, **labels})


@pytest.mark.parametrize("name", [EMAIL.name, DISCORD.name])
async def test_who_is_gone_on_one_platform_reads_of_it_on_the_others(world: World, name: str) -> None:
    world.mail.refuse_recipient("alice@example.com")
    world.discord.close_dms(ALICE_ON_DISCORD.id)
    open_one = {EMAIL.name: world.discord.open_dms, DISCORD.name: world.mail.accept_recipient}[name]
    open_one(ALICE_ON_DISCORD.id if name == EMAIL.name else "alice@example.com")
    await post(world.account, "Sold!", {})

    async with world.dispatching():
        first, notice = await world.telegram.wait_for_messages(2)

    assert "Sold!" in first.text
    assert "PingPilot" in notice.text
    assert "is suspended for your account" in notice.text
