"""Two daemons on one PostgreSQL, in processes of their own: one leads, and the other one follows it."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from yarl import URL

from pingpilot.channels import EMAIL
from pingpilot.sandbox.faults import Fault
from tests.support.crowd import linked_accounts
from tests.support.daemon import Daemon
from tests.support.databases import PostgresCopies
from tests.support.platforms import Platforms, running_platforms
from tests.support.waiting import eventually, until

from .relay import Relay


class HastyDaemon(Daemon):
    """A daemon whose leases last two seconds."""

    MODULE = "tests.cluster.hasty"

    async def mails_sent(self) -> int:
        """Return how many mails this one has handed in."""
        metrics = await self.metrics()
        return int(metrics.of("pingpilot_deliveries_total", channel=EMAIL.name, outcome="delivered") or 0)


@dataclass
class Cluster:
    """Two daemons, the platforms, and accounts that are linked to all of them.

    `way` is that of the first daemon to Telegram.
    """

    url: str
    daemons: list[HastyDaemon]
    platforms: Platforms
    keys: list[str]
    way: Relay
    events: int = 0

    async def leader(self) -> HastyDaemon | None:
        """Return who leads the Telegram bot, None while nobody does; Discord's may be led by the other."""
        holder = await self._read("SELECT holder FROM leaders WHERE token LIKE 'telegram:%'") or ""
        return next(
            (each for each in self.daemons if f":{each.base_url.rpartition(':')[2]}:" in holder), None
        )

    async def unsettled(self) -> int:
        """Return how many deliveries have no outcome yet."""
        return int(await self._read("SELECT count(*) FROM deliveries WHERE status <> 'delivered'"))

    async def _read(self, sql: str) -> Any:
        database = await asyncpg.connect(self.url)
        try:
            return await database.fetchval(sql)
        finally:
            await database.close()

    async def wait_for_leader(self, *, other_than: HastyDaemon | None = None) -> HastyDaemon:
        found: HastyDaemon | None = None

        async def is_led() -> bool:
            nonlocal found
            found = await self.leader()
            return found not in (None, other_than)

        await eventually(is_led, True)
        assert found
        return found

    async def post(self, count: int, *daemons: HastyDaemon) -> None:
        """Have these daemons accept so many events in turn, each of another account."""
        for number in range(self.events, self.events + count):
            daemon = daemons[number % len(daemons)]
            body = {"category": "sale", "description": f"event {number}"}
            answer = await daemon.post(self.keys[number % len(self.keys)], body)
            assert answer.status == 200, answer.body
        self.events += count

    async def wait_for_arrivals(self) -> None:
        """Return once each event that was posted has arrived on each channel."""
        await until(lambda: all(len(texts) == self.events for texts in self._arrived()))

    def connections_of(self, daemon: HastyDaemon) -> int:
        """Return how many connections this daemon has with the platforms whose bots one at a time leads."""
        ports = {
            self.way.port,
            *(URL(each.url).port for each in (self.platforms.telegram, self.platforms.discord)),
        }
        all_of_it = psutil.Process(daemon.pid).net_connections("tcp")
        return sum(each.status == psutil.CONN_ESTABLISHED and each.raddr.port in ports for each in all_of_it)

    def doubled(self) -> int:
        """Return how many messages came more than once."""
        return sum(count - 1 for texts in self._arrived() for count in texts.values())

    def _arrived(self) -> list[Counter[str]]:
        """Return how often each message has come, by channel."""
        return [
            Counter(each.text for each in self.platforms.telegram.messages),
            Counter(str(each.embeds[0]["description"]) for each in self.platforms.discord.messages),
            Counter(str(each.message["Subject"]) for each in self.platforms.mail.mails),
        ]


