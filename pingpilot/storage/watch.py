"""Whether the database can be used: asked when work on it failed, told once in the log."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from models import Fact
from models.database import answers
from pingpilot.batching import Batcher, Stuck
from pingpilot.clock import Clock
from pingpilot.errors import DatabaseUnavailable

ASKED_EVERY = 1.0
"""Seconds between questions to a database that is away or full."""
LOOKED_AT_EVERY = 2.0
"""Seconds between looks at a database of which nobody complains."""
_PROBE = 64 * 1024  # bytes: the largest body of an event

log = structlog.get_logger(__name__)


class DatabaseWatch:
    """What the daemon knows of its database.

    Whoever fails with it says so to `failed`. A write of our own then tells a database that is away or
    full from trouble with that one piece of work, and is repeated until it succeeds. It is a large one:
    a full disk answers questions, and may have room for an outcome but not for an event.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._is_away = False
        self._inquiry: asyncio.Task[None] | None = None
        self._questions: Batcher[None, bool] = Batcher(self._ask)

    async def run(self) -> None:
        """Look at the database now and then, for ever: nobody may ask for an event that it can't take."""
        while True:
            await self.is_well()
            await self._clock.sleep(LOOKED_AT_EVERY)

    def failed(self, exc: Exception, what: str, **ids: Any) -> None:
        """Take note of work that the database did not do; returns at once.

        It is logged with its traceback, unless the database turns out to be away or full: that is one
        line, and nothing more until it is back.
        """
        self._inquire(self._look_into(exc, what, ids))

    async def is_well(self) -> bool:
        """Return whether the database answers; after a failure, whether it takes a write."""
        if await self._answers():
            return True
        self._inquire(self._wait_until_back())
        return False

    async def close(self) -> None:
        """End what is under way."""
        if self._inquiry:
            self._inquiry.cancel()
            await asyncio.wait([self._inquiry])
        await self._questions.idle()

    def _inquire(self, inquiry: Coroutine[Any, Any, None]) -> None:
        """Begin an inquiry, unless there is one."""
        if self._inquiry:
            inquiry.close()
            return
        self._inquiry = asyncio.create_task(inquiry, name="database inquiry")

        def forget(_task: asyncio.Task[None]) -> None:
            self._inquiry = None

        self._inquiry.add_done_callback(forget)

    async def _look_into(self, exc: Exception, what: str, ids: dict[str, Any]) -> None:
        if await self._answers():
            log.error(what, exc_info=exc, **ids)
        else:
            await self._wait_until_back()

    async def _wait_until_back(self) -> None:
        while self._is_away:
            await self._clock.sleep(ASKED_EVERY)
            await self._answers()

    async def _answers(self) -> bool:
        try:
            return await self._questions.submit(None)
        except Stuck:
            return False

    async def _ask(self, callers: list[None]) -> list[bool | Exception]:
        """Ask the database; where there is doubt, a write tells."""
        was_away, reason = self._is_away, None
        try:
            await answers()
            if self._inquiry:
                await Fact.write_probe(_PROBE)
        except DatabaseUnavailable as exc:
            reason = str(exc)
        self._is_away = reason is not None
        if reason and not was_away:
            log.error("The database is away or full", reason=reason)
        if was_away and not reason:
            log.info("The database is back")
        return [not self._is_away] * len(callers)
