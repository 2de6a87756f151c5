"""Discord's limits for beginning sessions, over restarts and over daemons."""

from datetime import timedelta

import pytest

from models import Fact
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.telemetry.health import State
from tests.support.waiting import until

from .bots import ON_BOTH_DATABASES, Bots

WINDOW = timedelta(seconds=1.5)


async def test_sessions_of_several_daemons_begin_apart(
    storage: str, discord_stand_in: DiscordStandIn
) -> None:
    limit = discord_stand_in.session_limit
    limit.max_concurrency, limit.window_seconds = 1, 1.0

    one, other = Bots(session_window=WINDOW), Bots(session_window=WINDOW)
    async with one.supervised(one.discord(discord_stand_in)):
        pass  # it starts, and is restarted at once elsewhere
    async with other.supervised(other.discord(discord_stand_in)):
        pass

    first, second = limit.begun
    assert second - first >= limit.window_seconds
    assert not discord_stand_in.exceeded


async def test_a_bot_whose_sessions_of_the_day_are_used_up_waits_and_says_so(
    storage: str, bots: Bots, discord_stand_in: DiscordStandIn
) -> None:
    limit = discord_stand_in.session_limit
    limit.total, limit.reset_seconds = 1, 2.0
    async with bots.supervised(bots.discord(discord_stand_in)):
        pass

    async with bots.supervised(bots.discord(discord_stand_in), state=None):
        await until(lambda: "used up" in (bots.health.parts["discord"].reason or ""))
        begun_meanwhile = len(limit.begun)
        await bots.wait_until("discord", State.UP)

    assert begun_meanwhile == 1
    assert len(limit.begun) == 2
    assert not discord_stand_in.exceeded


async def test_a_daemon_that_leads_no_more_takes_up_no_session(
    storage: str, bots: Bots, discord_stand_in: DiscordStandIn
) -> None:
    leads = True
    async with bots.supervised(bots.discord(discord_stand_in, may_act=lambda: leads)):
        leads = False  # it stood still, and hears of that later
        await discord_stand_in.drop_gateways(4000)

        await until(lambda: "does not lead" in (bots.health.parts["discord"].reason or ""))

    assert len(discord_stand_in.session_limit.begun) == 1
    assert discord_stand_in.connections == 0


@ON_BOTH_DATABASES
async def test_a_turn_is_one_daemons_at_a_time_and_no_clock_that_was_ahead_blocks_it(storage: str) -> None:
    apart = timedelta(seconds=30)

    first = await Fact.take_turn("session", apart)
    second = await Fact.take_turn("session", apart)
    noted = await Fact.read("session")
    await Fact.keep("session", str(float(noted or 0) + 3600))
    after_the_clock_was_set_right = await Fact.take_turn("session", apart)

    assert first == timedelta(0)
    assert second.total_seconds() == pytest.approx(30, abs=10)
    assert after_the_clock_was_set_right == timedelta(0)
