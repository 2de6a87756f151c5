"""Deliveries as their owner sees them: what failed, and trying it again by hand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from models import OPEN_STATUSES, Delivery, DeliveryStatus
from models.database import connection, unit_of_work
from models.delivery import OF_DESTINATION, select_with_statuses, with_statuses
from models.sql import as_datetime, as_uuid, marks, query

MOST_LISTED = 500
_TRY_AGAIN = with_statuses("""
UPDATE deliveries SET status = :pending, next_attempt_at = ?, forgiven = attempts, lane = COALESCE(
    (SELECT dest.lane FROM destinations dest
     WHERE dest.account_id = deliveries.account_id AND dest.name = deliveries.destination), lane
)
WHERE id IN (SELECT d.id FROM deliveries d WHERE {condition}) RETURNING channel
""")


_AHEAD = f"{OF_DESTINATION} AND id < ? AND last_error IS NOT NULL"
_TROUBLE_AHEAD = f"""
SELECT last_error FROM ({select_with_statuses("id, last_error", OPEN_STATUSES, _AHEAD)}) AS ahead
ORDER BY id LIMIT 1
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """One delivery with what its event was about. `last_error` is the reason of the last failed attempt."""

    id: int
    event_id: UUID
    category: str
    title: str | None
    description: str
    channel: str
    destination: str
    status: str
    attempts: int
    last_error: str | None
    created_at: datetime

    @property
    def summary(self) -> str:
        """What the event said, its title first where it has one."""
        return f"{self.title}: {self.description}" if self.title else self.description


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries are meant; None and an empty sequence mean all."""

    account_id: int | None = None
    status: str | None = None
    channel: str | None = None
    destination: str | None = None
    event_id: UUID | None = None
    delivery_ids: Sequence[int] = ()

    @property
    def is_whole_account(self) -> bool:
        """Whether nothing but an account, and perhaps a channel, is asked for."""
        others = (self.status, self.destination, self.event_id, self.delivery_ids)
        return self.account_id is not None and not any(others)

    def condition(self) -> tuple[str, list[Any]]:
        """Return the selection as SQL over `deliveries d`, and its values."""
        wanted: dict[str, Any] = {
            "d.account_id": self.account_id,
            "d.channel": self.channel,
            "d.destination": self.destination,
            "d.event_id": self.event_id,
        }
        wanted = {column: value for column, value in wanted.items() if value is not None}
        parts, values = [f"{column} = ?" for column in wanted], list(wanted.values())
        if self.delivery_ids:
            parts.append(f"d.id IN ({marks(self.delivery_ids)})")
            values += self.delivery_ids
        if self.status:  # written out: an index holds what failed, and nothing else
            parts.append(f"d.status = '{DeliveryStatus(self.status).value}'")
        return " AND ".join(parts) or "1 = 1", values


async def list_deliveries(selection: Selection, *, most: int = MOST_LISTED) -> list[DeliveryReport]:
    """Return the selected deliveries, those of the newest event first."""
    condition, values = selection.condition()
    source, order = "deliveries d JOIN events e ON e.id = d.event_id", "d.event_id DESC, d.id DESC"
    if selection.is_whole_account:  # no index has its deliveries in order, but one has its events
        source, order = "events e CROSS JOIN deliveries d", "e.id DESC, d.id DESC"
        condition, values = replace(selection, account_id=None).condition()
        condition = f"e.account_id = ? AND d.event_id = e.id AND {condition}"
        values = [selection.account_id, *values]
    rows = await query(
        connection(),
        "SELECT d.id, d.event_id, d.channel, d.destination, d.status, d.attempts, d.last_error, "  # noqa: S608
        "e.category, e.title, e.description, e.created_at "
        f"FROM {source} WHERE {condition} ORDER BY {order} LIMIT ?",
        [*values, most],
    )
    return [
        DeliveryReport(
            id=row["id"],
            event_id=as_uuid(row["event_id"]),
            category=row["category"],
            title=row["title"],
            description=row["description"],
            channel=row["channel"],
            destination=row["destination"],
            status=row["status"],
            attempts=row["attempts"],
            last_error=row["last_error"],
            created_at=as_datetime(row["created_at"]),
        )
        for row in rows
    ]


async def count_deliveries(selection: Selection) -> int:
    """Return how many deliveries are selected."""
    condition, values = selection.condition()
    [row] = await query(
        connection(),
        f"SELECT COUNT(*) AS total FROM deliveries d WHERE {condition}",  # noqa: S608
        values,
    )
    return int(row["total"])


@unit_of_work
async def retry_deliveries(selection: Selection, now: datetime) -> Counter[str]:
    """Put the selected deliveries that failed back in the queue, each with a whole round of attempts.

    Returns how many of each channel; none where nothing selected had failed. The history of attempts
    stays.
    """
    condition, values = replace(selection, status=DeliveryStatus.FAILED).condition()
    rows = await query(
        connection(),
        _TRY_AGAIN.format(condition=condition),
        [now, *values],
    )
    return Counter(row["channel"] for row in rows)


async def trouble_of(delivery: Delivery) -> str | None:
    """Return why a delivery that waits did not arrive yet, where that is known.

    That is its own last error, or that of an earlier one, behind which it waits.
    """
    if delivery.last_error:
        return delivery.last_error
    own = [delivery.channel, delivery.lane, delivery.account_id, delivery.destination, delivery.id]
    first = await query(connection(), _TROUBLE_AHEAD, own * len(OPEN_STATUSES))
    return f"it waits behind an earlier message. {first[0]['last_error']}" if first else None
