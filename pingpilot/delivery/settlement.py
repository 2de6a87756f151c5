"""Telling whoever waits for an event that something happened to its deliveries."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from pingpilot.events.live import Live


class Settlements:
    """Wakes those who wait for an event's deliveries. The truth stays in the database: a wake-up only
    means that another look is worth it, and other daemons' work is seen without one.
    """

    def __init__(self, live: Live | None = None) -> None:
        self._live = live or Live()
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._closed = False

    def announce(self, account_id: int, event_ids: Iterable[UUID]) -> None:
        """Wake those who wait for these events, and the open pages of their account."""
        self._live.announce([account_id])
        self._wake(event_ids)

    def _wake(self, event_ids: Iterable[UUID]) -> None:
        for event_id in event_ids:
            for signal in self._waiting.get(event_id, ()):
                signal.set()

    def close(self) -> None:
        """Wake everybody for the last time: the daemon stops."""
        self._closed = True
        self._wake(list(self._waiting))
        self._live.close()

    @property
    def closed(self) -> bool:
        return self._closed

    async def wait(self, event_id: UUID, seconds: float) -> None:
        """Return at the event's next announcement, or after `seconds` at the latest."""
        if self._closed:
            return
        signal = asyncio.Event()
        self._waiting[event_id].add(signal)
        try:
            async with asyncio.timeout(seconds):
                await signal.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting[event_id].discard(signal)
            if not self._waiting[event_id]:
                del self._waiting[event_id]