@pytest.fixture
async def cluster(postgres_copies: PostgresCopies, tmp_path: Path) -> AsyncIterator[Cluster]:
    url = postgres_copies.new(tmp_path)
    async with running_platforms() as platforms:
        platforms.lift_limits()
        async with Relay(URL(platforms.telegram.url).port or 0) as way:
            daemons = []
            for name, port in (("a", way.port), ("b", None)):
                (tmp_path / name).mkdir()
                own = dict(platforms.settings)
                if port:
                    own["PINGPILOT_TELEGRAM_API_URL"] = str(URL(platforms.telegram.url).with_port(port))
                daemons.append(HastyDaemon(own, database_url=url, folder=tmp_path / name))
            try:
                keys = await linked_accounts(url, platforms)
                await asyncio.gather(*(each.start() for each in daemons))
                yield Cluster(url, daemons, platforms, keys, way)
            finally:
                for each in daemons:
                    await each.close()
    postgres_copies.drop(url)


async def test_one_leads_both_send_mails_and_a_leader_that_is_stopped_ended_or_killed_is_followed(
    cluster: Cluster,
) -> None:
    first = await cluster.wait_for_leader()
    [second] = [each for each in cluster.daemons if each is not first]
    await cluster.post(40, first, second)
    await cluster.wait_for_arrivals()
    mails = [await each.mails_sent() for each in cluster.daemons]
    parts, doubled_before = await second.parts(), cluster.doubled()

    telegram, held = cluster.platforms.telegram, asyncio.Event()
    await eventually(cluster.unsettled, 0)
    telegram.faults.add(Fault.hold(held), times=2, route="sendMessage")
    await cluster.post(6, second)
    await until(lambda: telegram.faults.taken == 2)
    await eventually(cluster.unsettled, 2)
    os.kill(first.pid, signal.SIGSTOP)
    await cluster.post(6, second)
    await cluster.wait_for_arrivals()
    calls = dict(telegram.calls)
    os.kill(first.pid, signal.SIGCONT)
    await until(lambda: "This daemon leads no longer" in first.log)
    await first.wait_for_part("telegram", "standby")  # all of its term has ended
    held.set()
    calls_by_one_that_was_stopped = telegram.calls["sendMessage"] - calls["sendMessage"]
    leads_after_a_stop = await cluster.leader()

    code = await second.stop()
    leads_after_an_end = await cluster.wait_for_leader(other_than=second)
    await cluster.post(4, first)
    await cluster.wait_for_arrivals()

    await second.start()
    await first.kill()
    async with asyncio.timeout(20):  # 10, on a machine that is not busy
        await cluster.post(5, second)
        await cluster.wait_for_arrivals()
    leads_after_a_kill = await cluster.leader()
    await telegram.wait_polling()

    assert (sum(mails), min(mails) > 0, doubled_before) == (40, True, 0)
    assert parts["telegram"] == "standby"
    assert calls_by_one_that_was_stopped == 0
    assert code == 0
    assert (leads_after_a_stop, leads_after_an_end, leads_after_a_kill) == (second, first, second)
    assert cluster.doubled() <= 2  # what was on its way when the leader was stopped


async def test_who_leads_no_longer_keeps_no_connection_to_the_platforms(cluster: Cluster) -> None:
    frozen = await cluster.wait_for_leader()
    await cluster.post(8, *cluster.daemons)
    await cluster.wait_for_arrivals()
    led = cluster.connections_of(frozen)
    os.kill(frozen.pid, signal.SIGSTOP)
    await cluster.wait_for_leader(other_than=frozen)
    os.kill(frozen.pid, signal.SIGCONT)
    await until(lambda: cluster.connections_of(frozen) == 0)  # idle ones are kept for a minute

    assert led > 0


async def test_a_leader_that_does_not_reach_its_platform_steps_aside(cluster: Cluster) -> None:
    first, second = cluster.daemons
    if await cluster.wait_for_leader() is second:
        await second.stop()
        await cluster.wait_for_leader(other_than=second)
        await second.start()
    await cluster.post(2, first)
    await cluster.wait_for_arrivals()
    await eventually(cluster.unsettled, 0)  # a message whose answer is cut off comes again

    cluster.way.cut()
    await cluster.post(3, first, second)
    await cluster.wait_for_arrivals()

    expected: HastyDaemon | None = second
    await eventually(cluster.leader, expected)
    assert "This daemon steps aside" in first.log
    assert cluster.doubled() == 0
