"""Two daemons' engines on one PostgreSQL, which look at the database when they are told to, and only then."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest

from models import DeliveryStatus
from pingpilot.channels import TELEGRAM
from pingpilot.clock import SystemClock
from pingpilot.cluster.news import PostgresNews
from pingpilot.daemon.hearing import DaemonHearer
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.events.live import Live
from pingpilot.events.submission import Submission
from tests.engine.scripted import ScriptedChannel
from tests.support.accounts import link_chat, new_account
from tests.support.composition import Composition, running
from tests.support.events import caller_for
from tests.support.waiting import until

NEVER = timedelta(days=1)


@asynccontextmanager
async def hearing(daemon: Composition, **dispatchers: Dispatcher) -> AsyncIterator[None]:
    """Let a daemon hear of the other one, and deliver through these."""
    hearer = DaemonHearer(dispatchers, settlements=daemon.settlements, live=daemon.live)
    before = daemon.live.changes(0)
    task = asyncio.create_task(daemon.news.run(hearer))
    async with AsyncExitStack() as stack:
        for each in dispatchers.values():
            await stack.enter_async_context(running(each))
        await until(lambda: daemon.live.changes(0) > before)  # it listens
        yield
    task.cancel()
    await asyncio.wait([task])


def a_daemon(url: str) -> Composition:
    return Composition(clock=SystemClock(), news=PostgresNews(url), look_again=NEVER.total_seconds())


async def test_what_one_daemon_accepts_another_delivers_and_the_first_one_knows_at_once(
    postgres: str,
) -> None:
    accepting, sending = a_daemon(postgres), a_daemon(postgres)
    channel = ScriptedChannel()
    account = await new_account(accepting.clock)
    await link_chat(account, TELEGRAM.name, accepting.clock)
    caller = await caller_for(account, accepting.clock)

    async with (
        hearing(accepting),
        hearing(sending, telegram=sending.dispatcher(channel, poll=NEVER)),
        asyncio.timeout(30),
    ):
        with accepting.live.watching(account.id) as here, sending.live.watching(account.id) as there:
            channel.hold()
            acceptance = await accepting.intake.submit(Submission(caller, "sale", "Sold", "{}"))
            await channel.wait_for_tries(1)
            await there.wait()  # a page at the other daemon shows the event
            here.clear()
            waiting = asyncio.create_task(accepting.settlements.wait(acceptance.event_id, 30))
            await asyncio.sleep(0)  # it waits
            channel.release()
            await waiting
            await here.wait()
        [delivery] = await accepting.settlements.settled(acceptance.event_id, 0)

    assert delivery.status == DeliveryStatus.DELIVERED


async def test_whoever_may_have_missed_something_looks_again(postgres: str) -> None:
    """As after the connection was away: `catch_up` is what its return calls."""
    daemon, channel = a_daemon(postgres), ScriptedChannel()
    account = await new_account(daemon.clock)
    await link_chat(account, TELEGRAM.name, daemon.clock)
    caller = await caller_for(account, daemon.clock)
    dispatcher = daemon.dispatcher(channel, poll=NEVER)
    hearer = DaemonHearer({TELEGRAM.name: dispatcher}, settlements=daemon.settlements, live=daemon.live)

    silent = Composition(clock=daemon.clock)  # a daemon that tells nobody

    async with running(dispatcher), asyncio.timeout(30):
        for _ in range(2):  # the second one is none that the dispatcher finds as it starts
            acceptance = await silent.intake.submit(Submission(caller, "sale", "Sold", "{}"))
            waiting = asyncio.create_task(daemon.settlements.wait(acceptance.event_id, 30))
            await asyncio.sleep(0)  # it waits
            with daemon.live.watching(account.id) as page:
                hearer.catch_up()
                await page.wait()
                await waiting
            [delivery] = await daemon.settlements.settled(acceptance.event_id, 30)

    assert delivery.status == DeliveryStatus.DELIVERED


def counts(live: Live, accounts: Sequence[int]) -> list[int]:
    return [live.changes(each) for each in accounts]


def test_a_page_never_takes_a_change_for_one_it_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pingpilot.events.live.MOST_COUNTED", 3)
    live, seen = Live(), []

    live.announce([1, 1, 2])
    seen.append(counts(live, [1]))
    live.hear([3, 4, 5, 1])  # more than are counted apart
    seen.append(counts(live, [1]))
    live.catch_up()
    seen.append(counts(live, [1]))
    for number in range(6, 100):
        live.hear([number])
        live.hear([1])
        seen.append(counts(live, [1]))

    assert len({tuple(each) for each in seen}) == len(seen)
