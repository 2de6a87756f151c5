"""Rate limits and channels that can't send: they cost no attempt, and delivery goes on by itself."""

from datetime import timedelta

import pytest

from models import Account
from pingpilot.delivery.attempts import HOLDS_BACK
from pingpilot.errors import LONGEST_PAUSE, ChannelUnavailable, RateLimited, TemporaryFailure
from pingpilot.telemetry.health import State
from tests.support.waiting import eventually, until

from .scripted import Engine, deliveries, delivery, history, outcomes

MINUTE = timedelta(minutes=1)


async def test_a_rate_limit_pauses_the_recipient_and_does_not_count(
    engine: Engine, alice: Account, bob: Account
) -> None:
    engine.channel.fail(RateLimited("Slow down.", retry_after=MINUTE, whole_channel=False))
    await engine.post(alice, "first", "second")

    async with engine.running():
        await eventually(outcomes, ["rate_limited"])
        await engine.post(bob, "to bob")
        await engine.status_is("pending", "pending", "delivered")
        waiting, tried = await delivery(), list(engine.channel.tried)
        engine.clock.advance(MINUTE)
        await engine.status_is("delivered", "delivered", "delivered")

    assert tried == ["first", "to bob"]
    assert (waiting.attempts, waiting.last_error) == (0, "Slow down.")
    assert (await history())[0].reason == "Slow down."
    assert (await delivery()).attempts == 1
    assert engine.channel.delivered == ["to bob", "first", "second"]


async def test_a_rate_limit_for_the_bot_pauses_the_whole_channel(
    engine: Engine, alice: Account, bob: Account
) -> None:
    engine.channel.fail(RateLimited("Slow down.", retry_after=MINUTE, whole_channel=True))
    await engine.post(alice, "to alice")

    async with engine.running():
        await eventually(outcomes, ["rate_limited"])
        await engine.post(bob, "to bob")
        await engine.clock.wait_for_looks()
        tried = list(engine.channel.tried)
        engine.clock.advance(MINUTE)
        await engine.status_is("delivered", "delivered")

    assert tried == ["to alice"]


@pytest.mark.parametrize("whole_channel", [True, False])
async def test_a_pause_beyond_all_reason_is_believed_for_a_day(
    engine: Engine, alice: Account, whole_channel: bool
) -> None:
    engine.channel.fail(RateLimited("Slow down.", retry_after=timedelta.max, whole_channel=whole_channel))
    await engine.post(alice, "first")

    async with engine.running():
        await eventually(outcomes, ["rate_limited"])
        engine.clock.advance(LONGEST_PAUSE)
        await engine.status_is("delivered")


async def test_what_waited_for_its_turn_when_the_pause_began_goes_back_untried(engine: Engine) -> None:
    accounts = [await engine.account(name, chat="shared") for name in ("ada", "bea")]
    for account in accounts:
        await engine.post(account, account.email)
    engine.channel.fail(RateLimited("Slow down.", retry_after=MINUTE, whole_channel=True))

    async with engine.running():
        await engine.status_is("pending", "pending")
        await eventually(outcomes, ["rate_limited"])
        await engine.clock.wait_for_looks()
        tries, untried = len(engine.channel.tries), (await deliveries())[1]
        engine.clock.advance(MINUTE)
        await engine.status_is("delivered", "delivered")

    assert tries == 1
    assert untried.attempts == 0
    assert await outcomes(untried) == ["delivered"]


async def test_a_channel_that_cannot_send_pauses_and_goes_on_by_itself(
    engine: Engine, alice: Account, bob: Account
) -> None:
    engine.channel.fail_always(ChannelUnavailable("The token is refused."))
    await engine.post(alice, "to alice")

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        await engine.status_is("pending")
        await engine.post(bob, "to bob")
        await engine.clock.wait_for_looks()
        waiting, tries = await delivery(), len(engine.channel.tries)
        engine.channel.fail_always(None)
        engine.clock.advance(timedelta(seconds=30))
        await engine.status_is("delivered", "delivered")

    assert tries == 1
    assert (waiting.attempts, waiting.last_error) == (0, "The token is refused.")
    assert await outcomes() == ["delivered"]
    assert (await delivery()).attempts == 1


async def test_a_channel_that_stays_away_for_a_day_fails_nothing(engine: Engine, alice: Account) -> None:
    engine.channel.fail_always(ChannelUnavailable("The token is refused."))
    await engine.post(alice, "to alice")

    async with engine.running():
        for tries in range(1, 30):
            await engine.channel.wait_for_tries(tries)
            await engine.status_is("pending")
            engine.clock.advance(timedelta(hours=1))
        engine.channel.fail_always(None)
        engine.clock.advance(timedelta(hours=1))
        await engine.status_is("delivered")

    assert await outcomes() == ["delivered"]


async def test_a_channel_that_cannot_send_is_probed_with_one_message_at_a_time(engine: Engine) -> None:
    engine.channel.fail_always(ChannelUnavailable("The password is refused."))
    for number in range(6):
        await engine.post(await engine.account(f"user-{number}"), f"to user {number}")

    async with engine.running(slots=3):
        await engine.channel.wait_for_tries(3)
        await engine.status_is(*["pending"] * 6)
        await engine.clock.wait_for_looks()
        engine.clock.advance(timedelta(seconds=30))
        await engine.channel.wait_for_tries(4)
        await engine.clock.wait_for_looks()
        tries = len(engine.channel.tries)
        engine.channel.fail_always(None)
        engine.clock.advance(timedelta(seconds=30))
        await engine.status_is(*["delivered"] * 6)

    assert tries == 4


async def test_a_channel_that_cannot_send_shows_until_it_can(engine: Engine, alice: Account) -> None:
    engine.health.report("telegram", State.UP)
    engine.channel.fail(ChannelUnavailable("The token is refused."))
    await engine.post(alice, "to alice")

    async with engine.running():
        await until(lambda: engine.health.state_of("telegram") is State.PAUSED)
        shown = engine.health.parts["telegram"].reason
        engine.health.report("telegram", State.UP)
        after_a_look_at_the_connection = engine.health.parts["telegram"].state
        await engine.clock.wait_for_looks()
        engine.clock.advance(timedelta(seconds=30))
        await engine.status_is("delivered")

    assert shown == "The token is refused."
    assert after_a_look_at_the_connection is State.PAUSED
    assert engine.health.parts["telegram"].state is State.UP


@pytest.mark.parametrize("counts", [True, False])
async def test_a_pause_is_for_the_recipient_also_where_what_asked_for_it_stepped_aside(
    engine: Engine, alice: Account, *, counts: bool
) -> None:
    await engine.post(alice, "first")
    first = await delivery()
    first.attempts = HOLDS_BACK + 1
    await first.save(update_fields=["attempts"])
    wait = timedelta(minutes=40)
    engine.channel.fail(
        TemporaryFailure("Slow down.", retry_after=wait, recipient_alone=True)
        if counts
        else RateLimited("Slow down.", retry_after=wait, whole_channel=False)
    )

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        await engine.post(alice, "second", "third")
        await engine.look_by()
        tried = list(engine.channel.tried)
        engine.clock.advance(wait)
        await until(lambda: {"second", "third"} <= {*engine.channel.delivered})

    assert not {"second", "third"} & {*tried}
    assert [each.attempts for each in await deliveries()][1:3] == [1, 1]
