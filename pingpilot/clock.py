"""Time as a collaborator, so that tests can simulate a day in a second."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

SKEW = timedelta(minutes=1)
"""How far the clocks of machines that share a database may differ, and be believed."""
log = structlog.get_logger(__name__)

STEP = 2.0
"""Seconds by which no clock is set just to follow another, and up to which two agree."""


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
        return abs(self._apart - before) > STEP

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
    """One that the daemons of a database agree upon, whatever becomes of the machines' own.

    Until it is compared with the database's clock, and while it was not far from that, it is the machine's of
    that moment, and goes on by the monotonic one: nothing happens when the machine's is set. A daemon that
    were an hour behind would leave for an hour what the others accept; one that were ahead would try again at
    once what is meant to wait.
    """

    def __init__(self, wall: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._wall = wall
        self._ahead: float | None = None  # of the monotonic one, in seconds from 1970

    @property
    def apart(self) -> timedelta:
        """How far it is ahead of the machine's own; none where that is less than two seconds."""
        apart = self.now() - self._wall()
        return apart if abs(apart.total_seconds()) > STEP else timedelta()

    def now(self) -> datetime:
        if self._ahead is None:
            return self._wall()
        return datetime.fromtimestamp(self.monotonic() + self._ahead, UTC)

    def compare(self, theirs: datetime, began: float, ended: float) -> None:
        """Take note of what the database's clock said between two moments of the monotonic one."""
        at, close = (began + ended) / 2, max(STEP, ended - began)
        if self._ahead is not None and abs(theirs.timestamp() - at - self._ahead) <= close:
            return
        own, agreed = self._wall().timestamp() - self.monotonic(), theirs.timestamp() - at
        if abs(own - agreed) <= close:
            self._ahead = own
            return
        self._ahead = agreed
        log.warning(
            "The clocks of this machine and of the database differ: the database's is believed",
            seconds=round(agreed - own),
        )
