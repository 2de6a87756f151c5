"""An account's events as its owner looks back on them: page by page, newest first.

The order is that of the ids, which grow with time and never change, so that a walk from page to page
neither skips nor repeats an event, whatever comes in or changes its status meanwhile.

A page costs about as much for the first event as for the millionth. Each of the things that may be asked
for (a category, a destination, what failed, a time) is a range of an index, and of those asked for at once
the one that reaches furthest is read. It reads so many events at most and says where to go on, even
where none of them was wanted (`Effort`).
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from time import monotonic
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from models import OPEN_STATUSES, Delivery, DeliveryStatus, Event
from models.database import reader
from models.delivery import select_with_statuses, with_statuses
from models.ids import first_id_at, made_at, next_to
from models.sql import as_uuid, marks, query
from pingpilot.channels import CHANNELS
from pingpilot.events.searching import text_condition

_NEWEST, _OLDEST = UUID(int=2**128 - 1), UUID(int=0)


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
    """Which of an account's events are meant; None means all.

    `before` is the id to go on below, `after` one to go on above, towards what is newer. With a
    `destination`, the `status` is that of the delivery there. `text` stands in the title, the description or
    the fields, in any case. They came at `since` or later, and before `until`.
    """

    account_id: int
    category: str | None = None
    status: EventStatus | None = None
    before: UUID | None = None
    destination: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: UUID | None = None

    @property
    def order(self) -> str:
        """In which order the ids are read."""
        return "ASC" if self.after else "DESC"

    def ids(self) -> tuple[UUID, UUID]:
        """Return the range of the ids: its first, and the one it ends before."""
        firsts = [first_id_at(self.since)] if self.since else []
        ends = [first_id_at(self.until)] if self.until else []
        return max([*firsts, next_to(self.after, 1) if self.after else _OLDEST]), min(
            [*ends, self.before or _NEWEST]
        )

    def beyond(self, last: UUID) -> "Wanted":
        """Return what is wanted beyond the last event that was looked at."""
        return replace(self, after=last) if self.after else replace(self, before=last)


@dataclass(frozen=True, slots=True)
class Effort:
    """What one page may cost: a few milliseconds of the database's time.

    `scanned` are the events it looks at, at most. Up to `rare` open deliveries, what is pending is looked up
    by them. A text is looked for in `searched` events, so many `at_once`, while less than `patience` has
    passed: an event may have sixty bytes or sixty thousand.
    """

    scanned: int = 5000
    rare: int = 1000
    searched: int = 20_000
    at_once: int = 1000
    patience: timedelta = timedelta(milliseconds=250)


USUAL = Effort()


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """One event with its deliveries in the order they were made."""

    event: Event
    deliveries: list[Delivery]


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first. `next_before` is where the next page begins, None at the end.

    Of a page towards what is newer, that is `next_after`. `looked_at` is given where the page ends since it
    has looked at that many events, and `looked_up_to` is when the last of them came.
    """

    events: list[ListedEvent]
    next_before: UUID | None
    next_after: UUID | None = None
    looked_at: int | None = None
    looked_up_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Range:
    """Where candidates come from: a table, the column that has their ids, and which of its rows."""

    table: str
    id: str
    condition: str
    values: tuple[Any, ...]


async def list_events(wanted: Wanted, most: int, effort: Effort = USUAL) -> EventPage:
    """Return a page of up to `most` events; it may hold fewer, or none, and not be the last.

    What PingPilot itself had to say (notices) is not among them.
    """
    if wanted.destination is not None and wanted.status is EventStatus.NO_CHANNEL:
        return EventPage([], None)  # what went nowhere went to no destination
    connection = reader()
    ends = monotonic() + effort.patience.total_seconds()
    scanned = effort.at_once if wanted.text else effort.scanned
    ids, rest, looked_at = list[UUID](), wanted, 0
    while True:
        candidates, last = await _furthest(connection, rest, scanned, effort.rare)
        ids += await _matching(connection, rest, candidates, last, most + 1 - len(ids))
        looked_at += scanned
        is_over = not wanted.text or looked_at >= effort.searched or monotonic() >= ends
        if len(ids) > most or last is None or is_over:
            break
        rest = rest.beyond(last)
    found = await _with_deliveries(connection, ids[:most])
    # A status may have changed since the first look: what is shown is what is true now
    listed = [each for each in found if _is_still(wanted, each.deliveries)]
    end = ids[most - 1] if len(ids) > most else last
    before, after = (None, end) if wanted.after else (end, None)
    if len(ids) > most or last is None:
        return EventPage(listed, before, after)
    return EventPage(listed, before, after, looked_at, made_at(last))


