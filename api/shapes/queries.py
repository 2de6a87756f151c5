"""The queries the API takes behind the `?`, as pydantic models, and the cursor in them."""

import base64
import re
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.shapes.base import CategoryName
from api.shapes.validation import always_saying, invalid
from pingpilot.events.history import EventStatus

MOST_EVENTS = 100
_USUAL_EVENTS = 50
_LIMIT = re.compile(r"[0-9]{1,3}")
_CURSOR = r"[A-Za-z0-9_-]{21}[AQgw]"  # 16 bytes; the last sign has 2 bits


def cursor_text(event_id: UUID) -> str:
    """Return the cursor of a page that begins below an event."""
    return base64.urlsafe_b64encode(event_id.bytes).decode().rstrip("=")


CursorText = Annotated[str, Field(pattern=f"^{_CURSOR}$")]
Limit = Annotated[int, Field(ge=1, le=MOST_EVENTS)]


class EventsQuery(BaseModel):
    """The query of `GET /api/v1/events`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: CategoryName | None = None
    status: Annotated[EventStatus, always_saying(f"must be one of {', '.join(EventStatus)}.")] | None = None
    limit: Limit = _USUAL_EVENTS
    cursor: UUID | None = None

    @field_validator("limit", mode="before")
    @classmethod
    def _is_a_limit(cls, text: str) -> int:
        if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= MOST_EVENTS:
            raise invalid(f"must be a whole number from 1 to {MOST_EVENTS}.")
        return int(text)

    @field_validator("cursor", mode="plain", json_schema_input_type=CursorText | None)
    @classmethod
    def _id_behind(cls, text: str) -> UUID:
        """Return the id behind a cursor, which is taken only as `cursor_text` writes it.

        It is a place among the account's own events and nothing more, so any filter may go on from it.
        """
        if re.fullmatch(_CURSOR, text):
            return UUID(bytes=base64.urlsafe_b64decode(f"{text}=="))
        raise invalid("must be a `nextCursor` as it was answered; leave it out for the first page.")
