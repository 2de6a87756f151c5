"""Deliveries that are due, each with all that is needed to send it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.api_key import latest_expiry
from models.database import connection
from models.destination import DestinationKind, Obstacle, obstacle_to
from models.sql import Row, as_datetime, as_uuid, marks, query
from pingpilot.accounts.quiet_hours import QuietHours
from pingpilot.channels import CHANNELS
from pingpilot.delivery.channel import FieldValue, Recipient
from pingpilot.events import notices

DEFAULT_COLOR = 0x7F8C8D
"""Of a category that was removed after its event came in."""
_DUE = """
SELECT d.id, d.event_id, d.account_id, d.channel, d.destination, d.attempts - d.forgiven AS attempts,
       e.category, e.title, e.url, e.description, e.fields_json, e.notice, e.created_at,
       c.color, c.emoji, c.urgent, a.time_zone, a.combine, a.suspended_at,
       dest.kind, dest.enabled, dest.address, dest.topic, dest.suspended_reason,
       dest.quiet_from, dest.quiet_until, dest.quiet_silently, dest.muted_until, dest.mention,
       dest.secret, dest.former_secret, dest.former_secret_until
FROM deliveries d
JOIN events e ON e.id = d.event_id
JOIN accounts a ON a.id = d.account_id
LEFT JOIN categories c ON c.account_id = d.account_id AND c.name = e.category
LEFT JOIN destinations dest ON dest.account_id = d.account_id AND dest.name = d.destination
     AND dest.channel = d.channel
WHERE d.id IN ({ids}) ORDER BY d.id
"""


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """One delivery with its event, and its account's choices as they are now.

    `attempts` are those of the present round. `color` is 0xRRGGBB. `recipient` is None where its
    destination can't be used, for the `obstacle` given, which has a reason of its own where it is a
    suspension.
    """

    id: int
    event_id: UUID
    account_id: int
    destination: str
    attempts: int
    category: str
    emoji: str | None
    color: int
    title: str | None
    url: str | None
    description: str
    fields: tuple[tuple[str, FieldValue], ...]
    created_at: datetime
    passes_quiet_hours: bool
    quiet_hours: QuietHours
    combine: bool
    recipient: Recipient | None
    obstacle: Obstacle | None
    suspended_reason: str | None

    @property
    def place(self) -> tuple[int, str]:
        """Which destination it goes to: its account and its name."""
        return self.account_id, self.destination


async def read_due(ids: Sequence[int], now: datetime) -> list[DueDelivery]:
    """Return the deliveries of these ids that exist, oldest first."""
    return [_due_delivery(row, now) for row in await query(connection(), _DUE.format(ids=marks(ids)), ids)]


def quiet_hours_of(row: Row) -> QuietHours:
    """Return the quiet hours of a destination, from a row that has their columns and its account's."""
    is_suspended = row["suspended_at"] is not None
    return QuietHours(
        time_zone=row["time_zone"],
        start=row["quiet_from"],
        end=row["quiet_until"],
        silently=bool(row["quiet_silently"]) and not is_suspended,
        muted_until=as_datetime(row["muted_until"]) if row["muted_until"] else None,
        is_suspended=is_suspended,
    )


def color_of(category_color: str | None) -> int:
    """Return the colour of a category's messages (0xRRGGBB), by its own: `#RRGGBB`, None once it is gone."""
    return int(category_color.removeprefix("#"), 16) if category_color else DEFAULT_COLOR


def _due_delivery(row: Row, now: datetime) -> DueDelivery:
    color = notices.COLOR if row["notice"] else color_of(row["color"])
    # A direct destination that is not there yet is off
    enabled, address, suspended_reason = bool(row["enabled"]), row["address"], row["suspended_reason"]
    obstacle = obstacle_to(enabled=enabled, address=address, suspended_reason=suspended_reason)
    if row["kind"] is None and row["destination"] not in CHANNELS:
        obstacle = Obstacle.REMOVED
    return DueDelivery(
        id=row["id"],
        event_id=as_uuid(row["event_id"]),
        account_id=row["account_id"],
        destination=row["destination"],
        attempts=row["attempts"],
        category=row["category"],
        emoji=notices.EMOJI if row["notice"] else row["emoji"],
        color=color,
        title=row["title"],
        url=row["url"],
        description=row["description"],
        fields=tuple(json.loads(row["fields_json"]).items()),
        created_at=as_datetime(row["created_at"]),
        passes_quiet_hours=bool(row["urgent"] or row["notice"]) and row["suspended_at"] is None,
        quiet_hours=quiet_hours_of(row),
        combine=bool(row["combine"]) and CHANNELS[row["channel"]].combines,
        recipient=None if obstacle else _recipient(row, now),
        obstacle=obstacle,
        suspended_reason=suspended_reason,
    )


def _recipient(row: Row, now: datetime) -> Recipient:
    secrets = [row["secret"]] if row["secret"] else []
    until = as_datetime(row["former_secret_until"]) if row["former_secret_until"] else None
    if row["former_secret"] and until and now < until <= latest_expiry(now):
        secrets.append(row["former_secret"])
    return Recipient(
        row["account_id"],
        row["address"],
        destination=row["destination"],
        kind=DestinationKind(row["kind"]),
        topic=row["topic"],
        mention=row["mention"],
        secrets=tuple(secrets),
    )
