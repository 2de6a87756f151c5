"""A daemon under load that is ended at random moments, again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

from tests.support.daemon import Daemon
from tests.support.load import POSTERS, Load, post_meanwhile
from tests.support.report import Report, report_on

EVENTS_A_KILL = 40
_LONGEST_DELAY = 0.3  # seconds from the accepted event that calls for an end to the end

End = Callable[[Daemon], Awaitable[None]]


async def kill(daemon: Daemon) -> None:
    """End it without a warning (SIGKILL)."""
    await daemon.kill()


async def terminate(daemon: Daemon) -> None:
    """Ask it to stop (SIGTERM), which must end well."""
    code = await daemon.stop()
    assert code == 0, f"exit code {code}:\n{daemon.log}"


async def post_among_ends(
    end: End, *, database_url: str, folder: Path, events: int, times: int, seed: int
) -> Report:
    """Post `events` and `end` the daemon so many times meanwhile, starting it anew each time."""
    random = Random(seed)
    moments = sorted(random.sample(range(events - POSTERS), times))

    async def ends(load: Load) -> None:
        for accepted in moments:
            await load.wait_for_accepted(accepted)
            await asyncio.sleep(random.uniform(0, _LONGEST_DELAY))  # any moment, not a chosen one
            await end(load.daemon)
            await load.daemon.start()

    load = await post_meanwhile(ends, database_url=database_url, folder=folder, events=events)
    return await report_on(load, database_url)
