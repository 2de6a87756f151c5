"""What is said of a destination and of a delivery, in words and as a small square."""

from dataclasses import dataclass
from datetime import datetime

from models import Delivery, DeliveryStatus, Destination
from models.destination import DestinationKind, Obstacle, obstacle_to
from pingpilot.accounts.destinations import label_of
from pingpilot.accounts.quiet_hours import end_of_mute
from pingpilot.channels import CHANNELS
from pingpilot.telemetry.health import Health, State


@dataclass(frozen=True, slots=True)
class Square:
    """A delivery in a list: a letter, how it stands (`good`, `waiting`, `bad`), and that in words."""

    letter: str
    tone: str
    words: str


_TONES = {DeliveryStatus.DELIVERED: "good", DeliveryStatus.FAILED: "bad"}
_WORDS = {
    DeliveryStatus.PENDING: "waiting to be sent",
    DeliveryStatus.SENDING: "being sent",
    DeliveryStatus.HELD: "held until quiet hours end",
    DeliveryStatus.DELIVERED: "delivered",
    DeliveryStatus.FAILED: "failed",
}


def square(delivery: Delivery) -> Square:
    """Return a delivery as it stands in a list."""
    status = DeliveryStatus(delivery.status)
    words = f"{label_of(delivery.destination or delivery.channel)}: {_WORDS[status]}"
    if status is DeliveryStatus.FAILED and delivery.last_error:
        words += f". {delivery.last_error}"
    return Square(CHANNELS[delivery.channel].label[0], _TONES.get(status, "waiting"), words)


@dataclass(frozen=True, slots=True)
class DeliveryWords:
    """A delivery on its event's page: where it goes, how it stands, and in which tone that is said."""

    label: str
    state: str
    tone: str


def delivery_words(delivery: Delivery) -> DeliveryWords:
    status, channel = DeliveryStatus(delivery.status), CHANNELS[delivery.channel].label
    own = delivery.destination
    label = f"{channel} · {own}" if own and own != delivery.channel else channel
    if delivery.fallback_for is not None:
        label += " (fallback)"
    return DeliveryWords(label, _WORDS[status], _TONES.get(status, "waiting"))


@dataclass(frozen=True, slots=True)
class DestinationState:
    """A destination: its name, what it is called, how it stands, and what its owner can do."""

    name: str
    label: str
    tone: str
    words: str
    advice: str = ""


_END_OF_SUSPENSION = {
    DestinationKind.DIRECT: "link it again, or switch it on",
    DestinationKind.ROOM: "let the bot write there, then switch it on",
    DestinationKind.TOPIC: "let the bot write there, then switch it on",
    DestinationKind.MAILBOX: "mend the mailbox, then switch it on",
    DestinationKind.WEBHOOK: "mend the receiver, then switch it on",
}


def state_of(row: Destination, health: Health, now: datetime) -> DestinationState:
    """Return how a destination stands, worst first."""
    kind = CHANNELS[row.channel]
    label = kind.label if row.kind == DestinationKind.DIRECT else f"{kind.label} · {row.name}"
    if row.kind == DestinationKind.DIRECT and row.username:
        label += f" · @{row.username}"
    part = health.parts.get(row.channel)
    obstacle = obstacle_to(enabled=row.enabled, address=row.address, suspended_reason=row.suspended_reason)
    if obstacle is Obstacle.OFF:
        tone, words, advice = "off", "off", ""
    elif obstacle is Obstacle.UNLINKED and row.kind == DestinationKind.MAILBOX:
        tone, words, advice = "waiting", "not confirmed", "open the link in its mail"
    elif obstacle is Obstacle.UNLINKED:  # `pingpilot.accounts.callers` refuses them
        tone, words, advice = "bad", "not linked, so events are refused", "link it or switch it off"
    elif obstacle is not None:
        tone, words, advice = (
            "bad",
            row.suspended_reason or "suspended",
            _END_OF_SUSPENSION[DestinationKind(row.kind)],
        )
    elif part is not None and part.state is State.OFF:
        tone, words, advice = "waiting", "this server is not set up for it", ""
    elif part is not None and part.state in (State.RETRYING, State.PAUSED):  # why is the operator's affair
        tone, words, advice = "waiting", "away at the moment; what comes waits for it", ""
    elif end_of_mute(row.muted_until, now):
        tone, words, advice = "waiting", "muted", ""
    else:
        tone, words, advice = "good", "delivering", ""
    return DestinationState(row.name, label, tone, words, advice)
