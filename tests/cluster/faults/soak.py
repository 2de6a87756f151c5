"""The soak: under load without faults, memory, files and database connections of each daemon stay flat."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.cluster.faults.cluster import Cluster
from tests.cluster.faults.daemons import Daemon

_EVERY = 10.0  # seconds
_CONNECTIONS = "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname IS NOT NULL GROUP BY 1"
_MOST_GROWTH = 0.04
"""Of memory, from the second quarter of the time to the last: the first one fills caches."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One daemon at one moment: megabytes that are its own, open files, connections to the database."""

    minutes: float
    daemon: str
    memory: float
    files: int
    connections: int


async def soak(cluster: Cluster, minutes: float, say: Callable[[str], None]) -> list[str]:
    """Look at the daemons for so long; return what is wrong."""
    await cluster.calm()
    began = time.monotonic()
    samples: list[Sample] = []
    said = 0.0
    while (passed := (time.monotonic() - began) / 60) < minutes:
        rows = await cluster.ask(_CONNECTIONS)
        connections = {row["application_name"]: int(row["count"]) for row in rows}
        present = [_sample(each, passed, connections) for each in cluster.daemons]
        samples += present
        if passed >= said:
            say(
                f"{passed:5.1f} min  {len(cluster.load.accepted):>6} events  "
                + "  ".join(map(_line, present))
            )
            said += 1
        await asyncio.sleep(_EVERY)
    missing = await cluster.settle(within=60)
    found = [f"event {event} has not arrived: {', '.join(places)}" for event, places in missing.items()]
    counts = await cluster.counts()
    found += [f"{times} times exceeded: {limit}" for limit, times in counts.exceeded.items()]
    for daemon in cluster.daemons:
        own = [each for each in samples if each.daemon == daemon.name]
        quarter = max(1, len(own) // 4)
        found += _growth(daemon.name, own[quarter : 2 * quarter] or own, own[-quarter:], say)
    return found


def _sample(daemon: Daemon, minutes: float, connections: dict[str, int]) -> Sample:
    process = daemon.process
    memory = process.memory_full_info().uss / 2**20
    return Sample(minutes, daemon.name, memory, process.num_fds(), connections.get(daemon.name, 0))


def _line(sample: Sample) -> str:
    return f"{sample.daemon}: {sample.memory:.1f} MB, {sample.files} files, {sample.connections} connections"


def _growth(
    name: str, before: Sequence[Sample], after: Sequence[Sample], say: Callable[[str], None]
) -> list[str]:
    def medians(samples: Sequence[Sample]) -> tuple[float, float, float]:
        return (
            statistics.median(each.memory for each in samples),
            statistics.median(each.files for each in samples),
            statistics.median(each.connections for each in samples),
        )

    (memory, files, connections), (memory_after, files_after, connections_after) = (
        medians(before),
        medians(after),
    )
    growth = memory_after / memory - 1
    say(
        f"{name}: memory {memory:.1f} -> {memory_after:.1f} MB ({growth:+.1%}), "
        f"files {files:g} -> {files_after:g}, "
        f"connections {connections:g} -> {connections_after:g}, second quarter to last"
    )
    found = []
    if growth > _MOST_GROWTH:
        found.append(f"{name} has grown by {growth:.1%}")
    if files_after > files + 5 or connections_after > connections + 2:
        found.append(f"{name} holds more and more files or connections")
    return found
