"""Time as a collaborator, so that tests can simulate a day in a second."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

SKEW = timedelta(minutes=1)
"""How far the clocks of machines that share a database may differ, and be believed."""
_STEP = 2.0  # seconds by which no clock is set just to follow another


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for what is paced, and waiting."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class Steps:
    """Notices when the wall clock was set: it and the monotonic one no longer go together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._apart = self._difference()

    def noticed(self) -> bool:
        """Whether the wall clock was set since this was asked before."""
        before, self._apart = self._apart, self._difference()
        return abs(self._apart - before) > _STEP

    def _difference(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
