"""Trying a destination: a test notification that goes the way of all, waited for."""

from collections.abc import Callable
from datetime import datetime

from models import Delivery, Destination
from models.destination import Obstacle, obstacle_to
from pingpilot.delivery.settlement import Settlements
from pingpilot.events.notices import post_test

TRIED_WITHIN = 20.0
"""Seconds that somebody waits for a test notification: a webhook that says nothing is given up before."""


def obstacle_in_words(destination: Destination, *, linking: str) -> str:
    """Return why nothing can be sent to a destination and what to do, "" where something can.

    `linking` says how a chat is linked there where this is read: "Get a code first."
    """
    obstacle = obstacle_to(
        enabled=destination.enabled,
        address=destination.address,
        suspended_reason=destination.suspended_reason,
    )
    if obstacle is None:
        return ""
    if obstacle is Obstacle.OFF:
        return "it is off. Switch it on first."
    return (
        f"it is not linked. {linking}"
        if obstacle is Obstacle.UNLINKED
        else (f"it is suspended. {destination.suspended_reason}")
    )


async def try_destination(
    destination: Destination,
    *,
    settlements: Settlements,
    on_deliveries: Callable[[set[str]], None],
    now: datetime,
) -> Delivery | None:
    """Send a test notification through the queue; return its delivery once it is settled, or as it stands
    after `TRIED_WITHIN`.

    None where the account was deleted meanwhile. Raises `TooMany`.
    """
    event_id = await post_test(destination, now)
    on_deliveries({destination.channel})
    deliveries = await settlements.settled(event_id, TRIED_WITHIN)
    return deliveries[0] if deliveries else None
