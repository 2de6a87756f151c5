"""By what right a daemon sends through a channel."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from pingpilot.loops import end

Tasks = Sequence[asyncio.Task[None]]

TERM = "#"
"""What stands in a lease between a daemon's identity and the term in which it claimed. Daemons of earlier
versions had no terms: their leases run out.
"""


class Mandate(Protocol):
    """The right of one daemon to send through one channel, which it may lose and get again."""

    @property
    def name(self) -> str:
        """What deliveries are leased by: another one in each term, so that an outcome of an earlier one is
        not written over what was claimed since.
        """

    @property
    def is_exclusive(self) -> bool:
        """Whether nobody else sends through the channel meanwhile."""

    @property
    def living(self) -> Collection[str]:
        """The identities of all daemons that are known to live, where several send through the channel."""

    def may_act(self) -> bool:
        """Return whether the daemon may send now. Asked just before each step, with no `await` between."""

    async def run(self, start: Callable[[], Tasks], finish: Callable[[], Awaitable[None]]) -> None:
        """Have the channel served whenever that is right, for ever: `start` begins it, and what it returns is
        cancelled at the end of the term; then `finish` puts back what could not be sent.

        Raises what a task that was started raises.
        """


class Always:
    """The right of a daemon that shares a channel with nobody, or with all others alike."""

    is_exclusive = False

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def living(self) -> Collection[str]:
        return ()

    def may_act(self) -> bool:
        return True

    async def run(self, start: Callable[[], Tasks], finish: Callable[[], Awaitable[None]]) -> None:
        """Serve until cancelled."""
        tasks = start()
        try:
            await first_failure(tasks)
        finally:
            await end(tasks)


async def first_failure(tasks: Tasks) -> None:
    """Wait until a task fails, or for ever; raises what it did. Who returns is no failure."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()
    await asyncio.Event().wait()
