"""Telling whoever waits for an event that something happened to its deliveries."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Collection, Iterable
from uuid import UUID

from models import OPEN_STATUSES, Delivery
from pingpilot.cluster.news import Bulletin, News, Silence
from pingpilot.events.live import Live

LOOK_AGAIN = 1.0
"""Seconds, up to twice as many, after which whoever waits looks at the database without being told."""


class Settlements:
    """Wakes those who wait for an event's deliveries, here and by the `news` at other daemons.

    The truth stays in the database: a wake-up only means that another look is worth it.
    """

    def __init__(
        self, live: Live | None = None, *, news: News | None = None, look_again: float = LOOK_AGAIN
    ) -> None:
        self._live = live or Live()
        self._news = news or Silence()
        self._look_again = look_again
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._closed = False

    def announce(self, account_id: int, event_ids: Collection[UUID]) -> None:
        """Wake those who wait for these events, and the open pages of their account."""
        self._live.announce([account_id])
        self.hear(event_ids)
        self._news.tell(Bulletin(events=frozenset(event_ids)))

    def catch_up(self) -> None:
        """Have all who wait look: something may have happened to any event."""
        self.hear(list(self._waiting))

    def hear(self, event_ids: Iterable[UUID]) -> None:
        """Wake those who wait here for these events. Another daemon may name any."""
        for event_id in event_ids:
            for signal in self._waiting.get(event_id, ()):
                signal.set()

    def close(self) -> None:
        """Wake everybody for the last time: the daemon stops."""
        self._closed = True
        self.catch_up()
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
            soon = self._look_again * random.uniform(1, 2)  # noqa: S311  # spreads load, guards nothing
            await self.wait(event_id, min(left, soon))
