"""Daemons' parts in leading a bot, with a lease of parts of a second."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from models import Leader
from models.work import Work
from pingpilot.clock import Clock, SystemClock
from pingpilot.cluster.leading import Leadership
from pingpilot.cluster.times import Times
from pingpilot.loops import end
from pingpilot.storage.watch import DatabaseWatch
from tests.support.waiting import until

BOT = "telegram:7000000042"
SHORT = Times(
    lease=timedelta(seconds=1.2),
    margin=timedelta(seconds=0.2),
    renewed_every=timedelta(seconds=0.2),
    looked_at_every=timedelta(seconds=0.1),
    rest=timedelta(seconds=0.1),
)


def nothing() -> Work[int]:
    """Find an empty queue."""
    yield from ()
    return 0


async def nothing_more() -> None:
    """Have nothing to finish."""


@dataclass
class Candidate:
    """One daemon's part in leading, and what it was told to do."""

    leadership: Leadership
    served: int = 0
    finished: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def leads(self) -> bool:
        return self.leadership.may_act()

    async def run(self, finish: Callable[[], Awaitable[None]] = nothing_more) -> None:
        async def counted() -> None:
            await finish()
            self.finished += 1

        await self.leadership.run(self._start, counted)

    async def wait_until_it_leads(self) -> None:
        await until(lambda: self.leads)

    def _start(self) -> Sequence[asyncio.Task[None]]:
        self.served += 1
        task = asyncio.create_task(asyncio.Event().wait())
        self.serving = {task}  # type: ignore[arg-type]
        return [task]  # type: ignore[list-item]


def candidate(
    identity: str,
    *,
    clock: Clock | None = None,
    times: Times = SHORT,
    dead: Sequence[str] = (),
    take_over: Callable[[], Work[int]] = nothing,
) -> Candidate:
    clock = clock or SystemClock()
    database = DatabaseWatch(clock=SystemClock())
    return Candidate(
        Leadership(
            BOT,
            identity=identity,
            take_over=take_over,
            database=database,
            clock=clock,
            dead=dead,
            times=times,
        )
    )


@asynccontextmanager
async def running(*candidates: Candidate) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Let candidates run, each in a task; they end in order with the block at the latest."""
    tasks = [asyncio.create_task(each.run()) for each in candidates]
    try:
        yield tasks
    finally:
        await end(tasks)


async def holder() -> str:
    """Return who holds the bot's lease, "" for nobody."""
    leader = await Leader.get_or_none(token=BOT)
    return leader.holder if leader else ""
