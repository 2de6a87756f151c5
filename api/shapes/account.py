"""The account: what is answered of it, and what may be changed."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    ValidationInfo,
    field_validator,
)

from api.shapes.base import Count, DestinationName, DirectChannelName, Shape, Time, patch_like
from api.shapes.validation import always_saying, invalid
from models import Destination, Plan
from pingpilot.accounts.preferences import AccountChange, ChannelChange
from pingpilot.accounts.quiet_hours import check_time_zone, end_of_mute, hours_text
from pingpilot.channels import CHANNELS, direct_channels
from pingpilot.errors import InvalidInput

_SHOWN_OF_ID = 4  # characters


class ShownQuietHours(Shape):
    """When a channel is quiet, in the account's time zone."""

    start: str = Field(alias="from")
    until: str
    silently: bool = Field(description="Whether messages come without a sound then, instead of waiting.")

    @classmethod
    def of(cls, row: Destination) -> "ShownQuietHours | None":
        """Return a destination's quiet hours, None where it has none."""
        if row.quiet_from is None or row.quiet_until is None:
            return None
        start, until = hours_text(row.quiet_from, row.quiet_until)
        return cls(start=start, until=until, silently=row.quiet_silently)


class ShownChannel(Shape):
    """One channel of the account."""

    channel: DirectChannelName
    enabled: bool
    linked: bool
    address: str | None = Field(
        description="Whom it reaches: an e-mail address, a chat user's name or end of id."
    )
    suspended_reason: str | None = Field(description="Why nothing is sent; switch it on or link it again.")
    quiet_hours: ShownQuietHours | None
    muted_until: Time | None

    @classmethod
    def of(cls, row: Destination, now: datetime) -> "ShownChannel":
        address = row.address
        if address is not None and CHANNELS[row.channel].needs_link:
            # The end of a chat's id is enough for the owner to know it again; the whole is for the bots
            address = row.username or f"…{(row.user_id or '')[-_SHOWN_OF_ID:]}"
        return cls(
            channel=row.channel,
            enabled=row.enabled,
            linked=row.address is not None,
            address=address,
            suspended_reason=row.suspended_reason,
            quiet_hours=ShownQuietHours.of(row),
            muted_until=end_of_mute(row.muted_until, now),
        )


class ShownAccount(Shape):
    """The account behind the key."""

    email: str
    plan: Plan
    time_zone: str
    combine: bool = Field(description="Whether many notifications that wait go out as one message.")
    created_at: Time
    channels: list[ShownChannel]


class LinkCodeBody(BaseModel):
    """What the code is for; a call without a body is for a chat, or any room."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"room": "ops"}]})

    room: DestinationName | None = Field(
        default=None, description="Links a room alone, as the destination of this name."
    )


class NewCode(Shape):
    """A code that links a chat, or a room, to the account, once."""

    message: str
    code: str
    expires_at: Time
    telegram_url: str | None = Field(description="Opens the Telegram bot with the code.")


class RemovedLink(Shape):
    """What an unlinked channel does from now on."""

    message: str
    channel: DirectChannelName


_PATCH = ConfigDict(extra="forbid", frozen=True, json_schema_extra=patch_like())


def _channel_name(value: Any) -> str:
    if value not in (direct := direct_channels()):
        problem = "has no direct destination" if value in CHANNELS else "is not a channel"
        raise invalid(f"{problem}: choose from {', '.join(direct)}.")
    return str(value)


TimeOfDay = Annotated[
    str,
    Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$"),
    always_saying("must be a time of day, such as 22:00."),
]
ZoneName = Annotated[
    str,
    Field(
        description="A name of the IANA time zone database.",
        pattern="^[A-Za-z0-9_+/-]{1,64}$",
        json_schema_extra={"format": "iana-time-zone"},
        examples=["Europe/Berlin"],
    ),
]
KnownChannel = Annotated[str, PlainValidator(_channel_name, json_schema_input_type=DirectChannelName)]


class QuietHoursBody(BaseModel):
    """From when until when, in the account's time zone; `silently`: without a sound instead of waiting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: TimeOfDay = Field(alias="from", examples=["22:00"])
    until: TimeOfDay = Field(description="Another time than `from`.", examples=["07:00"])
    silently: StrictBool = False

    @field_validator("until")
    @classmethod
    def _ends(cls, until: str, info: ValidationInfo) -> str:
        if until == info.data.get("start"):
            raise invalid("must be another time than `from`.")
        return until


class ChannelPatch(BaseModel):
    """What changes for one channel; `quietHours` null takes them away."""

    model_config = _PATCH

    enabled: StrictBool = False
    quiet_hours: QuietHoursBody | None = Field(default=None, alias="quietHours")

    @property
    def change(self) -> ChannelChange:
        """What was sent, as the rules take it."""
        enabled = self.enabled if "enabled" in self.model_fields_set else None
        hours = self.quiet_hours
        if hours is not None:
            return ChannelChange(enabled, f"{hours.start}-{hours.until}", hours.silently)
        return ChannelChange(enabled, "off" if "quiet_hours" in self.model_fields_set else None)


class AccountPatch(BaseModel):
    """What changes of the account: what is not sent stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra=patch_like({"timeZone": "Europe/Berlin", "channels": {"email": {"enabled": True}}}),
    )

    time_zone: ZoneName = Field(default="", alias="timeZone")
    combine: StrictBool = True
    channels: dict[KnownChannel, ChannelPatch] = Field(
        default_factory=dict, examples=[{"email": {"enabled": True}}]
    )

    @field_validator("time_zone", mode="plain", json_schema_input_type=ZoneName)
    @classmethod
    def _is_a_time_zone(cls, value: Any) -> str:
        try:
            return check_time_zone(value if isinstance(value, str) else "")
        except InvalidInput:
            raise invalid("must be a time zone, such as Europe/Berlin or UTC.") from None

    @property
    def change(self) -> AccountChange:
        """What was sent, as the rules take it."""
        return AccountChange(
            time_zone=self.time_zone or None,
            combine=self.combine if "combine" in self.model_fields_set else None,
            channels={name: each.change for name, each in self.channels.items()},
        )

    @property
    def switched_on(self) -> list[str]:
        """The channels that are to be on."""
        return [name for name, each in self.channels.items() if each.enabled]


class ShownQuota(Shape):
    """The month so far, in UTC."""

    plan: Plan
    events_used: Count
    events_limit: Count | None = Field(description="Events a month; null: no limit.")
    events_remaining: Count | None = Field(description="null: no limit.")
    reset_date: Time
    categories_used: Count
