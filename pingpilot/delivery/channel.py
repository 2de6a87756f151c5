"""What the engine and a channel say to each other: a notification and a recipient."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from models.destination import DestinationKind

FieldValue = str | int | float | bool

_SMALLEST_PLAIN, _LARGEST_PLAIN = Decimal("1e-15"), Decimal("1e21")
"""The amounts between which numbers are written without an exponent; JavaScript, too, has it from 1e21 on."""


NO_ACCOUNT = 0
"""The account of somebody who has none yet, and so nothing to unsubscribe from."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One event as a person shall see it, before any platform's form.

    `headline` is the sender's own title, `url` where the title leads, as they were sent; None where there
    is none. `color` is 0xRRGGBB; `fields` keep the sender's order; `created_at` is aware UTC, `time_zone` the
    account's; `silent` asks for a message without a sound, where the platform can. Equal `event_id` and
    `delivery_id` mean the same message: a channel derives from them whatever lets its platform drop a
    repeat (Discord's nonce, an e-mail's Message-ID).
    """

    event_id: UUID
    delivery_id: int
    category: str
    emoji: str | None
    color: int
    description: str
    fields: tuple[tuple[str, FieldValue], ...]
    created_at: datetime
    silent: bool = False
    time_zone: str = "UTC"
    headline: str | None = None
    url: str | None = None

    @property
    def name(self) -> str:
        """What the message is called: the headline, or the category with a capital."""
        return self.headline or self.category[:1].upper() + self.category[1:]

    @property
    def lead(self) -> str:
        """What stands before the name: the emoji and a space, or nothing."""
        return f"{self.emoji} " if self.emoji else ""

    @property
    def title(self) -> str:
        """Emoji and name, as they were sent."""
        return f"{self.lead}{self.name}"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a channel sends to.

    `address` is a Discord channel id, a Telegram chat id, an e-mail address or a URL, `topic` a topic's id
    within a Telegram chat. `mention` is whom the message calls: None for nobody, `here`, or a Discord role's
    id. `secrets` are what a webhook is signed with, the present one first. Who `is_stranger` to the
    account, such as the reader of an address that is not confirmed, gets no link that changes anything of it.
    """

    account_id: int
    address: str
    destination: str = ""
    kind: DestinationKind = DestinationKind.DIRECT
    topic: str | None = None
    mention: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    is_stranger: bool = False

    @property
    def is_room(self) -> bool:
        """Whether others are there too: nothing of an account is told in a room."""
        return self.kind in (DestinationKind.ROOM, DestinationKind.TOPIC)

    def hidden_in(self, text: str) -> str:
        """Return a text for the log, without the address: mail servers like to repeat it."""
        return re.sub(re.escape(self.address), "[recipient]", text, flags=re.IGNORECASE)


class Channel(Protocol):
    """A way to reach people; the engine knows nothing else of Discord, Telegram or SMTP."""

    @property
    def name(self) -> str:
        """The channel's name as stored: a key of `pingpilot.channels.CHANNELS`."""

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        """Hand one notification to the platform and return once it has taken it.

        Raises `TemporaryFailure`, `RateLimited`, `PermanentFailure` or `ChannelUnavailable`.
        """


def field_text(value: FieldValue) -> str:
    """Return a field's value as shown to people: JSON's words for booleans, numbers as one would write them.

    JSON has one kind of number, so `1.0` is `1` and `-0.0` is `0`. Only what would be a long row of zeros
    keeps its exponent, such as `1e300`.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        number = Decimal(repr(value)).normalize()
        if not number:
            return "0"
        if _SMALLEST_PLAIN <= abs(number) < _LARGEST_PLAIN:
            return f"{number:f}"
        mantissa, _, exponent = repr(value).partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return str(value)
