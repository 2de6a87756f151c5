"""The JSON that replies hold, as pydantic models: for OpenAPI and the tests.

Handlers build plain dicts, which is faster; tests hold real replies equal to these shapes.
"""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from api.shaping import ChannelName, Shape, Time
from models import Plan
from pingpilot.delivery.channel import FieldValue
from pingpilot.history import EventStatus

EVENT_ID_PATTERN = "^evt_[0-9a-f]{32}$"
EVENT_ID = "evt_01a2078020d97000b037fbc7fa9d9500"

EventId = Annotated[str, Field(pattern=EVENT_ID_PATTERN, examples=[EVENT_ID])]
Count = Annotated[int, Field(ge=0)]


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


class AcceptedEvent(Shape):
    """The event was stored; how its deliveries stand is told to those who waited."""

    message: str
    event_id: EventId
    delivery_status: EventStatus | SkipJsonSchema[None] = None
    deliveries: list[ShownDelivery] | SkipJsonSchema[None] = None


class ShownQuota(Shape):
    """The month so far, in UTC."""

    plan: Plan
    events_used: Count
    events_limit: Count | None = Field(description="Events a month; null: no limit.")
    events_remaining: Count | None = Field(description="null: no limit.")
    reset_date: Time
    categories_used: Count


class Alive(Shape):
    """The process answers."""

    status: Literal["ok"]


class Readiness(Shape):
    """Whether events can be accepted, and how each part stands."""

    status: Literal["ready", "stopping", "unavailable"]
    parts: dict[str, str] = Field(examples=[{"database": "up", "discord": "connecting"}])
    reasons: dict[str, str] = Field(description="Why a part is not well, where it is not.")


class Problem(Shape):
    """What went wrong: a sentence that says what to do, and a code that stays the same."""

    message: str
    code: str


class InvalidJson(Problem):
    """A body that can't be read, with the place where known."""

    line: int | SkipJsonSchema[None] = None
    column: int | SkipJsonSchema[None] = None


class Fault(Shape):
    """A member, header or parameter, and what it must be."""

    field: str = Field(examples=["fields.amount"])
    message: str


class InvalidRequest(Problem):
    """A request that says what can't be taken; every fault is named."""

    errors: list[Fault] = Field(min_length=1)


class QuotaUsedUp(Problem):
    """The month's quota, and when the next month begins."""

    limit: Count
    reset_date: Time


class EventFailure(Problem):
    """A failure on our side; where the event was stored all the same, how its deliveries stand."""

    event_id: EventId | SkipJsonSchema[None] = None
    delivery_status: EventStatus | SkipJsonSchema[None] = None
    deliveries: list[ShownDelivery] | SkipJsonSchema[None] = None
