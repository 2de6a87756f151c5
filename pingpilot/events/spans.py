"""The events of one category in a span of time: the latest of them, or all, a little at a time.

Ids grow with time, so a span is a range of the index that has account, category and id.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.database import aside, reader
from models.ids import first_id_at
from models.sql import Row, as_datetime, as_uuid, query

PAGE = 200
"""Events read at once for a download: some milliseconds of the database's time, and of ours."""
_NEWEST = UUID(int=2**128 - 1)
_OLDEST = UUID(int=0)

_EVENTS = """
SELECT id, created_at, title, url, description, fields_json FROM events
WHERE account_id = ? AND category = ? AND id > ? AND id < ? AND NOT notice ORDER BY id {order} LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Span:
    """The events of an account's category from an instant on and before another; None is open."""

    account_id: int
    category: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SpannedEvent:
    """What one event said. `fields` are in the sender's order."""

    id: UUID
    at: datetime
    title: str | None
    url: str | None
    description: str
    fields: dict[str, Any]


async def latest_in(span: Span, most: int, before: UUID | None = None) -> list[SpannedEvent]:
    """Return the span's latest events, newest first: up to `most`, those before an id."""
    first, after = _bounds(span)
    values = [span.account_id, span.category, first, min(before or after, after), most]
    return [_event(row) for row in await query(reader(), _EVENTS.format(order="DESC"), values)]


async def all_in(span: Span) -> AsyncIterator[list[SpannedEvent]]:
    """Yield all events of the span, oldest first, `PAGE` at a time."""
    last, after = _bounds(span)
    sql = _EVENTS.format(order="ASC")
    while rows := await query(aside(), sql, [span.account_id, span.category, last, after, PAGE]):
        page = [_event(row) for row in rows]
        yield page
        last = page[-1].id


def _bounds(span: Span) -> tuple[UUID, UUID]:
    """Return the ids that all of the span's are between."""
    return (
        first_id_at(span.since) if span.since else _OLDEST,
        first_id_at(span.until) if span.until else _NEWEST,
    )


def _event(row: Row) -> SpannedEvent:
    return SpannedEvent(
        as_uuid(row["id"]),
        as_datetime(row["created_at"]),
        row["title"],
        row["url"],
        row["description"],
        json.loads(row["fields_json"]),
    )
