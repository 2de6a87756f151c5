"""A database that goes away, or whose disk fills up, under a daemon that is loaded."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.databases import PostgresCopies
from tests.support.load import Load
from tests.support.waiting import until


@asynccontextmanager
async def crashed(postgres: PostgresCopies) -> AsyncIterator[None]:
    """PostgreSQL is gone, without a goodbye, until the block ends."""
    await asyncio.to_thread(postgres.crash)
    yield
    await asyncio.to_thread(postgres.start_again)


@asynccontextmanager
async def full_disk(daemon: Daemon, file: Path) -> AsyncIterator[None]:
    """No file of the daemon grows beyond the present size of SQLite's log: writes fail as on a full disk.

    A limit of the process, for it needs no privilege, works on any file system and stops what a full disk
    stops: `PRAGMA max_page_count` would be the daemon's own to set, and knows nothing of the log.
    """
    log = file.with_name(f"{file.name}-wal")
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
    yield
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (hard, hard))


class Outage:
    """A time without a database in the middle of a load, and what was seen in it.

    `accepted` counts the events at its begin and at its end, `ready` is what `/readyz` answered then.
    """

    def __init__(
        self, cause: Callable[[Daemon], AbstractAsyncContextManager[None]], *, after: int, seconds: float
    ) -> None:
        self._cause = cause
        self._after = after
        self._seconds = seconds
        self.accepted: list[int] = []
        self.ready: list[int] = []
        self.log = ""

    async def __call__(self, load: Load) -> None:
        """Come over the daemon once `after` events are accepted, and return when it has recovered."""
        await load.wait_for_accepted(self._after)
        async with self._cause(load.daemon):
            await load.daemon.wait_for_part("database", "down")
            await self._look(load)
            await asyncio.sleep(self._seconds)  # how long it lasts is what is tried here
            await self._look(load)
        await load.daemon.wait_for_part("database", "up")
        await until(lambda: len(load.accepted) > self.accepted[-1])
        self.log = load.daemon.log

    async def _look(self, load: Load) -> None:
        self.ready.append((await load.daemon.get("/readyz")).status)
        self.accepted.append(len(load.accepted))
