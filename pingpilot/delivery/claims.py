"""Claims: what a dispatcher is handed, made from the rows of the deliveries it has leased."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from models.sql import Row, as_datetime, as_uuid
from pingpilot.accounts.quiet_hours import QuietHours
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.events import notices

COMBINES_FROM = 4
"""From so many deliveries waiting for one recipient on, they go out as one message."""
_DEFAULT_COLOR = "#7f8c8d"  # of a category that was removed after its event came in
_MOST_NAMED = 10  # categories in the line that counts what is not shown


@dataclass(frozen=True, slots=True)
class Claim:
    """One message to send: the delivery it is about, leased to this daemon, and those that go with it.

    `recipient` is None where its channel can't be used any more, for the `obstacle` given. `hold_until`
    is the end of quiet hours that it has to wait for. `companions` are older deliveries of the same
    account that the message counts instead of showing, each with its event.
    """

    delivery_id: int
    event_id: UUID
    account_id: int
    attempts: int
    notification: Notification
    recipient: Recipient | None
    obstacle: str | None
    hold_until: datetime | None = None
    companions: tuple[tuple[int, UUID], ...] = ()

    @property
    def deliveries(self) -> list[tuple[int, UUID]]:
        """The deliveries that stand or fall with this message, each with its event."""
        return [(self.delivery_id, self.event_id), *self.companions]

    @property
    def delivery_ids(self) -> list[int]:
        """The deliveries that stand or fall with this message."""
        return [delivery_id for delivery_id, _ in self.deliveries]

    def apart(self) -> tuple["Claim", "Claim"]:
        """Return the delivery that the message shows, and the others, as claims of their own."""
        (first_id, first_event), *rest = self.companions
        shown = replace(self, companions=())
        return shown, replace(self, delivery_id=first_id, event_id=first_event, companions=tuple(rest))

    @property
    def event_ids(self) -> set[UUID]:
        """The events of these deliveries."""
        return {event_id for _, event_id in self.deliveries}


def claim_over(rows: Sequence[Row], label: str, now: datetime) -> Claim:
    """Return one message over deliveries of one account, oldest first: it shows the newest in full.

    `label` is what people call the channel.
    """
    *older, row = rows
    quiet_until = None if any(map(_passes, rows)) else _quiet_until(row, now)
    silently = bool(row["quiet_silently"])
    obstacle = _obstacle(row, label)
    return Claim(
        delivery_id=row["id"],
        event_id=as_uuid(row["event_id"]),
        account_id=row["account_id"],
        attempts=row["attempts"],
        companions=tuple((each["id"], as_uuid(each["event_id"])) for each in older),
        notification=_notification(row, older, silent=quiet_until is not None and silently),
        recipient=None if obstacle else Recipient(row["account_id"], row["address"]),
        obstacle=obstacle,
        hold_until=None if silently else quiet_until,
    )


@dataclass(frozen=True, slots=True)
class Company:
    """What goes along with a delivery: all that waits behind it, if that is at least so many (`least`).

    `passes` narrows it to what passes quiet hours, or to what does not; None means both.
    """

    least: int
    passes: bool | None = None

    def takes(self, row: Row) -> bool:
        """Whether a delivery is one of those."""
        return self.passes in (None, bool(row["passes"]))


def company_of(row: Row, now: datetime) -> Company | None:
    """Return what goes along with a delivery, None where it goes alone.

    What has to wait for the end of quiet hours waits together, lest something urgent stand in line behind
    it; meanwhile, what passes is combined with its like. Elsewhere the account decides.
    """
    if _obstacle(row, ""):
        return None
    waits = _quiet_until(row, now) is not None and not row["quiet_silently"]
    if waits and not _passes(row):
        return Company(1, passes=False)
    return Company(COMBINES_FROM - 1, passes=True if waits else None) if row["combine"] else None


def _passes(row: Row) -> bool:
    """Whether a delivery passes quiet hours."""
    return bool(row["urgent"] or row["notice"])


def _quiet_until(row: Row, now: datetime) -> datetime | None:
    muted_until = row["muted_until"]
    hours = QuietHours(
        time_zone=row["time_zone"],
        start=row["quiet_from"],
        end=row["quiet_until"],
        muted_until=as_datetime(muted_until) if muted_until else None,
    )
    return hours.quiet_until(now)


def _notification(row: Row, older: Sequence[Row], *, silent: bool) -> Notification:
    color = notices.COLOR if row["notice"] else row["color"] or _DEFAULT_COLOR
    return Notification(
        event_id=as_uuid(row["event_id"]),
        delivery_id=row["id"],
        category=row["category"],
        emoji=notices.EMOJI if row["notice"] else row["emoji"],
        color=int(color.removeprefix("#"), 16),
        description="\n\n".join([row["description"], *_counted(older)]),
        fields=tuple(json.loads(row["fields_json"]).items()),
        created_at=as_datetime(row["created_at"]),
        silent=silent,
    )


def _counted(older: Sequence[Row]) -> list[str]:
    """Return the line that counts what the message does not show: `37 more: 30 bug, 7 sale`."""
    if not older:
        return []
    counts = Counter(row["category"] for row in older).most_common()
    named = [f"{count:,} {category}" for category, count in counts[:_MOST_NAMED]]
    rest = sum(count for _, count in counts[_MOST_NAMED:])
    return [f"{len(older):,} more: {', '.join([*named, *([f'{rest:,} others'] if rest else [])])}"]


def _obstacle(row: Row, label: str) -> str | None:
    if not row["enabled"]:
        return f"{label} was switched off before this could be sent."
    if not row["address"]:
        return f"{label} was unlinked before this could be sent."
    return row["suspended_reason"] or None
