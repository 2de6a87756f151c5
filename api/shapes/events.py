"""Events: the body that is posted, and what is answered of them and their deliveries."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from api.replies import encoded
from api.shapes.base import CategoryName, ChannelName, Count, Shape, Time
from api.shapes.validation import invalid
from models import Delivery, DeliveryStatus, Event
from models.ids import event_id_text
from pingpilot.accounts.categories import NAME_PATTERN
from pingpilot.delivery.channel import FieldValue
from pingpilot.events.history import EventStatus, status_of
from pingpilot.events.submission import shown_description
from pingpilot.rendering.text import is_visible

EVENT_EXAMPLE: dict[str, Any] = {
    "category": "sale",
    "description": "Somebody bought a lamp",
    "fields": {"amount": 99.99},
}
MAX_DESCRIPTION = 4000
MAX_FIELDS = 100
MAX_TITLE = 200
MAX_URL = 2000
MAX_FIELD_NAME = 256
MAX_FIELD_VALUE = 4096
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL and UTF-8 can't hold them


_ENDS_LINES = "\\n\\v\\f\\r\\x85\\u2028\\u2029"
_IN_NO_URL = "\\s\\x00-\\x1f\\x7f"
TITLE_PATTERN = f"^[^\\u0000{_ENDS_LINES}]*$"
URL_PATTERN = f"^[Hh][Tt][Tt][Pp][Ss]?://[^{_IN_NO_URL}/?#]+([/?#][^{_IN_NO_URL}]*)?$"


def _storable(text: str) -> str:
    if _UNSTORABLE.search(text):
        raise invalid("must not contain NUL characters or lone surrogates.")
    return text


def _title(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_TITLE:
        raise invalid(f"must be a text of up to {MAX_TITLE} characters on one line.")
    if not re.search(TITLE_PATTERN, _storable(value)):
        raise invalid("must be on one line: put the rest into the description.")
    return value if is_visible(value) else None


def _url(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip() and len(value) <= MAX_URL):
        return None
    if not isinstance(value, str) or len(value) > MAX_URL:
        raise invalid(f"must be an address of up to {MAX_URL:,} characters.")
    if not re.fullmatch(URL_PATTERN, _storable(value)):
        raise invalid("must be an http or https address without spaces, such as https://example.com/1.")
    return value


def _field_name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_FIELD_NAME:
        raise invalid(f"its name must have 1 to {MAX_FIELD_NAME} characters.")
    return _storable(value)


def _field_value(value: Any) -> FieldValue:
    if isinstance(value, str):
        if len(value) > MAX_FIELD_VALUE:
            raise invalid(f"must have up to {MAX_FIELD_VALUE:,} characters.")
        return _storable(value)
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise invalid("must be a text, a finite number, true or false.")


_NO_NUL = "^[^\\u0000]*$"  # as JSON Schema; it has no word for lone surrogates
_DESCRIPTION_SCHEMA = {"type": ["string", "null"], "maxLength": MAX_DESCRIPTION, "pattern": _NO_NUL}
_TITLE_SCHEMA = {"type": ["string", "null"], "maxLength": MAX_TITLE, "pattern": TITLE_PATTERN}
_URL_SCHEMA = {"type": ["string", "null"], "maxLength": MAX_URL, "pattern": f"{URL_PATTERN}|^[ \\t\\r\\n]*$"}
_FIELDS_SCHEMA = {
    "type": ["object", "null"],
    "maxProperties": MAX_FIELDS,
    "propertyNames": {"minLength": 1, "maxLength": MAX_FIELD_NAME, "pattern": _NO_NUL},
    "additionalProperties": {
        "type": ["string", "number", "boolean"],
        "maxLength": MAX_FIELD_VALUE,
        "pattern": _NO_NUL,
    },
}

Title = Annotated[str | None, WithJsonSchema(_TITLE_SCHEMA)]
Url = Annotated[str | None, WithJsonSchema(_URL_SCHEMA)]
Description = Annotated[str, WithJsonSchema(_DESCRIPTION_SCHEMA)]
FieldName = Annotated[str, PlainValidator(_field_name)]
CheckedValue = Annotated[FieldValue, PlainValidator(_field_value)]
Fields = Annotated[dict[FieldName, CheckedValue], WithJsonSchema(_FIELDS_SCHEMA)]


class EventBody(BaseModel):
    """What has happened."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [EVENT_EXAMPLE]})

    category: CategoryName = Field(description="One of the account's categories.", examples=["sale"])
    title: Title = Field(
        None,
        description="Stands in place of the category's name; absent, null or blank: the category's name.",
        examples=["Order 1042"],
    )
    url: Url = Field(
        None,
        description="Where the title leads, http or https; absent, null or blank: nowhere.",
        examples=["https://shop.example.com/orders/1042"],
    )
    description: Description = Field(
        "",
        description="Absent, null or blank: `A new {category} event has occurred!`",
        examples=["Somebody bought a lamp"],
    )
    fields: Fields = Field(
        default_factory=dict,
        description="Shown in the order given; absent or null: none.",
        examples=[{"amount": 99.99}],
    )

    @field_validator("title", mode="plain", json_schema_input_type=Title)
    @classmethod
    def _is_a_title(cls, value: Any) -> str | None:
        return _title(value)

    @field_validator("url", mode="plain", json_schema_input_type=Url)
    @classmethod
    def _is_a_url(cls, value: Any) -> str | None:
        return _url(value)

    @field_validator("description", mode="plain", json_schema_input_type=Description)
    @classmethod
    def _is_a_description(cls, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > MAX_DESCRIPTION:
            raise invalid(f"must be a text of up to {MAX_DESCRIPTION:,} characters.")
        return _storable(value)

    @field_validator("fields", mode="wrap", json_schema_input_type=Fields)
    @classmethod
    def _are_few(cls, fields: Any, check: ValidatorFunctionWrapHandler) -> dict[str, FieldValue]:
        """Name too many entries as well as each invalid one: pydantic's own limit would hide the latter."""
        if fields is None:
            return {}
        if not isinstance(fields, dict) or len(fields) <= MAX_FIELDS:
            return check(fields)  # type: ignore[no-any-return]
        problems = [InitErrorDetails(type=invalid(f"must have up to {MAX_FIELDS} entries."), input=None)]
        try:
            check(fields)
        except ValidationError as exc:
            problems += [
                InitErrorDetails(type=invalid(error["msg"]), loc=error["loc"], input=None)
                for error in exc.errors()
            ]
        raise ValidationError.from_exception_data("fields", problems)

    @property
    def said(self) -> "SaidEvent":
        """What it says, however it was read."""
        return SaidEvent(self.category, self.description, self.fields, self.title, self.url)


class SaidEvent(NamedTuple):
    """What an event's body says, all of it checked."""

    category: str
    description: str
    fields: Mapping[str, FieldValue]
    title: str | None
    url: str | None

    @property
    def fields_json(self) -> str:
        """The fields as JSON text, in the order given."""
        return encoded(self.fields).decode()

    @property
    def fingerprint(self) -> str:
        """A SHA-256 that is equal for bodies that say the same."""
        shown = shown_description(self.category, self.description)
        text = f"{self.category}\n{shown}\n{self.fields_json}"
        if self.title or self.url:  # added later: a repeat from before them stays a repeat
            text += f"\n{encoded([self.title, self.url]).decode()}"
        return hashlib.sha256(text.encode()).hexdigest()


class _QuickBody(msgspec.Struct, forbid_unknown_fields=True):
    """`EventBody` for msgspec, a twentieth of the time; it may refuse more, and must refuse as much."""

    category: Annotated[str, msgspec.Meta(pattern=f"^{NAME_PATTERN}\\Z")]
    title: str | None = None
    url: str | None = None
    description: Annotated[str, msgspec.Meta(max_length=MAX_DESCRIPTION)] | None = None
    fields: (
        Annotated[
            dict[
                Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_FIELD_NAME)],
                bool
                | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
                | float
                | Annotated[str, msgspec.Meta(max_length=MAX_FIELD_VALUE)],
            ],
            msgspec.Meta(max_length=MAX_FIELDS),
        ]
        | None
    ) = None


