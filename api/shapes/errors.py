"""The bodies of errors: a sentence and a code, and what some codes have beside them."""

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from api.shapes.base import Count, Shape, Time
from api.shapes.events import EventId, ShownDelivery
from pingpilot.events.history import EventStatus


class Problem(Shape):
    """What went wrong: a sentence that says what to do, and a code that stays the same."""

    message: str
    code: str


class InvalidJson(Problem):
    """A body that can't be read, with the place where known."""

    line: int | SkipJsonSchema[None] = None
    column: int | SkipJsonSchema[None] = None


class InvalidMember(Shape):
    """A member, header or parameter that is not as it must be, and what it must be."""

    field: str = Field(examples=["fields.amount"])
    message: str


class InvalidRequest(Problem):
    """A request that says what can't be taken; every invalid member is named."""

    errors: list[InvalidMember] = Field(min_length=1)


class QuotaUsedUp(Problem):
    """The month's quota, and when the next month begins."""

    limit: Count
    reset_date: Time


class EventFailure(Problem):
    """A failure on our side; where the event was stored all the same, how its deliveries stand."""

    event_id: EventId | SkipJsonSchema[None] = None
    delivery_status: EventStatus | SkipJsonSchema[None] = None
    deliveries: list[ShownDelivery] | SkipJsonSchema[None] = None
