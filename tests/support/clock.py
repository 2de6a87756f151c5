"""A clock for tests."""

import asyncio
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until `advance`; `sleep` returns once the time has been moved far enough."""

    def __init__(self, now: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        until = self._monotonic + seconds
        while self._monotonic < until:
            await self._moved.wait()

    def advance(self, time: timedelta) -> None:
        """Move the time on and wake the sleepers that are due."""
        self._now += time
        self._monotonic += time.total_seconds()
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def set_by(self, time: timedelta) -> None:
        """Set the wall clock, as a person or NTP does; no time passes."""
        self._now += time

    def advance_seconds(self, seconds: float) -> None:
        """Move the time on by seconds."""
        self.advance(timedelta(seconds=seconds))

    def advance_days(self, days: float) -> None:
        """Move the time on by days."""
        self.advance(timedelta(days=days))