_quick = msgspec.json.Decoder(_QuickBody)


def read_quickly(body: bytes) -> SaidEvent | None:
    """Return what a body says, as `EventBody` would have it, or None: then that one is to be asked.

    It is for bodies that are right, which nearly all are; what is wrong with another is not looked for here.
    """
    if b"\\u0000" in body:  # an escaped NUL, the one invalid character that msgspec lets pass
        return None
    try:
        read = _quick.decode(body)
        title, url = _title(read.title), _url(read.url)
    except (msgspec.MsgspecError, UnicodeDecodeError, PydanticCustomError):
        return None
    return SaidEvent(read.category, read.description or "", read.fields or {}, title, url)


EVENT_ID_PATTERN = "^evt_[0-9a-f]{32}$"
EVENT_ID = "evt_01a2078020d97000b037fbc7fa9d9500"

EventId = Annotated[str, Field(pattern=EVENT_ID_PATTERN, examples=[EVENT_ID])]


class ShownDelivery(Shape):
    """One delivery of an event, to one destination."""

    destination: str = Field(description="The destination's name; a direct one is named after its channel.")
    channel: ChannelName
    status: Literal["pending", "sending", "delivered", "failed"]
    attempts: Count = Field(description="Tries that count towards giving up.")
    last_error: str | None = Field(description="Why the last attempt failed.")
    next_attempt_at: Time | None = Field(description="When it is tried again.")
    delivered_at: Time | None


class DeliverySummary(TypedDict):
    """What several replies say of an event's deliveries."""

    delivery_status: EventStatus
    deliveries: list[ShownDelivery]


class ShownEvent(Shape):
    """An event with its deliveries."""

    id: EventId
    category: str
    title: str | None
    url: str | None
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
    """The event was stored. How its deliveries stand is told to those who waited, and to all where it has
    none; `warning` says why then.
    """

    message: str
    event_id: EventId
    warning: str | SkipJsonSchema[None] = Field(
        None,
        description="Why the event, though stored, goes nowhere for now; left out where it goes somewhere.",
    )
    delivery_status: EventStatus | SkipJsonSchema[None] = None
    deliveries: list[ShownDelivery] | SkipJsonSchema[None] = None


def shown_event(event: Event, deliveries: Sequence[Delivery]) -> ShownEvent:
    """Return an event as it is shown."""
    return ShownEvent(
        id=event_id_text(event.id),
        category=event.category,
        title=event.title,
        url=event.url,
        description=event.description,
        fields=json.loads(event.fields_json),
        created_at=event.created_at,
        **delivery_summary(deliveries),
    )


def delivery_summary(deliveries: Sequence[Delivery]) -> DeliverySummary:
    """Return the members that tell of an event's deliveries: its status, derived from them, and each."""
    return {
        "delivery_status": status_of(deliveries),
        "deliveries": [
            ShownDelivery(
                destination=each.destination,
                channel=each.channel,
                status="pending" if each.status == DeliveryStatus.HELD else each.status,
                attempts=each.attempts,
                last_error=each.last_error,
                next_attempt_at=each.next_attempt_at,
                delivered_at=each.delivered_at,
            )
            for each in deliveries
        ],
    }
