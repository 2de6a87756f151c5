"""The faults: each comes over the daemon that leads a channel, or the database under all, and ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from tests.cluster.faults.cluster import Cluster
from tests.cluster.faults.daemons import Daemon
from tests.cluster.faults.network import Side
from tests.cluster.faults.server import DatabaseServer
from tests.support.pgbouncer import PgBouncer

_HOUR = 3600
_TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that is over: since when nobody could have sent because of it, and how it went.

    `since` is the machine's monotonic clock. Where the database was away, it is its return.
    """

    since: float
    how: str = ""


Play = Callable[[Cluster, Daemon, Random, float], Awaitable[Struck]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. One that `dethrones` leaves another daemon to send, within the promised time.

    One that `keeps_connections` leaves the former leader's open, as platforms see them: its long poll and its
    session are there when the next leader's come, once each.
    """

    name: str
    play: Play
    dethrones: bool = False
    keeps_connections: bool = False
    needs_namespaces: bool = False
    needs_clocks: bool = False
    needs_pooler: bool = False


async def _kill(cluster: Cluster, leader: Daemon, random: Random, _frozen: float) -> Struck:
    at = time.monotonic()
    await leader.kill()
    pause = random.choice([0, 8])  # as a supervisor starts it anew, or as a machine comes back
    await asyncio.sleep(pause)
    await cluster.start(leader)
    return Struck(at, f"back after {pause} s")


async def _freeze(_cluster: Cluster, leader: Daemon, _random: Random, frozen: float) -> Struck:
    at = time.monotonic()
    leader.freeze()
    await asyncio.sleep(frozen)
    leader.thaw()
    return Struck(at, f"for {frozen:g} s")


async def _stop(cluster: Cluster, leader: Daemon, _random: Random, _frozen: float) -> Struck:
    at = time.monotonic()
    code = await leader.stop()
    took = time.monotonic() - at
    await cluster.start(leader)
    return Struck(at, f"exit code {code} after {took:.1f} s")


async def _terminate(cluster: Cluster, leader: Daemon, _random: Random, _frozen: float) -> Struck:
    at = time.monotonic()
    ended = await cluster.ask(_TERMINATE, leader.name)
    return Struck(at, f"{len(ended)} connections")


async def _restart_database(cluster: Cluster, _leader: Daemon, _random: Random, _frozen: float) -> Struck:
    at = time.monotonic()
    await cluster.server.stop()
    await cluster.server.start()
    back = time.monotonic()
    return Struck(back, f"away for {back - at:.1f} s")


async def _killed(server: DatabaseServer | PgBouncer, random: Random) -> Struck:
    at = time.monotonic()
    await server.kill()
    await asyncio.sleep(random.uniform(0, 9))
    await server.start()
    back = time.monotonic()
    return Struck(back, f"away for {back - at:.1f} s")


async def _kill_database(cluster: Cluster, _leader: Daemon, random: Random, _frozen: float) -> Struck:
    return await _killed(cluster.server, random)


async def _kill_pooler(cluster: Cluster, _leader: Daemon, random: Random, _frozen: float) -> Struck:
    assert cluster.pooler
    return await _killed(cluster.pooler, random)


async def _set_clock(_cluster: Cluster, leader: Daemon, random: Random, _frozen: float) -> Struck:
    at = time.monotonic()
    seconds = random.choice([-_HOUR, _HOUR])
    leader.set_clock(seconds)
    await asyncio.sleep(20)
    leader.set_clock(0)
    return Struck(at, f"{seconds:+d} s, back after 20 s")


async def _cut(side: Side, cluster: Cluster, leader: Daemon, random: Random) -> Struck:
    at = time.monotonic()
    cluster.network.cut(leader.place, side)
    lasts = random.uniform(12, 25)
    await asyncio.sleep(lasts)
    cluster.network.heal(leader.place, side)
    return Struck(at, f"for {lasts:.1f} s")


async def _cut_database(cluster: Cluster, leader: Daemon, random: Random, _frozen: float) -> Struck:
    return await _cut("database", cluster, leader, random)


async def _cut_platforms(cluster: Cluster, leader: Daemon, random: Random, _frozen: float) -> Struck:
    return await _cut("platforms", cluster, leader, random)


KINDS = (
    Kind("leader killed", _kill, dethrones=True),
    Kind("leader frozen", _freeze, dethrones=True, keeps_connections=True),
    Kind("leader stopped", _stop, dethrones=True),
    Kind("connections ended", _terminate),
    Kind("database restarted", _restart_database),
    Kind("database killed", _kill_database),
    Kind("pooler killed", _kill_pooler, needs_pooler=True),
    Kind("leader's clock off", _set_clock, needs_namespaces=True, needs_clocks=True),
    Kind("cut from database", _cut_database, dethrones=True, needs_namespaces=True),
    Kind("cut from platforms", _cut_platforms, dethrones=True, keeps_connections=True, needs_namespaces=True),
)
