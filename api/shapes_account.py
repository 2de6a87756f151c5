"""The shapes of what is answered about the account and its links."""

from pydantic import Field

from api.shaping import ChannelName, Shape, Time
from models import Plan


class ShownQuietHours(Shape):
    """When a channel is quiet, in the account's time zone."""

    start: str = Field(alias="from")
    until: str
    silently: bool = Field(description="Whether messages come without a sound then, instead of waiting.")


class ShownChannel(Shape):
    """One channel of the account."""

    channel: ChannelName
    enabled: bool
    linked: bool
    address: str | None = Field(
        description="Whom it reaches: an e-mail address, a chat user's name or end of id."
    )
    suspended_reason: str | None = Field(description="Why nothing is sent; switch it on or link it again.")
    quiet_hours: ShownQuietHours | None
    muted_until: Time | None


class ShownAccount(Shape):
    """The account behind the key."""

    email: str
    plan: Plan
    time_zone: str
    combine: bool = Field(description="Whether many notifications that wait go out as one message.")
    created_at: Time
    channels: list[ShownChannel]


class NewCode(Shape):
    """A code that links a chat to the account, once."""

    message: str
    code: str
    expires_at: Time
    telegram_url: str | None = Field(description="Opens the Telegram bot with the code.")


class RemovedLink(Shape):
    """What an unlinked channel does from now on."""

    message: str
    channel: ChannelName
