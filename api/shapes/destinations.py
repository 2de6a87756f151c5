"""Destinations: the bodies that calls take, and what is answered of them."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StrictBool
from pydantic.json_schema import SkipJsonSchema

from api.shapes.account import QuietHoursBody, ShownQuietHours
from api.shapes.base import ChannelName, DestinationName, Shape, Time, patch_like
from api.shapes.validation import invalid
from models import Destination, DestinationKind
from models.destination import obstacle_to
from pingpilot.accounts.destinations import MENTION_PATTERN, DestinationChange
from pingpilot.accounts.quiet_hours import end_of_mute
from pingpilot.channels import CHANNELS

LONGEST_ADDRESS = 2000
_SHOWN_OF_ID = 4  # characters


class ShownDestination(Shape):
    """One place that the account's events go to."""

    name: DestinationName
    channel: ChannelName
    kind: DestinationKind
    title: str | None = Field(
        description="What people see of the place: a chat's title, or a server's and a channel's name."
    )
    address: str | None = Field(
        description="Whom it reaches: an e-mail address, a URL, a chat user's name or the end of an id."
    )
    enabled: bool
    linked: bool = Field(description="Whether it was linked, or a mailbox confirmed.")
    usable: bool = Field(description="Whether events go there now: it is on, linked and not suspended.")
    suspended_reason: str | None = Field(description="Why nothing is sent; switch it on or link it again.")
    quiet_hours: ShownQuietHours | None
    muted_until: Time | None
    mention: str | None = Field(description="Whom messages call: null nobody, `here`, or a role's id.")
    linked_at: Time | None

    @classmethod
    def of(cls, row: Destination, now: datetime) -> "ShownDestination":
        address = row.address or (row.title if row.kind == DestinationKind.MAILBOX else None)
        if address is not None and CHANNELS[row.channel].needs_link:
            # The end of a chat's id is enough for the owner to know it again; the whole is for the bots
            known_by = row.username if row.kind == DestinationKind.DIRECT else None
            address = known_by or f"…{(row.user_id or '')[-_SHOWN_OF_ID:]}"
        reason = row.suspended_reason
        obstacle = obstacle_to(enabled=row.enabled, address=row.address, suspended_reason=reason)
        return cls(
            name=row.name,
            channel=row.channel,
            kind=DestinationKind(row.kind),
            title=row.title,
            address=address,
            enabled=row.enabled,
            linked=row.address is not None,
            usable=obstacle is None,
            suspended_reason=reason,
            quiet_hours=ShownQuietHours.of(row),
            muted_until=end_of_mute(row.muted_until, now),
            mention=row.mention,
            linked_at=row.linked_at if row.address is not None else None,
        )


class ShownDestinations(Shape):
    """All destinations of the account: the direct ones in the channels' order, then the others by name."""

    destinations: list[ShownDestination]


class AddedDestination(ShownDestination):
    """A new destination. A webhook's `secret` is shown this once; a mailbox is sent a link to confirm it."""

    message: str
    secret: str | SkipJsonSchema[None] = None


class RemovedDestination(Shape):
    """What becomes of a removed destination's events."""

    message: str
    name: DestinationName
    categories: list[str] = Field(description="The categories that name it still.")


class TestedDestination(Shape):
    """How a test notification went: through the queue, like any other."""

    message: str
    status: Literal["pending", "delivered", "failed"]
    last_error: str | None
    attempts: int


class NewSecret(Shape):
    """A webhook's new secret, shown this once."""

    message: str
    secret: str
    former_secret_until: Time = Field(description="Until then each request is signed with both.")


def _given_channels() -> list[str]:
    """Return the channels that have destinations of which the owner gives the address."""
    return [kind.name for kind in CHANNELS.values() if kind.takes_addresses]


def _given_channel(value: Any) -> str:
    given = _given_channels()
    if not isinstance(value, str) or value not in given:
        is_channel = isinstance(value, str) and value in CHANNELS
        hint = " Rooms are linked from there: get a code with POST /api/v1/link-codes and `room`."
        raise invalid(f"must be one of {', '.join(given)}.{hint if is_channel else ''}")
    return value


def _mention(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, str) and re.fullmatch(f"none|{MENTION_PATTERN}", value):
        return value
    raise invalid("must be here, the id of a role, or null for nobody.")


class DestinationBody(BaseModel):
    """A new mailbox or webhook."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"name": "second-mailbox", "channel": "email", "address": "team@example.com"}]
        },
    )

    name: DestinationName
    channel: Annotated[
        str,
        PlainValidator(_given_channel, json_schema_input_type=str),
        Field(json_schema_extra=lambda schema: schema.update(enum=_given_channels())),
    ]
    address: str = Field(
        max_length=LONGEST_ADDRESS,
        description="An e-mail address, or a webhook's URL.",
        examples=["team@example.com"],
    )


class DestinationPatch(BaseModel):
    """What changes of a destination: what is not sent stays as it is, null takes away."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=patch_like({"enabled": False}))

    enabled: StrictBool = False
    quiet_hours: QuietHoursBody | None = Field(default=None, alias="quietHours")
    mention: Annotated[
        str,
        PlainValidator(_mention, json_schema_input_type=str | None),
        Field(description="Whom messages to a Discord room call: `here`, a role's id, null for nobody."),
    ] = "none"

    @property
    def change(self) -> DestinationChange:
        """What was sent, as the rules take it."""
        sent, hours = self.model_fields_set, self.quiet_hours
        quiet = None
        if "quiet_hours" in sent:
            quiet = f"{hours.start}-{hours.until}" if hours else "off"
        return DestinationChange(
            enabled=self.enabled if "enabled" in sent else None,
            quiet_hours=quiet,
            silently=hours.silently if hours else False,
            mention=self.mention if "mention" in sent else None,
        )
