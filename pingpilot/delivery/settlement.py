"""Telling whoever waits for an event that something happened to its deliveries."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from models import OPEN_STATUSES, Delivery
from pingpilot.events.live import Live

_LOOK_AGAIN = 1.0  # seconds: sees what another daemon delivered


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

    async def settled(self, event_id: UUID, seconds: float) -> list[Delivery]:
        """Return the event's deliveries once all are settled, the time is over or the daemon stops."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            deliveries = await Delivery.filter(event_id=event_id).order_by("id")
            left = deadline - loop.time()
            is_open = any(each.status in OPEN_STATUSES for each in deliveries)
            if not is_open or left <= 0 or self.closed:
                return deliveries
            await self.wait(event_id, min(left, _LOOK_AGAIN))
