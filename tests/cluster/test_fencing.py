"""What a daemon that led once may still do: nothing is sent, and nothing written over another one's lease."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from models import Delivery
from pingpilot.channels import TELEGRAM
from pingpilot.clock import Clock, SystemClock
from pingpilot.delivery.claiming import Claimer
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.journal import Journal
from pingpilot.delivery.pacing import Pacer
from pingpilot.delivery.queue import taking_over
from pingpilot.loops import end
from tests.engine.scripted import Engine, ScriptedChannel, deliveries, outcomes, statuses
from tests.support.clock import ManualClock
from tests.support.waiting import eventually, until

from .leaders import Candidate, candidate

pytestmark = pytest.mark.usefixtures("postgres")


class Daemon:
    """A daemon's Telegram channel: it delivers while it leads, by the clock given."""

    def __init__(self, name: str, engine: Engine, clock: Clock | None = None) -> None:
        self.channel = ScriptedChannel()
        self.candidate: Candidate = candidate(
            name, clock=clock, take_over=partial(taking_over, TELEGRAM.name, engine.clock)
        )
        self._dispatcher = Dispatcher(
            self.channel,
            mandate=self.candidate.leadership,
            claimer=Claimer(),
            journal=Journal(),
            pacer=Pacer(overall=None, per_recipient=None, clock=engine.clock),
            settlements=engine.settlements,
            health=engine.health,
            database=engine.composition.database,
            metrics=engine.metrics,
            clock=engine.clock,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let it lead and deliver whenever it may."""
        task = asyncio.create_task(self.candidate.leadership.run(self._start, self._dispatcher.end_term))
        try:
            yield
        finally:
            await end([task])

    def _start(self) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._dispatcher.run())]


@pytest.fixture
def engine() -> Engine:
    return Engine()


async def test_what_was_being_sent_is_not_written_over_the_lease_of_who_leads_now(engine: Engine) -> None:
    clock = ManualClock()
    frozen, other = Daemon("frozen", engine, clock), Daemon("other", engine)
    await engine.post(await engine.account(), "one")
    frozen.channel.hold()
    other.channel.hold()

    async with frozen.running():
        await frozen.channel.wait_for_tries(1)
        async with other.running():
            await other.channel.wait_for_tries(1)
            clock.advance_seconds(30)
            frozen.channel.release()
            await until(lambda: not frozen.channel.under_way and len(frozen.channel.taken) == 1)
            await eventually(outcomes, ["interrupted", "delivered"])
            [row] = await deliveries()
            assert (row.status, row.leased_by) == ("sending", other.candidate.leadership.name)
            other.channel.release()
            await eventually(statuses, ["delivered"])


async def test_what_was_sent_is_not_sent_again_where_nobody_has_begun_to(engine: Engine) -> None:
    clock = ManualClock()
    frozen = Daemon("frozen", engine, clock)
    await engine.post(await engine.account(), "one")
    frozen.channel.hold()

    async with frozen.running():
        await frozen.channel.wait_for_tries(1)
        other = candidate("other", take_over=partial(taking_over, TELEGRAM.name, engine.clock))
        task = asyncio.create_task(other.run())  # it leads, and has not sent anything yet
        await eventually(statuses, ["pending"])
        clock.advance_seconds(30)
        frozen.channel.release()
        await eventually(statuses, ["delivered"])
        await end([task])

    assert frozen.channel.delivered == ["one"]


async def test_what_it_had_claimed_it_does_not_begin_to_send(engine: Engine) -> None:
    clock = ManualClock()
    frozen, other = Daemon("frozen", engine, clock), Daemon("other", engine)
    for name in ("ada", "bea"):  # the second waits for the first: one message at a time to a chat
        await engine.post(await engine.account(name, chat="shared"), name)
    frozen.channel.hold()

    async with frozen.running():
        await frozen.channel.wait_for_tries(1)
        assert await Delivery.filter(status="sending").count() == 2
        async with other.running():
            await eventually(statuses, ["delivered", "delivered"])
            clock.advance_seconds(30)
            frozen.channel.release()
            await until(lambda: frozen.candidate.leadership.name != "" and not frozen.channel.under_way)
            await until(lambda: not frozen.candidate.leads)

    assert len(frozen.channel.tries) == 1
    assert sorted(other.channel.delivered) == ["ada", "bea"]
    assert await statuses() == ["delivered", "delivered"]


async def test_a_claim_that_an_earlier_leader_wrote_late_is_taken_back_soon(engine: Engine) -> None:
    await engine.post(await engine.account(), "one")
    leader = Daemon("leader", engine, SystemClock())

    async with leader.running():
        await eventually(statuses, ["delivered"])
        await engine.post(await engine.account("bob"), "two")
        await Delivery.filter(status="pending").update(
            status="sending", leased_by="earlier#1", lease_until=engine.clock.now()
        )
        engine.clock.advance_seconds(1)
        await eventually(statuses, ["delivered", "delivered"])

    assert leader.channel.delivered == ["one", "two"]


async def test_a_daemon_of_the_version_before_is_left_to_finish(engine: Engine) -> None:
    """It knows nothing of terms: what it leased is taken back once that lease has run out."""
    await engine.post(await engine.account(), "one")
    await Delivery.all().update(
        status="sending", leased_by="host:8080:0123456789abcdef", lease_until=engine.clock.now()
    )
    leader = Daemon("leader", engine)

    async with leader.running():
        await engine.post(await engine.account("bob"), "two")
        await eventually(statuses, ["sending", "delivered"])
        assert leader.channel.delivered == ["two"]
        engine.clock.advance_seconds(15)
        await eventually(statuses, ["delivered", "delivered"])
