"""A clock that was ahead: what it wrote holds nothing up once it is set right."""

from datetime import timedelta

import pytest

from models import Account, Destination
from pingpilot.accounts.quiet_hours import LONGEST_MUTE, mute, set_quiet_hours
from pingpilot.channels import TELEGRAM
from pingpilot.cluster.mandate import Always
from pingpilot.delivery.claiming import Claimer, Wish
from pingpilot.delivery.dispatcher import CLOCK_CHECK, EXPIRY_CHECK, RELEASE_CHECK
from pingpilot.delivery.queue import DeliveryQueue
from pingpilot.errors import DeliveryFailure, RateLimited, TemporaryFailure
from tests.support.waiting import eventually

from .scripted import Engine, outcomes, statuses

AHEAD = timedelta(days=1)
AWAY = TemporaryFailure("The platform is away.")


async def fail_once(engine: Engine, alice: Account) -> None:
    """Let the account's first event fail once, and another one wait behind it."""
    engine.channel.fail(AWAY)
    await engine.post(alice, "one")
    await engine.channel.wait_for_tries(1)
    await eventually(statuses, ["pending"])
    await engine.post(alice, "two")


async def test_a_restart_ends_the_wait_that_a_clock_ahead_began(engine: Engine, alice: Account) -> None:
    engine.clock.set_by(AHEAD)
    async with engine.running():
        await fail_once(engine, alice)
    engine.clock.set_by(-AHEAD)

    async with engine.running():
        await engine.status_is("delivered", "delivered")

    assert engine.channel.delivered == ["one", "two"]


async def test_a_clock_that_is_set_right_ends_the_wait_at_once(engine: Engine, alice: Account) -> None:
    engine.clock.set_by(AHEAD)
    async with engine.running():
        await fail_once(engine, alice)

        engine.clock.set_by(-AHEAD)
        await engine.status_is("delivered", "delivered")

    assert engine.channel.delivered == ["one", "two"]


async def test_a_wait_that_another_machine_began_ends_within_minutes(engine: Engine, alice: Account) -> None:
    async with engine.running() as here:
        await engine.look_by()
        engine.clock.set_by(AHEAD)
        engine.channel.fail(AWAY)
        here.stop()
    async with engine.running():  # as the other machine: this one never sees the clock being set
        await engine.post(alice, "one")
        await engine.channel.wait_for_tries(2)
        await eventually(statuses, ["delivered", "pending"])
    engine.clock.set_by(-AHEAD)

    queue = DeliveryQueue(channel=TELEGRAM.name, mandate=Always("daemon-1"))
    count = await queue.bring_forward(engine.clock.now(), asked_for=CLOCK_CHECK)

    assert count == 1
    async with engine.running():
        await engine.status_is("delivered", "delivered")


async def test_a_wait_as_long_as_it_may_be_is_kept(engine: Engine, alice: Account) -> None:
    async with engine.running():
        await fail_once(engine, alice)

    async with engine.running():
        await engine.look_by()

    assert (await statuses())[:2] == ["pending", "pending"]


HALF_AN_HOUR = timedelta(minutes=30)


@pytest.mark.parametrize(
    "asking",
    [
        RateLimited("Slow down.", retry_after=HALF_AN_HOUR, whole_channel=False),
        TemporaryFailure("Come back later.", retry_after=HALF_AN_HOUR, recipient_alone=True),
    ],
    ids=["a limit", "a failure"],
)
async def test_a_pause_that_a_platform_asked_for_is_kept_while_the_daemon_runs(
    engine: Engine, alice: Account, asking: DeliveryFailure
) -> None:
    engine.channel.fail(asking)
    async with engine.running():
        await engine.post(alice, "one")
        await engine.channel.wait_for_tries(1)
        await eventually(statuses, ["pending"])
        engine.clock.advance(CLOCK_CHECK)
        await engine.look_by()

    assert engine.channel.tried.count("one") == 1


async def test_what_is_held_until_tomorrow_is_looked_at_anew(engine: Engine, alice: Account) -> None:
    await set_quiet_hours(alice, TELEGRAM.name, "22:00-07:00", silently=False, now=engine.clock.now())
    engine.clock.set_by(timedelta(hours=34))  # from noon to ten in the evening of the next day
    async with engine.running():
        await engine.post(alice, "one")
        await engine.status_is("held")

        engine.clock.set_by(-timedelta(hours=34))
        engine.clock.advance(RELEASE_CHECK)
        await engine.status_is("delivered")


@pytest.mark.parametrize(("ahead", "expected"), [(timedelta(), "held"), (timedelta(days=2), "delivered")])
async def test_a_mute_longer_than_any_can_be_is_none(
    engine: Engine, alice: Account, ahead: timedelta, expected: str
) -> None:
    now = engine.clock.now()
    await mute(alice, TELEGRAM.name, now + ahead + LONGEST_MUTE, now=now)

    async with engine.running():
        await engine.post(alice, "one")
        await engine.status_is(expected)

    assert await Destination.filter(muted_until__isnull=False).count() == 1


async def test_a_lease_from_a_clock_ahead_is_over(engine: Engine, alice: Account) -> None:
    await engine.post(alice, "one")
    await Claimer().claim(Wish(TELEGRAM.name, "daemon-1", 50, engine.clock.now() + AHEAD))

    async with engine.running("daemon-2"):
        engine.clock.advance(EXPIRY_CHECK)
        await engine.status_is("delivered")

    assert await outcomes() == ["interrupted", "delivered"]
