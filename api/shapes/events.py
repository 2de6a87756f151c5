"""Events: the body that is posted, and what is answered of them and their deliveries."""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import InitErrorDetails

from api.replies import encoded, time_text
from api.shapes.base import CategoryName, ChannelName, Count, Shape, Time
from api.shapes.validation import fault
from models import Delivery, DeliveryStatus, Event
from models.ids import event_id_text
from pingpilot.delivery.channel import FieldValue
from pingpilot.events.history import EventStatus, status_of

MAX_DESCRIPTION = 4000
MAX_FIELDS = 100
MAX_FIELD_NAME = 256
MAX_FIELD_VALUE = 4096
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL and UTF-8 can't hold them


def _storable(text: str) -> str:
    if _UNSTORABLE.search(text):
        raise fault("must not contain NUL characters or lone surrogates.")
    return text


def _description(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_DESCRIPTION:
        raise fault(f"must be a text of up to {MAX_DESCRIPTION:,} characters.")
    return _storable(value)


def _field_name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_FIELD_NAME:
        raise fault(f"its name must have 1 to {MAX_FIELD_NAME} characters.")
    return _storable(value)


def _field_value(value: Any) -> FieldValue:
    if isinstance(value, str):
        if len(value) > MAX_FIELD_VALUE:
            raise fault(f"must have up to {MAX_FIELD_VALUE:,} characters.")
        return _storable(value)
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise fault("must be a text, a finite number, true or false.")


def _few(fields: Any, check: ValidatorFunctionWrapHandler) -> dict[str, FieldValue]:
    """Check the entries and their number, and name the faults of both: pydantic would stop at the entries."""
    if not isinstance(fields, dict) or len(fields) <= MAX_FIELDS:
        return check(fields)  # type: ignore[no-any-return]
    faults = [InitErrorDetails(type=fault(f"must have up to {MAX_FIELDS} entries."), input=None)]
    try:
        check(fields)
    except ValidationError as exc:
        faults += [
            InitErrorDetails(type=fault(error["msg"]), loc=error["loc"], input=None) for error in exc.errors()
        ]
    raise ValidationError.from_exception_data("fields", faults)


_NO_NUL = "^[^\\u0000]*$"  # as JSON Schema; it has no word for lone surrogates
_DESCRIPTION_SCHEMA = {"type": ["string", "null"], "maxLength": MAX_DESCRIPTION, "pattern": _NO_NUL}
_FIELDS_SCHEMA = {
    "type": "object",
    "maxProperties": MAX_FIELDS,
    "propertyNames": {"minLength": 1, "maxLength": MAX_FIELD_NAME, "pattern": _NO_NUL},
    "additionalProperties": {
        "type": ["string", "number", "boolean"],
        "maxLength": MAX_FIELD_VALUE,
        "pattern": _NO_NUL,
    },
}

Description = Annotated[str, PlainValidator(_description), WithJsonSchema(_DESCRIPTION_SCHEMA)]
FieldName = Annotated[str, PlainValidator(_field_name)]
CheckedValue = Annotated[FieldValue, PlainValidator(_field_value)]
Fields = Annotated[dict[FieldName, CheckedValue], WrapValidator(_few), WithJsonSchema(_FIELDS_SCHEMA)]


class EventBody(BaseModel):
    """What has happened."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: CategoryName = Field(description="One of the account's categories.", examples=["sale"])
    description: Description = Field(
        "",
        description="Absent, null or blank: `A new {category} event has occurred!`",
        examples=["Somebody bought a lamp"],
    )
    fields: Fields = Field(
        default_factory=dict, description="Shown in the order given.", examples=[{"amount": 99.99}]
    )

    @property
    def shown_description(self) -> str:
        """The description, or the customary sentence where none was given."""
        return self.description if self.description.strip() else f"A new {self.category} event has occurred!"

    @property
    def fields_json(self) -> str:
        """The fields as JSON text, in the order given."""
        return encoded(self.fields).decode()

    @property
    def fingerprint(self) -> str:
        """A SHA-256 that is equal for bodies that say the same."""
        said = f"{self.category}\n{self.shown_description}\n{self.fields_json}"
        return hashlib.sha256(said.encode()).hexdigest()


EVENT_ID_PATTERN = "^evt_[0-9a-f]{32}$"
EVENT_ID = "evt_01a2078020d97000b037fbc7fa9d9500"

EventId = Annotated[str, Field(pattern=EVENT_ID_PATTERN, examples=[EVENT_ID])]


class ShownDelivery(Shape):
    """One delivery of an event, to one channel."""

    channel: ChannelName
    status: Literal["pending", "sending", "delivered", "failed"]
    attempts: Count = Field(description="Tries that count towards giving up.")
    last_error: str | None = Field(description="Why the last attempt failed.")
    next_attempt_at: Time | None = Field(description="When it is tried again.")
    delivered_at: Time | None


class ShownEvent(Shape):
    """An event with its deliveries."""

    id: EventId
    category: str
    description: str
    fields: dict[str, FieldValue]
    created_at: Time
    delivery_status: EventStatus
    deliveries: list[ShownDelivery]


class ShownEvents(Shape):
    """Events, newest first."""

    events: list[ShownEvent]
    next_cursor: str | None = Field(
        description="What to send as `cursor` for the events before these, null at the end. With a filter, a "
        "page may hold fewer events than asked for, or none, and still have a next one."
    )


class AcceptedEvent(Shape):
    """The event was stored; how its deliveries stand is told to those who waited."""

    message: str
    event_id: EventId
    delivery_status: EventStatus | SkipJsonSchema[None] = None
    deliveries: list[ShownDelivery] | SkipJsonSchema[None] = None


async def deliveries_of(event_id: UUID) -> list[Delivery]:
    """Return the event's deliveries in the order they were made."""
    return await Delivery.filter(event_id=event_id).order_by("id")


def shown_event(event: Event, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """Return an event as the contract has it."""
    return {
        "id": event_id_text(event.id),
        "category": event.category,
        "description": event.description,
        "fields": json.loads(event.fields_json),
        "createdAt": time_text(event.created_at),
        **standing(deliveries),
    }


def standing(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """Return the event's status, derived from its deliveries, and the deliveries themselves."""
    return {"deliveryStatus": status_of(deliveries), "deliveries": [_delivery(each) for each in deliveries]}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "channel": delivery.channel,
        "status": DeliveryStatus.PENDING if delivery.status == DeliveryStatus.HELD else delivery.status,
        "attempts": delivery.attempts,
        "lastError": delivery.last_error,
        "nextAttemptAt": time_text(delivery.next_attempt_at),
        "deliveredAt": time_text(delivery.delivered_at),
    }
