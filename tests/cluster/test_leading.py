"""Who leads a bot: one daemon at a time, and another one soon after it ends, however that is."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from models import Leader
from models.database import connection
from pingpilot.cluster.times import Times
from pingpilot.loops import end
from tests.support.clock import ManualClock
from tests.support.waiting import eventually, until

from .leaders import BOT, candidate, holder, running

# What a lease looks like once the database's clock was set: over long since, until it is renewed
HOUR_AHEAD = """
UPDATE leaders SET expires_at = expires_at - INTERVAL '1 hour' WHERE expires_at > clock_timestamp()
"""

pytestmark = pytest.mark.usefixtures("postgres")


async def row_of(identity: str, *, expires_in: timedelta) -> None:
    """Write a lease as another daemon left it, by a database's clock that may have been wrong."""
    now = datetime.now(UTC)
    await Leader.create(token=BOT, holder=identity, epoch=7, since=now, expires_at=now + expires_in)


async def test_one_leads_at_a_time_and_hands_over_when_it_stops() -> None:
    candidates = [candidate(name) for name in ("a", "b", "c")]
    epochs = []

    async with running(*candidates) as tasks:
        left = dict(zip(tasks, candidates, strict=True))
        while left:
            await until(lambda: any(each.leads for each in left.values()))
            for _ in range(20):
                assert sum(each.leads for each in candidates) <= 1
                await asyncio.sleep(0.005)
            [task] = [task for task, each in left.items() if each.leads]
            epochs.append((await Leader.get(token=BOT)).epoch)
            await end([task])
            assert not left.pop(task).leads
        assert await holder() == ""

    assert epochs == [1, 2, 3]
    assert [(each.served, each.finished) for each in candidates] == [(1, 1)] * 3


async def test_a_leader_that_is_frozen_is_followed_and_knows_it_when_it_goes_on() -> None:
    stopped_clock = ManualClock()
    frozen, other = candidate("frozen", clock=stopped_clock), candidate("other")

    async with running(frozen):
        await frozen.wait_until_it_leads()
        async with running(other):
            await other.wait_until_it_leads()
            stopped_clock.advance_seconds(30)
            leads_when_it_goes_on = frozen.leads  # before anything else of it has run
            await until(lambda: frozen.finished == 1)
            assert await holder() == "other"
            assert not frozen.leads

    assert not leads_when_it_goes_on
    assert (frozen.served, other.served) == (1, 1)


async def test_it_trusts_itself_for_less_than_its_lease_when_it_cannot_renew_it() -> None:
    clock = ManualClock()
    times = Times(
        lease=timedelta(seconds=6), margin=timedelta(seconds=1), renewed_every=timedelta(seconds=60)
    )
    leader = candidate("leader", clock=clock, times=times)

    async with running(leader):
        await leader.wait_until_it_leads()
        clock.advance_seconds(4.9)
        leads_before = leader.leads
        clock.advance_seconds(0.2)
        leads_after = leader.leads

    assert (leads_before, leads_after) == (True, False)


async def test_a_renewal_that_is_refused_ends_the_term_at_once() -> None:
    leader = candidate("leader")

    async with running(leader):
        await leader.wait_until_it_leads()
        [serving] = leader.serving
        await Leader.filter(token=BOT).update(holder="another", epoch=8)
        await until(lambda: leader.finished == 1)
        assert serving.cancelled()
        assert not leader.leads


async def test_a_database_that_is_away_ends_the_term_and_it_goes_on_with_another_epoch() -> None:
    leader = candidate("leader")

    async with running(leader):
        await leader.wait_until_it_leads()
        await connection().execute_script("ALTER TABLE leaders RENAME TO elsewhere")
        await until(lambda: leader.finished == 1)
        led_without = leader.leads
        await connection().execute_script("ALTER TABLE elsewhere RENAME TO leaders")
        await leader.wait_until_it_leads()

    assert not led_without
    assert (await Leader.get(token=BOT)).epoch == 2


async def test_nothing_new_begins_before_all_of_the_last_term_has_ended() -> None:
    leader, may_end = candidate("leader"), asyncio.Event()

    async def finish(_patience: float) -> None:
        await may_end.wait()

    task = asyncio.create_task(leader.run(finish))
    await leader.wait_until_it_leads()
    await Leader.filter(token=BOT).update(holder="", epoch=8, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    await until(lambda: not leader.leads)
    await asyncio.sleep(0.3)  # as long as three looks take
    led_too_early = leader.leads
    may_end.set()
    await leader.wait_until_it_leads()
    await end([task])

    assert not led_too_early
    assert leader.served == 2


async def test_the_lease_of_a_daemon_that_is_certainly_dead_is_taken_at_once() -> None:
    await row_of("predecessor", expires_in=timedelta(hours=1))
    leader = candidate("leader", dead=["predecessor"], times=Times())

    async with running(leader), asyncio.timeout(4):
        await leader.wait_until_it_leads()
        assert (await Leader.get(token=BOT)).epoch == 8


@pytest.mark.parametrize("hours", [-1, 1])
async def test_no_clock_that_was_wrong_keeps_a_bot_from_being_led(hours: int) -> None:
    await row_of("vanished", expires_in=timedelta(hours=hours))
    leader = candidate("leader")

    async with running(leader):
        await leader.wait_until_it_leads()


async def test_a_lease_that_was_let_go_is_free_also_where_the_clock_was_set_back_since() -> None:
    await row_of("", expires_in=timedelta(hours=1))
    leader = candidate("leader")

    async with running(leader):
        await leader.wait_until_it_leads()


async def test_who_ends_a_term_lets_go_of_that_term_alone() -> None:
    leader = candidate("leader", times=Times())

    async with running(leader):
        await leader.wait_until_it_leads()
        await Leader.filter(token=BOT).update(epoch=7)  # as if it led again already
    assert await holder() == "leader"


async def test_a_clock_of_the_database_that_jumps_ahead_makes_no_second_leader() -> None:
    first, second = candidate("first"), candidate("second")

    async with running(first):
        await first.wait_until_it_leads()
        async with running(second):
            for _ in range(10):
                await connection().execute_script(HOUR_AHEAD)
                await asyncio.sleep(0.05)
                assert not second.leads
            assert first.leads
    assert first.served == 1


async def test_a_stop_in_the_moment_of_taking_the_lease_leaves_it_to_others() -> None:
    for steps in range(40):
        task = asyncio.create_task(candidate(f"number {steps}").run())
        for _ in range(steps):
            await asyncio.sleep(0)
        await end([task])

    await eventually(holder, "")


async def test_who_steps_aside_lets_others_go_first_and_leads_again_where_there_are_none() -> None:
    first, other = candidate("first"), candidate("other")

    async with running(first):
        await first.wait_until_it_leads()
        async with running(other):
            first.cannot_reach.set()
            await other.wait_until_it_leads()
            assert not first.leads
        await first.wait_until_it_leads()  # long before the half minute is over

    assert (first.served, other.served) == (2, 1)
