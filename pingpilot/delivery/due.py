"""Deliveries that are due, each with all that is needed to send it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.api_key import latest_expiry
from models.delivery import with_statuses
from models.destination import DestinationKind, Obstacle, obstacle_to
from models.sql import Row, as_datetime, as_uuid
from models.work import Ask, Work
from pingpilot.accounts.quiet_hours import QuietHours
from pingpilot.channels import CHANNELS
from pingpilot.delivery.channel import FieldValue, Recipient
from pingpilot.events import notices

DEFAULT_COLOR = 0x7F8C8D
"""Of a category that was removed after its event came in."""
Place = tuple[str, int, str]
"""A destination: its channel, its account and its name."""
Way = tuple[str, int]
"""By which bot it goes: its channel and the bot's lane."""
_DUE = with_statuses("""
SELECT d.id, d.event_id, d.account_id, d.channel, d.lane, d.destination, d.attempts, d.forgiven, d.last_error,
       d.next_attempt_at,
       e.category, e.title, e.url, e.description, e.fields_json, e.notice, e.created_at,
       c.color, c.emoji, c.urgent, a.time_zone, a.combine, a.suspended_at,
       dest.lane AS lane_of_destination,
       dest.kind, dest.enabled, dest.address, dest.topic, dest.suspended_reason,
       dest.quiet_from, dest.quiet_until, dest.quiet_silently, dest.muted_until, dest.mention,
       dest.secret, dest.former_secret, dest.former_secret_until,
       EXISTS (
           SELECT 1 FROM deliveries w WHERE w.channel = d.channel AND w.lane = d.lane AND w.status = :pending
               AND w.account_id = d.account_id AND w.destination = d.destination AND w.id <> d.id
       ) AS is_followed
FROM deliveries d
JOIN events e ON e.id = d.event_id
JOIN accounts a ON a.id = d.account_id
LEFT JOIN categories c ON c.account_id = d.account_id AND c.name = e.category
LEFT JOIN destinations dest ON dest.account_id = d.account_id AND dest.name = d.destination
     AND dest.channel = d.channel
WHERE d.id = ANY(?) {pending} ORDER BY d.id {lock}
""")
_READ = _DUE.format(pending="", lock="")
# Of the rows, lest they are leased twice, and of their destinations, lest two daemons lease two rows of one.
# The latter are in memory alone and go with the transaction.
_LOCKED = """AND d.status = :pending AND pg_try_advisory_xact_lock(
    hashtextextended(d.channel || ' ' || d.account_id || ' ' || d.destination, 0)
)"""
_LOCK = with_statuses(_DUE.format(pending=_LOCKED, lock="FOR UPDATE OF d SKIP LOCKED"))


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """One delivery with its event, and its account's choices as they are now.

    `attempts` are those of the present round, `forgiven` those before it; one that `is_new` was never tried.
    `lane` is that of the bot which is to send it, `lane_of_destination` of the one that can; the same where
    nobody can. `color` is 0xRRGGBB. `recipient` is None where its destination can't be used, for the
    `obstacle` given, which has a reason of its own where it is a suspension. `is_followed` tells whether
    others wait for the same destination.
    """

    id: int
    event_id: UUID
    account_id: int
    channel: str
    lane: int
    lane_of_destination: int
    destination: str
    attempts: int
    forgiven: int
    is_new: bool
    next_attempt_at: datetime
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
    is_followed: bool

    @property
    def place(self) -> Place:
        """Which destination it goes to."""
        return self.channel, self.account_id, self.destination

    @property
    def way(self) -> Way:
        """By which bot it goes."""
        return self.channel, self.lane


def read_due(ids: Sequence[int], now: datetime, *, locks: bool = False) -> Work[list[DueDelivery]]:
    """Return the deliveries of these ids, oldest first.

    With `locks` those that are still pending, and whose destination no other daemon is just about to serve.
    """
    return [_due_delivery(row, now) for row in (yield Ask(_LOCK if locks else _READ, [list(ids)]))]


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
        channel=row["channel"],
        lane=row["lane"],
        lane_of_destination=row["lane"] if obstacle else row["lane_of_destination"],
        destination=row["destination"],
        attempts=row["attempts"] - row["forgiven"],
        forgiven=row["forgiven"],
        is_new=row["attempts"] == 0 and row["last_error"] is None,
        next_attempt_at=as_datetime(row["next_attempt_at"]),
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
        is_followed=bool(row["is_followed"]),
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
