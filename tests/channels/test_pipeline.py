"""From an accepted event to all three platforms, whose limits the stand-ins enforce."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from models import Delivery
from pingpilot.channels import DISCORD, EMAIL, TELEGRAM
from pingpilot.clock import SystemClock
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn
from tests.support.waiting import eventually, until

from .world import ALICE, World, new_world

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


@pytest.fixture
async def world(
    sqlite: str,
    discord_stand_in: DiscordStandIn,
    telegram_stand_in: TelegramStandIn,
    mail_stand_in: MailStandIn,
) -> World:
    return await new_world(discord_stand_in, telegram_stand_in, mail_stand_in, SystemClock())


async def outcomes() -> dict[str, tuple[str, str | None]]:
    """Return how each channel's delivery stands."""
    return {each.channel: (each.status, each.last_error) for each in await Delivery.all()}


@pytest.mark.parametrize("content", MAXIMAL)
async def test_whatever_the_contract_allows_arrives_everywhere(world: World, content: str) -> None:
    description, fields = MAXIMAL[content]
    assert len(json.dumps([description, fields], ensure_ascii=False).encode()) <= 64 * 1024

    event_id = await world.post(description, fields=fields)
    async with world.dispatching():
        await eventually(outcomes, EVERYWHERE)

    [embed] = world.discord.messages[0].embeds
    assert (embed["title"], embed["footer"]["text"]) == ("💰 Sale", event_id)
    assert world.telegram.messages[0].text.startswith("🟨 💰 Sale")
    assert world.mail.mails[0].message["Subject"].startswith("💰 Sale")


async def test_a_platform_that_is_away_delays_no_other(world: World) -> None:
    await world.telegram.stop()
    await world.post("Sold!")

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
    await world.post("Sold!")

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
    world.discord.close_dms(ALICE.on_discord.id)
    open_one = {EMAIL.name: world.discord.open_dms, DISCORD.name: world.mail.accept_recipient}[name]
    open_one(ALICE.on_discord.id if name == EMAIL.name else "alice@example.com")
    await world.post("Sold!")

    async with world.dispatching():
        first, notice = await world.telegram.wait_for_messages(2)

    assert "Sold!" in first.text
    assert "PingPilot" in notice.text
    assert "is suspended for your account" in notice.text


@pytest.mark.parametrize("url", ["https://shop.example/orders/1042", "http://nas/orders/1042"])
async def test_title_and_address_arrive_everywhere(world: World, url: str) -> None:
    await world.post("Paid", title="Order 1042", url=url)
    async with world.dispatching():
        await eventually(outcomes, EVERYWHERE)

    [embed] = world.discord.messages[0].embeds
    message, mail = world.telegram.messages[0], world.mail.mails[0]
    assert "Order 1042" in embed["title"]
    assert url in (embed.get("url"), embed["description"].partition("\n")[0])
    assert "Order 1042" in message.text
    assert url in [entity.get("url") for entity in message.entities] + message.text.split("\n")
    plain, html = (part.get_content() for part in mail.message.walk() if not part.is_multipart())
    assert f"Order 1042\n{url}\n" in plain
    assert url in html
