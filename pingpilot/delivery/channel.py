"""What the engine and a channel say to each other: a notification and a recipient."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

FieldValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Notification:
    """One event as a person shall see it, before any platform's form.

    `color` is 0xRRGGBB; `fields` keep the sender's order; `created_at` is aware UTC, `time_zone` the
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

    @property
    def title(self) -> str:
        """`{emoji} {Category}`, or the category alone where it has no emoji."""
        name = self.category[:1].upper() + self.category[1:]
        return f"{self.emoji} {name}" if self.emoji else name


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a channel sends to: a Discord DM channel id, a Telegram chat id or an e-mail address."""

    account_id: int
    address: str

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
    """Return a field's value as shown to people: JSON's words for booleans, numbers as given."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
