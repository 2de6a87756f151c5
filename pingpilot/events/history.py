"""An account's events as its owner looks back on them: page by page, newest first.

The order is that of the ids, which grow with time and never change, so that a walk from page to page
neither skips nor repeats an event, whatever comes in or changes its status meanwhile.

A page costs about as much for the first event as for the millionth. A status that few deliveries have is
looked up by it; otherwise a page reads so many events at most and says where to go on, even where none of
them was wanted (`Effort`).
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from models import OPEN_STATUSES, Delivery, DeliveryStatus, Event
from models.database import reader
from models.delivery import with_statuses
from models.sql import as_uuid, marks, query
from pingpilot.channels import CHANNELS

_NEWEST = UUID(int=2**128 - 1)
_OPEN = tuple(status.value for status in OPEN_STATUSES)
_FAILED = (DeliveryStatus.FAILED.value,)


class EventStatus(StrEnum):
    """What became of an event so far, derived from its deliveries."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    NO_CHANNEL = "NO_CHANNEL"
    """It has none: no channel could take it when it was accepted, so it is stored and goes nowhere."""


def status_of(deliveries: Collection[Delivery]) -> EventStatus:
    """Return an event's status: pending while any delivery is open, failed if any failed for good."""
    if not deliveries:
        return EventStatus.NO_CHANNEL
    if any(each.status in OPEN_STATUSES for each in deliveries):
        return EventStatus.PENDING
    return EventStatus.FAILED if Delivery.failed_for_good(deliveries) else EventStatus.DELIVERED


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of an account's events are meant; None means all. `before` is the id to go on below."""

    account_id: int
    category: str | None = None
    status: EventStatus | None = None
    before: UUID | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """What one page may cost: a few milliseconds of the database's time.

    `scanned` are the events it looks at, at most. Up to `rare` deliveries, a status is looked up by those
    that have it.
    """

    scanned: int = 5000
    rare: int = 1000


USUAL = Effort()


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """One event with its deliveries in the order they were made."""

    event: Event
    deliveries: list[Delivery]


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first. `next_before` is where the next page begins, None at the end."""

    events: list[ListedEvent]
    next_before: UUID | None


async def list_events(wanted: Wanted, most: int, effort: Effort = USUAL) -> EventPage:
    """Return a page of up to `most` events; it may hold fewer, or none, and not be the last.

    What PingPilot itself had to say (notices) is not among them.
    """
    connection = reader()
    is_rare, floor = False, None
    if wanted.status in (EventStatus.PENDING, EventStatus.FAILED):  # one delivery is enough to know it by
        condition, values = _deliveries_behind(wanted)
        few = f"(SELECT 1 FROM deliveries d WHERE {condition} LIMIT ?) AS few"  # noqa: S608
        rows = await query(connection, f"SELECT COUNT(*) AS count FROM {few}", [*values, effort.rare + 1])  # noqa: S608
        is_rare = rows[0]["count"] <= effort.rare
    if not is_rare:
        own, values = "account_id = ?", list[Any]([wanted.account_id])
        if wanted.category is not None:  # an index has these alone
            own, values = f"{own} AND category = ?", [*values, wanted.category]
        rows = await query(
            connection,
            f"SELECT id FROM events WHERE {own} AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?",  # noqa: S608
            [*values, wanted.before or _NEWEST, effort.scanned - 1],
        )
        floor = as_uuid(rows[0]["id"]) if rows else None  # None: the account's events end before
    ids = await _matching(connection, wanted, floor, most + 1, through_deliveries=is_rare)
    found = await _with_deliveries(connection, ids[:most])
    # A status may have changed since the first look: what is shown is what is true now
    listed = [each for each in found if wanted.status in (None, status_of(each.deliveries))]
    return EventPage(listed, ids[most - 1] if len(ids) > most else floor)


async def _matching(
    connection: BaseDBAsyncClient, wanted: Wanted, floor: UUID | None, most: int, *, through_deliveries: bool
) -> list[UUID]:
    """Return the ids of up to `most` events that are wanted, newest first, those down to `floor`."""
    source, parts = "events e", ["e.account_id = ?", "e.id < ?", "NOT e.notice"]
    values: list[Any] = [wanted.account_id, wanted.before or _NEWEST]
    if floor is not None:
        parts.append("e.id >= ?")
        values.append(floor)
    if wanted.category is not None:
        parts.append("e.category = ?")
        values.append(wanted.category)
    if wanted.status is not None:
        parts.append(_HAVING[wanted.status])
    if through_deliveries:
        behind, behind_values = _deliveries_behind(wanted)
        # CROSS JOIN: SQLite would go through the account's events instead
        source = f"(SELECT DISTINCT d.event_id FROM deliveries d WHERE {behind}) AS c CROSS JOIN events e"  # noqa: S608
        parts.insert(0, "e.id = c.event_id")
        values = [*behind_values, *values]
    condition = " AND ".join(parts)
    rows = await query(
        connection,
        f"SELECT e.id FROM {source} WHERE {condition} ORDER BY e.id DESC LIMIT ?",  # noqa: S608
        [*values, most],
    )
    return [as_uuid(row["id"]) for row in rows]


_ANY = "EXISTS (SELECT 1 FROM deliveries s WHERE s.event_id = e.id)"
_ANY_OPEN = with_statuses("""
EXISTS (SELECT 1 FROM deliveries s WHERE s.event_id = e.id AND s.status IN (:pending, :held, :sending))
""")
_ANY_FAILED_FOR_GOOD = with_statuses("""
EXISTS (
    SELECT 1 FROM deliveries s WHERE s.event_id = e.id AND s.status = :failed AND NOT EXISTS (
        SELECT 1 FROM deliveries r WHERE r.event_id = e.id
        AND (r.stands_in_for = s.id OR (r.id = s.stands_in_for AND r.status = :delivered)
            OR (r.stands_in_for IS NOT NULL AND r.status <> :failed))
    )
)
""")
# As `status_of` has it
_HAVING = {
    EventStatus.PENDING: _ANY_OPEN,
    EventStatus.FAILED: f"{_ANY_FAILED_FOR_GOOD} AND NOT {_ANY_OPEN}",
    EventStatus.DELIVERED: f"{_ANY} AND NOT {_ANY_OPEN} AND NOT {_ANY_FAILED_FOR_GOOD}",
    EventStatus.NO_CHANNEL: f"NOT {_ANY}",
}


def _deliveries_behind(wanted: Wanted) -> tuple[str, list[Any]]:
    """Return the deliveries of which a pending or failed event has one, by the index the queue uses."""
    statuses = _FAILED if wanted.status == EventStatus.FAILED else _OPEN
    channels = list(CHANNELS)
    condition = f"d.channel IN ({marks(channels)}) AND d.status IN ({marks(statuses)}) AND d.account_id = ?"
    return condition, [*channels, *statuses, wanted.account_id]


async def _with_deliveries(connection: BaseDBAsyncClient, ids: list[UUID]) -> list[ListedEvent]:
    if not ids:
        return []
    events = await Event.filter(id__in=ids).using_db(connection).order_by("-id")
    deliveries: defaultdict[UUID, list[Delivery]] = defaultdict(list)
    for each in await Delivery.filter(event_id__in=ids).using_db(connection).order_by("id"):
        deliveries[as_uuid(each.event_id)].append(each)
    return [ListedEvent(event, deliveries[as_uuid(event.id)]) for event in events]
