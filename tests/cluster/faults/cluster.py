"""All together: PostgreSQL, the platforms, several daemons, and those who post to them."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.cluster.faults.daemons import Daemon
from tests.cluster.faults.leaders import Leaders
from tests.cluster.faults.load import Load, create_accounts
from tests.cluster.faults.network import Network
from tests.cluster.faults.seen import Counts, Platforms, running_platforms
from tests.cluster.faults.server import DatabaseServer
from tests.support.daemon import free_port
from tests.support.pgbouncer import PgBouncer
from tests.support.waiting import comes_true

BUSY = 4
"""Accounts with a group on Telegram beside their chats."""
_ACCOUNTS = 44
_CALM_WITHIN = 90.0  # seconds
_CUT_OFF = """
SELECT a.id, d.channel, d.destination, e.description FROM delivery_attempts a
JOIN deliveries d ON d.id = a.delivery_id JOIN events e ON e.id = d.event_id
WHERE a.id > $1 AND a.outcome = 'interrupted' ORDER BY a.id
"""


@dataclass(frozen=True, slots=True)
class CutOff:
    """A delivery's attempt that nobody knows the end of: the daemon that sent it was taken its lease."""

    place: str
    event: int


class Cluster:
    """What runs, and what can be asked of it."""

    def __init__(
        self,
        network: Network,
        server: DatabaseServer,
        platforms: Platforms,
        daemons: Sequence[Daemon],
        http: aiohttp.ClientSession,
        *,
        pooler: PgBouncer | None,
        own_clocks: bool,
    ) -> None:
        self.network = network
        self.server = server
        self.pooler = pooler
        self.platforms = platforms
        self.daemons = daemons
        self.leaders = Leaders(server.url, network.places)
        self.load: Load
        self._http = http
        self._own_clocks = own_clocks
        self._latest_attempt = 0
        self._given_up: set[int] = set()

    async def start(self, *daemons: Daemon) -> None:
        """Run these daemons, at once, and return when all are ready."""
        for each in daemons:
            await each.launch(own_clock=self._own_clocks)
        await asyncio.gather(*(each.wait_until_ready(self._http) for each in daemons))

    async def revive(self) -> list[str]:
        """Start those daemons again that ended by themselves, and return what they said."""
        ended = [each for each in self.daemons if each.has_ended is not None]
        said = [f"{each.name} ended with {each.has_ended}: {each.last_words}" for each in ended]
        await self.start(*ended)
        return said

    async def calm(self) -> list[str]:
        """Return once all daemons are ready and each bot has a leader; return what `revive` did."""
        said: list[str] = []

        async def is_calm() -> bool:
            said.extend(await self.revive())
            parts = await asyncio.gather(*(each.parts(self._http) for each in self.daemons))
            are_ready = all(each.get("status") == 200 for each in parts)
            return are_ready and all(map(self.leaders.leader, self.platforms.bots))

        await comes_true(is_calm, "all daemons to be ready and all bots to be led", timeout=_CALM_WITHIN)
        return said

    def leading(self, bot: str) -> Daemon:
        """Return the daemon that leads a bot."""
        term = self.leaders.leader(bot)
        assert term, f"nobody leads {bot}"
        return next(each for each in self.daemons if each.number == term.daemon)

    async def ask(self, sql: str, *values: Any) -> list[Any]:
        """Return rows of the database; it is waited for where it is away."""
        async with asyncio.timeout(60):
            while True:
                try:
                    connection = await asyncpg.connect(self.server.url, timeout=5)
                    try:
                        return list(await connection.fetch(sql, *values))
                    finally:
                        connection.terminate()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await asyncio.sleep(0.2)

    async def cut_off(self) -> list[CutOff]:
        """Return the attempts that were cut off since this was asked last."""
        rows = await self.ask(_CUT_OFF, self._latest_attempt)
        if rows:
            self._latest_attempt = rows[-1]["id"]
        return [
            CutOff(
                "room" if row["destination"] == "group" else row["channel"],
                int(row["description"].removeprefix("event ").rstrip(".")),
            )
            for row in rows
        ]

    def missing(self, events: Sequence[int]) -> dict[int, list[str]]:
        """Return where each of these events has not arrived yet."""
        arrived = self.platforms.arrived
        missing = {
            event: [place for place in self.load.places(event) if not arrived[place][event]]
            for event in events
        }
        return {event: places for event, places in missing.items() if places}

    async def settle(self, *, within: float) -> dict[int, list[str]]:
        """Wait until all that is accepted by now has arrived; return what has not within so many seconds.

        What was returned before is not waited for again.
        """
        accepted = sorted(self.load.accepted.keys() - self._given_up)
        deadline = time.monotonic() + within
        while (missing := self.missing(accepted)) and time.monotonic() < deadline:
            accepted = sorted(missing)
            await asyncio.sleep(0.1)
        self._given_up |= missing.keys()
        return missing

    async def counts(self) -> Counts:
        """Return what the platforms have counted so far."""
        return await self.platforms.counts(self._http)

    async def stored(self) -> Counter[int]:
        """Return how often each event stands in the database."""
        rows = await self.ask("SELECT description FROM events WHERE description LIKE 'event %'")
        return Counter(int(row["description"].removeprefix("event ").rstrip(".")) for row in rows)


