"""Mail servers as they are: what is said of one recipient, and what is said of us."""

from datetime import timedelta

import pytest

from models import Delivery
from pingpilot.channels import EMAIL
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn
from pingpilot.telemetry.health import State
from tests.engine.scripted import WatchedClock
from tests.support.accounts import new_account
from tests.support.waiting import eventually, until

from .world import World, new_world

FIRST_RETRY = timedelta(seconds=6)
GREYLISTED = 12


@pytest.fixture
def clock() -> WatchedClock:
    return WatchedClock()


@pytest.fixture
async def world(
    sqlite: str,
    clock: WatchedClock,
    discord_stand_in: DiscordStandIn,
    telegram_stand_in: TelegramStandIn,
    mail_stand_in: MailStandIn,
) -> World:
    return await new_world(discord_stand_in, telegram_stand_in, mail_stand_in, clock)


async def post_to(world: World, name: str) -> None:
    """Accept an event for a new account of this name."""
    account = await new_account(world.clock, f"{name}@example.com", channels=(EMAIL.name,))
    await world.post(f"to {name}", account=account)


async def statuses() -> list[tuple[str, int]]:
    return [(each.status, each.attempts) for each in await Delivery.filter(channel=EMAIL.name).order_by("id")]


async def test_many_greylisted_recipients_hold_nobody_else_up(world: World, clock: WatchedClock) -> None:
    world.mail.greylists = True
    for number in range(GREYLISTED):
        await post_to(world, f"new-{number}")

    async with world.dispatching(EMAIL.name):
        await eventually(statuses, [("pending", 1)] * GREYLISTED)
        world.mail.asked_for["known@example.com"] = 1
        await post_to(world, "known")
        await until(lambda: world.received(EMAIL.name) == 1)  # while the clock stands still
        clock.advance(FIRST_RETRY)
        await eventually(statuses, [("delivered", 2)] * GREYLISTED + [("delivered", 1)])

    assert set(world.mail.asked_for.values()) == {2}


async def test_a_recipient_who_is_refused_alone_fails_alone(world: World) -> None:
    denied = "554 5.7.1 <denied@example.com>: Recipient address rejected: Access denied"
    world.mail.refused_recipients["denied@example.com"] = denied

    async with world.dispatching(EMAIL.name):
        await post_to(world, "first")
        await eventually(statuses, [("delivered", 1)])
        await post_to(world, "denied")
        await eventually(statuses, [("delivered", 1), ("failed", 1)])
        await post_to(world, "second")
        await eventually(statuses, [("delivered", 1), ("failed", 1), ("delivered", 1)])

    assert EMAIL.name not in world.health.parts  # it never paused


async def test_the_first_of_all_may_be_the_one_who_is_refused(world: World, clock: WatchedClock) -> None:
    denied = "554 5.7.1 <denied@example.com>: Recipient address rejected: Access denied"
    world.mail.refused_recipients["denied@example.com"] = denied

    async def a_probe_later() -> list[tuple[str, int]]:
        clock.advance_seconds(30)
        await clock.wait_for_looks()
        return await statuses()

    async with world.dispatching(EMAIL.name):
        await post_to(world, "denied")
        await until(lambda: EMAIL.name in world.health.parts)
        paused = world.health.parts[EMAIL.name]
        assert "<[recipient]>: Recipient address rejected" in (paused.reason or "")  # all may read it
        await post_to(world, "other")
        await eventually(a_probe_later, [("failed", 1), ("delivered", 1)])

    assert paused.state is State.PAUSED
    assert world.health.parts[EMAIL.name].state is not State.PAUSED


async def test_a_server_that_turns_against_us_pauses_the_channel_and_loses_nothing(
    world: World, clock: WatchedClock
) -> None:
    async with world.dispatching(EMAIL.name):
        await post_to(world, "first")
        await eventually(statuses, [("delivered", 1)])
        world.mail.refusal = "554 5.7.1 <box[192.0.2.7]>: Client host rejected: Access denied"
        for number in range(3):
            await post_to(world, f"later-{number}")
        await until(lambda: world.health.state_of(EMAIL.name) is State.PAUSED)
        for _ in range(20):
            clock.advance(timedelta(minutes=36))
            await clock.wait_for_looks(6)
        await eventually(statuses, [("delivered", 1), *[("pending", 0)] * 3])  # a probe may be under way
        world.mail.refusal = None

        async def half_a_minute_later() -> list[tuple[str, int]]:
            clock.advance_seconds(30)
            return await statuses()

        await eventually(half_a_minute_later, [("delivered", 1)] * 4)
