"""Time as a collaborator, so that tests can simulate a day in a second."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

SKEW = timedelta(minutes=1)
"""How far the clocks of machines that share a database may differ, and be believed."""
log = structlog.get_logger(__name__)

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


# Unlike the plain monotonic one it goes on while the machine sleeps: a daemon must not wake up and believe
# that its lease still holds
_RUNNING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_RUNNING)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class AgreedClock(SystemClock):
    """The machine's clock, unless it differs from that of the database, which all daemons share.

    A daemon whose clock is an hour behind would leave for an hour what the others accept, and one that is
    ahead would try again at once what is meant to wait.
    """

    def __init__(self) -> None:
        self._apart = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._apart

    def compare(self, theirs: datetime, before: datetime, after: datetime) -> None:
        """Take note of what the database's clock said between two moments of the machine's own."""
        apart = theirs - (before + (after - before) / 2)
        if abs(apart - self._apart) <= max(timedelta(seconds=_STEP), after - before):
            return
        self._apart = apart if abs(apart) > timedelta(seconds=_STEP) else timedelta()
        log.warning(
            "The clocks of this machine and of the database differ: the database's is believed",
            seconds=round(self._apart.total_seconds()),
        )
