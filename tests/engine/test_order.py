"""Who is served when: in order and one at a time for each recipient, all recipients side by side."""

from datetime import timedelta

import pytest

from models import Account
from pingpilot.delivery.attempts import HOLDS_BACK, RETRY_DELAYS
from pingpilot.errors import TemporaryFailure
from tests.support.waiting import eventually

from .scripted import Engine, deliveries, history, outcomes

AWAY = TemporaryFailure("The platform is away.")


async def sending() -> int:
    return sum(each.status == "sending" for each in await deliveries())


async def fail_first(engine: Engine, times: int) -> None:
    """Let the first delivery fail so often, each time as soon as it is due."""
    for count in range(1, times + 1):
        await eventually(outcomes, ["retry"] * count)
        if count < times:
            engine.channel.fail(AWAY)
            engine.clock.advance(RETRY_DELAYS[count - 1] * 1.2)


async def test_a_recipient_gets_everything_in_order_and_one_at_a_time(engine: Engine, alice: Account) -> None:
    texts = [f"number {number}" for number in range(12)]
    await engine.post(alice, *texts)

    async with engine.running():
        await engine.status_is(*["delivered"] * 12)

    assert engine.channel.delivered == texts
    assert engine.channel.crowds == set()


async def test_accounts_that_share_a_chat_share_its_turn(engine: Engine) -> None:
    accounts = [await engine.account(name, chat="shared") for name in ("ada", "bea", "cem")]
    for account in accounts:
        await engine.post(account, f"{account.email} 1", f"{account.email} 2")
    engine.channel.hold()

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        await engine.clock.wait_for_looks()
        at_once = len(engine.channel.under_way)
        engine.channel.release()
        await engine.status_is(*["delivered"] * 6)

    assert at_once == 1
    assert engine.channel.crowds == set()
    for account in accounts:
        own = [text for text in engine.channel.delivered if text.startswith(account.email)]
        assert own == [f"{account.email} 1", f"{account.email} 2"]


async def test_recipients_are_served_side_by_side(engine: Engine) -> None:
    engine.channel.hold()
    for name in ("ada", "bea", "cem"):
        await engine.post(await engine.account(name), name)

    async with engine.running():
        await engine.channel.wait_for_tries(3)
        at_once = sorted(engine.channel.under_way)
        engine.channel.release()
        await engine.status_is(*["delivered"] * 3)

    assert at_once == ["ada", "bea", "cem"]


@pytest.mark.parametrize("failures", [1, HOLDS_BACK])
async def test_a_delivery_waiting_for_an_early_retry_holds_later_ones_back(
    engine: Engine, alice: Account, failures: int
) -> None:
    engine.channel.fail(AWAY)
    await engine.post(alice, "first", "second")

    async with engine.running():
        await fail_first(engine, failures)
        await engine.look_by()
        overtaken = "second" in engine.channel.tried
        engine.clock.advance(RETRY_DELAYS[failures - 1] * 1.2)
        await engine.status_is("delivered", "delivered", "delivered")

    assert not overtaken
    assert [text for text in engine.channel.delivered if text in ("first", "second")] == ["first", "second"]


async def test_a_delivery_that_failed_often_steps_aside(engine: Engine, alice: Account) -> None:
    engine.channel.fail(AWAY)
    await engine.post(alice, "first", "second", "third")

    async with engine.running():
        await fail_first(engine, HOLDS_BACK + 1)
        await engine.status_is("pending", "delivered", "delivered")
        engine.clock.advance(RETRY_DELAYS[HOLDS_BACK] * 1.2)
        await engine.status_is("delivered", "delivered", "delivered")

    assert engine.channel.delivered == ["second", "third", "first"]


async def test_one_recipient_in_trouble_delays_nobody_else(
    engine: Engine, alice: Account, bob: Account
) -> None:
    engine.channel.fail(AWAY)
    await engine.post(alice, "to alice")

    async with engine.running():
        await eventually(outcomes, ["retry"])
        await engine.post(bob, "to bob 1", "to bob 2")
        await engine.status_is("pending", "delivered", "delivered")

    assert engine.channel.delivered == ["to bob 1", "to bob 2"]


async def test_a_recipient_whose_deliveries_stepped_aside_takes_one_slot(
    engine: Engine, alice: Account, bob: Account
) -> None:
    texts = [f"number {number}" for number in range(4)]
    await engine.post(alice, *texts)
    for each in await deliveries():
        each.attempts = HOLDS_BACK + 1
        await each.save(update_fields=["attempts"])
    await engine.post(bob, "to bob")
    engine.channel.hold()

    async with engine.running(slots=2):
        await engine.channel.wait_for_tries(2)
        served = sorted(engine.channel.under_way)
        engine.channel.release()
        await engine.status_is(*["delivered"] * 5)

    assert served == ["alice", "bob"]
    assert engine.channel.crowds == set()


async def test_what_waits_for_a_slow_address_gives_its_slot_back(engine: Engine) -> None:
    """A lease, and a slot, would not last for all that lead there."""
    for name in ("ada", "bea", "cleo"):
        account = await engine.account(name, chat="shared")
        await engine.post(account, account.email)
    engine.channel.hold()

    async with engine.running(send_timeout=timedelta(seconds=12)):
        await engine.channel.wait_for_tries(1)
        await eventually(sending, 1)
        engine.clock.advance(timedelta(seconds=2))
        engine.channel.release()
        await engine.status_is("delivered", "delivered", "delivered")

    assert [len(await history(each)) for each in await deliveries()] == [1, 1, 1]


async def test_time_in_the_queue_is_no_part_of_an_attempt(engine: Engine) -> None:
    accounts = [await engine.account(name, chat="shared") for name in ("ada", "bea")]
    for account in accounts:
        await engine.post(account, account.email)
    engine.channel.hold()

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        engine.clock.advance(timedelta(seconds=20))
        engine.channel.release()
        await engine.status_is("delivered", "delivered")

    durations = [(await history(each))[0].duration_ms for each in await deliveries()]
    assert sorted(durations) == [0, 20_000]
