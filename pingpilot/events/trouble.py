"""Whether an account's owner should look: something failed for good lately, or a destination is suspended."""

from datetime import datetime, timedelta

from models import Destination
from pingpilot.events.history import Effort, EventStatus, Wanted, list_events

LATELY = timedelta(days=2)
"""How long ago the event may have come: its last retry is most of a day later."""
_SHORT_LOOK = Effort(scanned=200)


async def is_in_trouble(account_id: int, now: datetime) -> bool:
    """Return whether an event of `LATELY` failed, or a destination that is on is suspended.

    What is tried again by hand counts no more.
    """
    if await Destination.filter(account_id=account_id, enabled=True, suspended_reason__isnull=False).exists():
        return True
    failed = Wanted(account_id, status=EventStatus.FAILED, since=now - LATELY)
    return bool((await list_events(failed, 1, _SHORT_LOOK)).events)
