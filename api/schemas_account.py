"""The body of `PATCH /api/v1/account`."""

import re
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

from api.faults import fault
from api.shaping import ChannelName
from api.vocabularies import other_end, stays_as_it_is, time_zone
from pingpilot.channels import CHANNELS
from pingpilot.errors import InvalidInput
from pingpilot.preferences import AccountChange, ChannelChange
from pingpilot.quiet_hours import check_time_zone

_TIME_PATTERN = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_PATCH = ConfigDict(extra="forbid", frozen=True, json_schema_extra=stays_as_it_is)


def _time(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(_TIME_PATTERN, value):
        raise fault("must be a time of day, such as 22:00.")
    return value


def _time_zone(value: Any) -> str:
    try:
        return check_time_zone(value if isinstance(value, str) else "")
    except InvalidInput:
        raise fault("must be a time zone, such as Europe/Berlin or UTC.") from None


def _channel_name(value: Any) -> str:
    if value not in CHANNELS:
        raise fault(f"is not a channel: choose from {', '.join(CHANNELS)}.")
    return str(value)


TimeText = Annotated[str, Field(pattern=f"^{_TIME_PATTERN}$")]
TimeOfDay = Annotated[str, PlainValidator(_time, json_schema_input_type=TimeText)]
ZoneName = Annotated[str, Field(json_schema_extra=time_zone, examples=["Europe/Berlin"])]
TimeZone = Annotated[str, PlainValidator(_time_zone, json_schema_input_type=ZoneName)]
KnownChannel = Annotated[str, PlainValidator(_channel_name, json_schema_input_type=ChannelName)]


class QuietHoursBody(BaseModel):
    """From when until when, in the account's time zone; `silently`: without a sound instead of waiting."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=other_end)

    start: TimeOfDay = Field(alias="from")
    until: TimeOfDay
    silently: StrictBool = False

    @field_validator("until")
    @classmethod
    def _ends(cls, until: str, info: ValidationInfo) -> str:
        if until == info.data.get("start"):
            raise fault("must be another time than `from`.")
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

    model_config = _PATCH

    time_zone: TimeZone = Field(default="", alias="timeZone")
    combine: StrictBool = True
    channels: dict[KnownChannel, ChannelPatch] = Field(
        default_factory=dict, examples=[{"email": {"enabled": True}}]
    )

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
