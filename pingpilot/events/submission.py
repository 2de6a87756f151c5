"""What is handed to intake, and what it answers."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pingpilot.accounts.callers import Caller, Target
from pingpilot.errors import PingPilotError
from pingpilot.events.numbers import Numbers


class CallerChanged(PingPilotError):
    """A sender who was remembered has changed; nothing is stored. Look the key up, and try again."""


class Refused(PingPilotError):
    """The event was not accepted; `events_used` is the month's count without it."""

    def __init__(self, message: str, events_used: int) -> None:
        super().__init__(message)
        self.events_used = events_used


class CategoryNotFound(Refused):
    """The account has no category of this name."""


class QuotaExceeded(Refused):
    """The month's quota is used up; `limit` events were accepted, the count starts anew at `resets_at`."""

    def __init__(self, limit: int, resets_at: datetime, events_used: int) -> None:
        super().__init__("The month's quota is used up.", events_used)
        self.limit = limit
        self.resets_at = resets_at


class IdempotencyKeyReused(Refused):
    """The idempotency key named another event within the last 24 hours."""


class NotStored(PingPilotError):
    """The commit failed; nothing of the batch is stored, and trying again is safe."""


def shown_description(category: str, description: str) -> str:
    """Return the description an event is shown with: the one given, or a sentence of ours for a blank one."""
    return description if description.strip() else f"A new {category} event has occurred!"


class Submission(NamedTuple):  # made in half of a frozen dataclass's time, for each event
    """One event somebody wants accepted. `body_hash` tells two bodies under one key apart; `numbers` are
    those of its fields (`numbers_in`).
    """

    caller: Caller
    category: str
    description: str
    fields_json: str
    idempotency_key: str | None = None
    body_hash: str = ""
    title: str | None = None
    url: str | None = None
    numbers: Numbers = ()


class Acceptance(NamedTuple):
    """The word that an event is on the disk. `events_used` is the month's count with it.

    `targets` are where it goes, none for a replay, which sends nothing. `goes_nowhere` where the event has
    no destination at all, a replay's first request included.
    """

    event_id: UUID
    events_used: int
    targets: tuple[Target, ...] = ()
    replayed: bool = False
    goes_nowhere: bool = False
