"""The shape of a page of events."""

from pydantic import Field

from api.shapes import ShownEvent
from api.shaping import Shape


class ShownEvents(Shape):
    """Events, newest first."""

    events: list[ShownEvent]
    next_cursor: str | None = Field(
        description="What to send as `cursor` for the events before these, null at the end. With a filter, a "
        "page may hold fewer events than asked for, or none, and still have a next one."
    )
