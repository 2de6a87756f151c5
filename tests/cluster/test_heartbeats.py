"""Heartbeats: who is dead, what becomes of what it was sending, and who may act that can't write one."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest

from models import Delivery, Member
from models.database import connection
from pingpilot.cluster.heartbeats import Heartbeats
from pingpilot.cluster.times import Times
from pingpilot.delivery.queue import DeliveryQueue, take_back_of
from pingpilot.storage.watch import DatabaseWatch
from tests.engine.scripted import Engine, outcomes, statuses
from tests.support.clock import ManualClock

BEATS_EVERY, DEAD_AFTER = Times().beats_every, Times().dead_after

pytestmark = pytest.mark.usefixtures("postgres")


class Died:
    """Takes note of who is said to be dead."""

    def __init__(self) -> None:
        self.names = set[str]()

    async def take_back(self, dead: Sequence[str]) -> int:
        self.names |= set(dead)
        return len(dead)


def heartbeats(name: str, clock: ManualClock, died: Died | None = None) -> Heartbeats:
    take_back = (died or Died()).take_back
    return Heartbeats(name, take_back=take_back, database=DatabaseWatch(clock=clock), clock=clock)


async def test_who_has_not_been_heard_of_for_fifteen_seconds_is_dead(clock: ManualClock) -> None:
    died = Died()
    silent, living = heartbeats("silent", clock), heartbeats("living", clock, died)
    await silent.beat()
    await living.beat()
    known = set(living.living)

    clock.advance(DEAD_AFTER - timedelta(seconds=1))
    await living.beat()
    dead_too_early = set(died.names)
    clock.advance_seconds(1)
    await living.beat()

    assert known == {"silent", "living"}
    assert not dead_too_early
    assert died.names == {"silent"}
    assert set(living.living) == {"living"}


async def test_who_writes_in_time_is_never_taken_for_dead_whatever_the_databases_clock_says(
    clock: ManualClock,
) -> None:
    died = Died()
    writing, looking = heartbeats("writing", clock), heartbeats("looking", clock, died)

    for hours in range(6):  # the clock was set by so many hours
        await writing.beat()
        await connection().execute_script(
            f"UPDATE daemons SET seen_at = seen_at - INTERVAL '{hours} hours' WHERE identity = 'writing'"  # noqa: S608
        )
        await looking.beat()
        clock.advance(BEATS_EVERY)

    assert died.names == set()
    assert set(looking.living) == {"writing", "looking"}


async def test_a_daemon_that_cannot_write_stops_to_act_and_goes_on_in_a_new_term(clock: ManualClock) -> None:
    own = heartbeats("own", clock)
    may_before = own.may_act()
    await own.beat()
    first = own.name

    clock.advance(DEAD_AFTER - timedelta(seconds=3))
    still_may = own.may_act()
    await own.beat()
    same = own.name
    clock.advance(DEAD_AFTER - timedelta(seconds=1))  # before anybody else takes it for dead
    may_after = own.may_act()
    await own.beat()

    assert (may_before, still_may, may_after, own.may_act()) == (False, True, False, True)
    assert same == first
    assert own.name != first


async def test_what_a_dead_daemon_was_sending_is_taken_back_in_whatever_term_it_was(
    clock: ManualClock,
) -> None:
    engine = Engine()
    for name in ("ada", "bea", "cem"):
        await engine.post(await engine.account(name), name)
    leased = ["dead:1#1", "dead:1#4", "dead:12#1"]
    for row, name in zip(await Delivery.all().order_by("id"), leased, strict=True):
        await Delivery.filter(id=row.id).update(
            status="sending", leased_by=name, lease_until=engine.clock.now()
        )
    await heartbeats("dead:1", clock).beat()
    living = Heartbeats(
        "living",
        take_back=partial(take_back_of, clock=engine.clock),
        database=engine.composition.database,
        clock=clock,
    )
    await living.beat()

    clock.advance(DEAD_AFTER)
    await living.beat()

    assert await statuses() == ["pending", "pending", "sending"]
    assert await outcomes() == ["interrupted"]


async def test_the_lease_of_a_living_daemon_does_not_run_out(clock: ManualClock) -> None:
    """Whoever finds it over may have a clock of its own that is an hour ahead."""
    engine = Engine()
    for name in ("ada", "bea"):
        await engine.post(await engine.account(name), name)
    for row, name in zip(await Delivery.all().order_by("id"), ("living#1", "unknown#1"), strict=True):
        await Delivery.filter(id=row.id).update(
            status="sending", leased_by=name, lease_until=engine.clock.now()
        )
    await heartbeats("living", clock).beat()
    own = heartbeats("own", clock)
    await own.beat()

    queue = DeliveryQueue(channel="telegram", mandate=own)
    count = await queue.expire_leases(engine.clock.now() + timedelta(hours=1), sparing=())

    assert count == 1
    assert await statuses() == ["sending", "pending"]


async def test_a_daemon_that_stops_in_order_is_forgotten_unless_it_leaves_something(
    clock: ManualClock,
) -> None:
    engine = Engine()
    own = heartbeats("own", clock)
    await own.beat()
    await engine.post(await engine.account(), "one")
    await Delivery.all().update(status="sending", leased_by=own.name, lease_until=engine.clock.now())

    await own.leave()
    with_something_left = await Member.exists(identity="own")
    await Delivery.all().update(status="pending", leased_by=None, lease_until=None)
    await own.leave()

    assert with_something_left
    assert not await Member.exists(identity="own")


async def test_who_died_long_ago_is_forgotten(clock: ManualClock) -> None:
    await heartbeats("old", clock).beat()
    await heartbeats("recent", clock).beat()
    await connection().execute_script(
        "UPDATE daemons SET seen_at = seen_at - INTERVAL '25 hours' WHERE identity = 'old'"
    )

    await heartbeats("own", clock).forget()

    assert [row.identity for row in await Member.all()] == ["recent"]


async def test_what_all_have_together_is_shared_among_the_living(clock: ManualClock) -> None:
    first, second, third = (heartbeats(name, clock) for name in ("first", "second", "third"))
    await first.beat()
    alone = first.share(4)
    await second.beat()
    await third.beat()
    await first.beat()

    assert (alone, first.share(4), first.share(2)) == (4, 1, 1)
    clock.advance(DEAD_AFTER)
    await second.beat()
    await first.beat()
    assert first.share(4) == 2