async def _furthest(
    connection: BaseDBAsyncClient, wanted: Wanted, scanned: int, rare: int
) -> tuple[_Range, UUID | None]:
    """Return the range that reaches furthest, and the id of its last event to look at, None where it ends."""
    account, (first, end) = wanted.account_id, wanted.ids()
    if wanted.status is EventStatus.PENDING:  # hardly ever many
        open_events = await _open_events(connection, wanted, rare + 1)
        if len(open_events) <= rare:
            own = f"e.id IN ({marks(open_events)})" if open_events else "1 = 0"
            return _Range("events e", "e.id", own, tuple(open_events)), None
    ranges = list[_Range]()
    if wanted.status is EventStatus.FAILED:
        own = with_statuses("d.account_id = ? AND d.status = :failed")
        ranges.append(_Range("deliveries d", "d.event_id", own, (account,)))
    if wanted.status is EventStatus.NO_CHANNEL:
        ranges.append(_Range("events e", "e.id", "e.account_id = ? AND e.goes_nowhere", (account,)))
    if wanted.category is not None:
        own = "e.account_id = ? AND e.category = ?"
        ranges.append(_Range("events e", "e.id", own, (account, wanted.category)))
    if wanted.destination is not None:
        own = "d.account_id = ? AND d.destination = ?"
        ranges.append(_Range("deliveries d", "d.event_id", own, (account, wanted.destination)))
    if not ranges:
        ranges.append(_Range("events e", "e.id", "e.account_id = ?", (account,)))
    if len(ranges) == 1 and wanted.status is None and not wanted.text:
        return ranges[0], None  # nearly all of it is wanted: a page is full soon
    reached = list[tuple[UUID, _Range]]()
    for each in ranges:
        rows = await query(
            connection,
            f"SELECT {each.id} AS id FROM {each.table} WHERE {each.condition} "  # noqa: S608
            f"AND {each.id} < ? AND {each.id} >= ? ORDER BY {each.id} {wanted.order} LIMIT 2 OFFSET ?",
            [*each.values, end, first, scanned - 1],
        )
        if len(rows) < 2:  # noqa: PLR2004  # nothing is left
            return each, None
        reached.append((as_uuid(rows[0]["id"]), each))
    last, furthest = (max if wanted.after else min)(reached, key=lambda each: each[0])
    return furthest, last


async def _matching(
    connection: BaseDBAsyncClient, wanted: Wanted, candidates: _Range, last: UUID | None, most: int
) -> list[UUID]:
    """Return the ids of up to `most` events that are wanted, in order, those up to the `last` to look at."""
    first, end = wanted.ids()
    if last is not None:
        first, end = (first, next_to(last, 1)) if wanted.after else (last, end)
    source, parts = candidates.table, [candidates.condition, f"{candidates.id} < ? AND {candidates.id} >= ?"]
    values: list[Any] = [*candidates.values, end, first]
    if source != "events e":  # CROSS JOIN: SQLite would go through the account's events instead
        source += " CROSS JOIN events e"
        parts.append("e.id = d.event_id")
    parts.append("e.account_id = ? AND NOT e.notice")
    values.append(wanted.account_id)
    if wanted.category is not None:
        parts.append("e.category = ?")
        values.append(wanted.category)
    if wanted.destination is not None:
        if candidates.table == "deliveries d":  # the one that is asked for is among them
            parts.append(f"d.destination = ? AND d.status IN ({_AT_ONE_SQL[wanted.status]})")
        else:
            parts.append(_THERE[wanted.status])
        values.append(wanted.destination)
    elif wanted.status is not None:
        parts.append(_HAVING[wanted.status])
    if wanted.text:
        condition, texts = text_condition(connection, wanted.text)
        parts.append(condition)
        values += texts
    rows = await query(  # DISTINCT: an event may have two deliveries
        connection,
        f"SELECT DISTINCT {candidates.id} AS id FROM {source} WHERE {' AND '.join(parts)} "  # noqa: S608
        f"ORDER BY {candidates.id} {wanted.order} LIMIT ?",
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
_AT_ONE = {
    None: frozenset(DeliveryStatus),
    EventStatus.PENDING: frozenset(OPEN_STATUSES),
    EventStatus.FAILED: frozenset({DeliveryStatus.FAILED}),
    EventStatus.DELIVERED: frozenset({DeliveryStatus.DELIVERED}),
}
"""What a delivery to the destination that is asked for may be."""
_AT_ONE_SQL = {
    status: ", ".join(f"'{each.value}'" for each in sorted(statuses)) for status, statuses in _AT_ONE.items()
}
_THERE = {
    status: "EXISTS (SELECT 1 FROM deliveries s WHERE s.event_id = e.id AND s.destination = ? "  # noqa: S608
    f"AND s.status IN ({statuses}))"
    for status, statuses in _AT_ONE_SQL.items()
}


def _is_still(wanted: Wanted, deliveries: Collection[Delivery]) -> bool:
    if wanted.destination is None:
        return wanted.status in (None, status_of(deliveries))
    return any(
        each.destination == wanted.destination and each.status in _AT_ONE[wanted.status]
        for each in deliveries
    )


async def _open_events(connection: BaseDBAsyncClient, wanted: Wanted, most: int) -> list[UUID]:
    """Return the events of up to so many open deliveries, by the indexes the queue uses; some twice."""
    channels = list(CHANNELS)  # the indexes begin with them
    own = f"account_id = ? AND channel IN ({marks(channels)})"
    found = select_with_statuses("event_id", OPEN_STATUSES, own)
    values = [wanted.account_id, *channels] * len(OPEN_STATUSES)
    rows = await query(connection, f"{found} LIMIT ?", [*values, most])
    return [as_uuid(row["event_id"]) for row in rows]


async def _with_deliveries(connection: BaseDBAsyncClient, ids: list[UUID]) -> list[ListedEvent]:
    if not ids:
        return []
    events = await Event.filter(id__in=ids).using_db(connection).order_by("-id")
    deliveries: defaultdict[UUID, list[Delivery]] = defaultdict(list)
    for each in await Delivery.filter(event_id__in=ids).using_db(connection).order_by("id"):
        deliveries[as_uuid(each.event_id)].append(each)
    return [ListedEvent(event, deliveries[as_uuid(event.id)]) for event in events]
