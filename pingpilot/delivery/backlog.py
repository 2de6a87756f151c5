"""The backlog: how much waits for each channel and for how long, and where it may go, for the metrics."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models import OPEN_STATUSES, DeliveryStatus
from models.database import reader, unit_of_work
from models.destination import USABLE
from models.sql import as_datetime, query
from pingpilot.channels import CHANNELS
from pingpilot.clock import Clock
from pingpilot.storage.answers import PATIENCE, SharedAnswer
from pingpilot.telemetry.metrics import Metrics

FRESH = timedelta(seconds=5)
"""How long an answer serves all who ask: anybody may, and a million open deliveries take it 300 ms."""
# Reads the indexes of what is open, however much is settled
_OPEN = " UNION ALL ".join(
    f"SELECT channel, '{status.value}' AS status, COUNT(*) AS depth, MIN(id) AS oldest "  # noqa: S608
    f"FROM deliveries WHERE status = '{status.value}' GROUP BY channel"
    for status in OPEN_STATUSES
)
_WAITING = f"""
SELECT waiting.channel, waiting.status, waiting.depth, e.created_at FROM ({_OPEN}) AS waiting
JOIN deliveries d ON d.id = waiting.oldest JOIN events e ON e.id = d.event_id
"""  # noqa: S608

_STATES = f"""
SELECT channel, kind, COUNT(*) AS count, CASE WHEN {USABLE} THEN 'usable'
    WHEN dest.suspended_reason IS NOT NULL THEN 'suspended' ELSE 'off' END AS state
FROM destinations dest GROUP BY channel, kind, state
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many open deliveries of one channel and status there are, and when the oldest was accepted."""

    channel: str
    status: DeliveryStatus
    depth: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for a channel or is being sent: how much, and since when the oldest; and what is held."""

    depth: int
    oldest_age: timedelta
    held: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the metrics show of the database. `destinations` are counted by channel, kind and state."""

    waiting: list[Waiting]
    destinations: dict[tuple[str, str, str], int]

    def queue_of(self, channel: str, now: datetime) -> Queue:
        """Return what waits for one channel."""
        own = [each for each in self.waiting if each.channel == channel]
        queued = [each for each in own if each.status is not DeliveryStatus.HELD]
        return Queue(
            depth=sum(each.depth for each in queued),
            oldest_age=max([timedelta(), *(now - each.oldest for each in queued)]),
            held=sum(each.depth for each in own if each.status is DeliveryStatus.HELD),
        )


class Backlog:
    """Keeps the metrics of what all daemons of a database share as fresh as they are read."""

    def __init__(self, *, metrics: Metrics, clock: Clock, patience: timedelta = PATIENCE) -> None:
        self._metrics = metrics
        self._clock = clock
        self._stored = SharedAnswer(_read_stored, fresh=FRESH, patience=patience, clock=clock)

    async def look(self) -> Stored | None:
        """Return what the database says, None while it is away; an answer serves all for `FRESH`."""
        return await self._stored.get()

    async def refresh(self) -> None:
        """Show in the metrics what the database says; while it is away, no number rather than an old one."""
        stored = await self.look()
        if stored is None:
            self._metrics.database_up.set(0)
            self._metrics.hide_stored()
            return
        self._metrics.database_up.set(1)
        self._metrics.show_destinations(stored.destinations)
        for channel in CHANNELS:
            queue = stored.queue_of(channel, self._clock.now())
            self._metrics.show_queue(channel, depth=queue.depth, oldest_age=queue.oldest_age, held=queue.held)


@unit_of_work
async def _read_stored() -> Stored:
    rows = await query(reader(), _WAITING)
    waiting = [
        Waiting(row["channel"], DeliveryStatus(row["status"]), row["depth"], as_datetime(row["created_at"]))
        for row in rows
    ]
    counts = {
        (row["channel"], row["kind"], row["state"]): row["count"] for row in await query(reader(), _STATES)
    }
    return Stored(waiting, counts)
