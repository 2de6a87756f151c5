"""The shapes of what is answered about events."""

from typing import Literal

from pydantic import Field

from api.shaping import Shape, Time
from pingpilot.history import EventStatus

FieldValue = str | bool | int | float


class ShownDelivery(Shape):
    """One event on its way to one channel."""

    channel: str
    status: Literal["pending", "sending", "delivered", "failed"]
    attempts: int
    last_error: str | None = Field(description="Why the last attempt failed.")
    next_attempt_at: Time | None
    delivered_at: Time | None


class ShownEvent(Shape):
    """An event with its deliveries."""

    id: str
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
