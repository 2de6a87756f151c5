"""Claims: what a dispatcher is handed, made of the deliveries it has leased."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from models.destination import Obstacle
from pingpilot.channels import CHANNELS, direct_channels
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.due import DueDelivery

COMBINES_FROM = 4
"""From so many deliveries waiting for one recipient on, they go out as one message."""
_MOST_NAMED = 10  # categories in the line that counts what is not shown


@dataclass(frozen=True, slots=True)
class Claim:
    """One message to send: the delivery it is about, leased to this daemon, and those that go with it.

    `leased_by` is the name that their leases carry: an outcome is written while they still do.
    `recipient` is None where its destination can't be used any more, for the `obstacle` given. `hold_until`
    is the end of quiet hours that it has to wait for. `companions` are older deliveries to the same
    destination that the message counts instead of showing, each with its event.
    """

    delivery_id: int
    event_id: UUID
    account_id: int
    channel: str
    lane: int
    destination: str
    attempts: int
    notification: Notification
    recipient: Recipient | None
    obstacle: str | None
    leased_by: str
    hold_until: datetime | None = None
    companions: tuple[tuple[int, UUID], ...] = ()

    @property
    def deliveries(self) -> list[tuple[int, UUID]]:
        """The deliveries whose fate this message shares, each with its event."""
        return [(self.delivery_id, self.event_id), *self.companions]

    @property
    def delivery_ids(self) -> list[int]:
        """The deliveries whose fate this message shares."""
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


@dataclass(frozen=True, slots=True)
class Companion:
    """As much of a delivery as a message needs that counts it instead of showing it."""

    id: int
    event_id: UUID
    category: str
    passes_quiet_hours: bool


def claim_over(
    shown: DueDelivery, older: Sequence[DueDelivery | Companion], now: datetime, *, leased_by: str
) -> Claim:
    """Return one message over deliveries to one destination: it shows the newest in full, and counts those
    that are `older`, the oldest first.
    """
    label = CHANNELS[shown.channel].label
    label = label if shown.destination in direct_channels() else f"The destination '{shown.destination}'"
    obstacle = shown.suspended_reason
    if shown.obstacle is Obstacle.OFF:
        obstacle = f"{label} was switched off before this could be sent."
    elif shown.obstacle is Obstacle.REMOVED:
        obstacle = f"{label} was removed before this could be sent."
    elif shown.obstacle is Obstacle.UNLINKED:
        obstacle = f"{label} was unlinked before this could be sent."
    passes = any(each.passes_quiet_hours for each in (*older, shown))
    quiet_until = None if passes else shown.quiet_hours.quiet_until(now)
    silently = shown.quiet_hours.silently
    return Claim(
        delivery_id=shown.id,
        event_id=shown.event_id,
        account_id=shown.account_id,
        channel=shown.channel,
        lane=shown.lane,
        destination=shown.destination,
        attempts=shown.attempts,
        companions=tuple((each.id, each.event_id) for each in older),
        notification=Notification(
            event_id=shown.event_id,
            delivery_id=shown.id,
            category=shown.category,
            emoji=shown.emoji,
            color=shown.color,
            description="\n\n".join([shown.description, *_counted(older)]),
            fields=shown.fields,
            created_at=shown.created_at,
            silent=quiet_until is not None and silently,
            headline=shown.title,
            url=shown.url,
            time_zone=shown.quiet_hours.time_zone,
        ),
        recipient=shown.recipient,
        obstacle=obstacle,
        leased_by=leased_by,
        hold_until=None if silently else quiet_until,
    )


def _counted(older: Sequence[DueDelivery | Companion]) -> list[str]:
    """Return the line that counts what the message does not show: `37 more: 30 bug, 7 sale`."""
    if not older:
        return []
    counts = Counter(each.category for each in older).most_common()
    named = [f"{count:,} {category}" for category, count in counts[:_MOST_NAMED]]
    if rest := sum(count for _, count in counts[_MOST_NAMED:]):
        named.append(f"{rest:,} others")
    return [f"{len(older):,} more: {', '.join(named)}"]


@dataclass(frozen=True, slots=True)
class Companions:
    """What goes along with a delivery: all that waits behind it, if that is at least so many (`least`).

    `passing` narrows it to what passes quiet hours, or to what does not; None means both.
    """

    least: int
    passing: bool | None = None


def companions_wanted(due: DueDelivery, now: datetime) -> Companions | None:
    """Return what goes along with a delivery, None where it goes alone.

    What has to wait for the end of quiet hours waits together, lest something urgent queue up behind
    it; meanwhile, what passes is combined with its like. Elsewhere the account decides.
    """
    if due.obstacle or not due.is_followed:
        return None
    waits = due.quiet_hours.quiet_until(now) is not None and not due.quiet_hours.silently
    if waits and not due.passes_quiet_hours:
        return Companions(1, passing=False)
    return Companions(COMBINES_FROM - 1, passing=True if waits else None) if due.combine else None
