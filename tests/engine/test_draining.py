"""Stopping: what is being sent may finish, the rest goes back to the queue."""

import asyncio
from datetime import timedelta

from models import Account
from models.database import connection

from .scripted import Engine, delivery, outcomes, statuses


async def test_a_send_under_way_finishes_within_the_grace(engine: Engine, alice: Account) -> None:
    dispatcher = engine.dispatcher()
    engine.channel.hold()
    await engine.post(alice, "one", "two")
    running = asyncio.create_task(dispatcher.run())
    await engine.channel.wait_for_tries(1)

    dispatcher.stop()
    draining = asyncio.create_task(dispatcher.drain(timedelta(seconds=10)))
    await running
    engine.channel.release()
    await draining

    assert await statuses() == ["delivered", "pending"]
    assert engine.channel.tried == ["one"]


async def test_what_does_not_finish_goes_back_to_the_queue(engine: Engine, alice: Account) -> None:
    dispatcher = engine.dispatcher()
    engine.channel.hold()
    await engine.post(alice, "one", "two")
    running = asyncio.create_task(dispatcher.run())
    await engine.channel.wait_for_tries(1)

    dispatcher.stop()
    await dispatcher.drain(timedelta(milliseconds=20))
    await running

    back = await delivery()
    assert await statuses() == ["pending", "pending"]
    assert (back.attempts, back.leased_by, back.next_attempt_at) == (0, None, engine.clock.now())
    assert await outcomes() == ["interrupted"]
    assert engine.channel.under_way == []


async def test_what_went_back_is_sent_by_the_next_start(engine: Engine, alice: Account) -> None:
    engine.channel.hold()
    await engine.post(alice, "one", "two")
    async with engine.running():
        await engine.channel.wait_for_tries(1)
    engine.channel.release()

    async with engine.running():
        await engine.status_is("delivered", "delivered")

    assert engine.channel.delivered == ["one", "two"]
    assert await outcomes() == ["interrupted", "delivered"]


async def test_nothing_is_claimed_after_a_stop(engine: Engine, alice: Account) -> None:
    dispatcher = engine.dispatcher()
    running = asyncio.create_task(dispatcher.run())
    await engine.clock.wait_for_looks(3)

    dispatcher.stop()
    await running
    await engine.post(alice, "one")
    dispatcher.wake()
    await dispatcher.run()
    await dispatcher.drain(timedelta(seconds=10))

    assert await statuses() == ["pending"]
    assert engine.channel.tries == []


async def test_a_stop_at_any_moment_leaves_nothing_under_way(engine: Engine) -> None:
    for number in range(3):
        account = await engine.account(f"user-{number}")
        await engine.post(account, *(f"{number}.{count}" for count in range(30)))

    for steps in range(60):
        dispatcher = engine.dispatcher()
        running = asyncio.create_task(dispatcher.run())
        for _ in range(steps):
            await asyncio.sleep(0)
        dispatcher.stop()
        await dispatcher.drain(timedelta(seconds=10))
        assert "sending" not in await statuses(), f"after {steps} steps"
        await running

    assert engine.channel.under_way == []
    assert len(engine.channel.tried) == len(set(engine.channel.tried))


async def test_a_database_that_is_away_holds_up_no_stop(engine: Engine, alice: Account) -> None:
    engine.channel.hold()
    await engine.post(alice, "one")

    async with asyncio.timeout(15), engine.running():
        await engine.channel.wait_for_tries(1)
        await connection().execute_script("ALTER TABLE delivery_attempts RENAME TO elsewhere")
    await connection().execute_script("ALTER TABLE elsewhere RENAME TO delivery_attempts")
    engine.channel.release()

    async with engine.running("daemon-2", predecessors=["daemon-1"]):
        await engine.status_is("delivered")
    assert await outcomes() == ["interrupted", "delivered"]