@asynccontextmanager
async def running_cluster(
    network: Network,
    folder: Path,
    *,
    events_a_second: float,
    own_clocks: bool,
    bots: int = 1,
    pooled: bool = False,
) -> AsyncIterator[Cluster]:
    """Run it all; the daemons start at once on an empty database, and are under load in the block.

    With `own_clocks`, the wall clock of each can be set. Each platform has so many `bots`. Where it is
    `pooled`, a PgBouncer in its transaction mode stands before the database.
    """
    async with AsyncExitStack() as stack:
        server = DatabaseServer(folder, host=network.database, port=free_port())
        stack.push_async_callback(server.stop)
        await server.start()
        await server.create_database()
        databases, pooler = {"PINGPILOT_DATABASE_URL": server.url}, None
        if pooled:
            pooler = _pooler(server, folder)
            stack.push_async_callback(pooler.kill)
            await pooler.start()
            databases = {
                "PINGPILOT_DATABASE_URL": pooler.through(server.url),
                "PINGPILOT_DATABASE_DIRECT_URL": server.url,
            }
        platforms = await stack.enter_async_context(
            running_platforms(network, folder, chats=_ACCOUNTS, rooms=BUSY, bots=bots)
        )
        http = await stack.enter_async_context(
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=5), connector=aiohttp.TCPConnector(limit=0)
            )
        )
        daemons = []
        for place in network.places:
            own = folder / f"daemon-{place.number}"
            own.mkdir()
            daemon = Daemon(place, platforms.settings(place), databases=databases, folder=own)
            stack.push_async_callback(daemon.close)
            daemons.append(daemon)
        cluster = Cluster(network, server, platforms, daemons, http, pooler=pooler, own_clocks=own_clocks)
        await cluster.start(*daemons)
        keys = await create_accounts(server.url, platforms.conversations, busy=BUSY, bots=bots)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())  # one that fails ends it all
        cluster.load = Load(keys, busy=BUSY, daemons=daemons, http=http, tasks=tasks)
        stack.callback(cluster.load.close)
        for work in (cluster.leaders.watch(), cluster.load.run(events_a_second)):
            stack.callback(tasks.create_task(work).cancel)
        yield cluster


def _pooler(server: DatabaseServer, folder: Path) -> PgBouncer:
    (own := folder / "pgbouncer").mkdir()
    return PgBouncer(
        server.host, own, server_port=server.port, host=server.host, user=server.user, pool_size=6, retry=1
    )
