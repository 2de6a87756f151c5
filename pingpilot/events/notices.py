"""Notices: what PingPilot itself has to tell an account's owner, sent like any event but never charged."""

from collections.abc import Iterable
from datetime import datetime

from models import AccountChannel, Delivery, DeliveryStatus, Event

SENDER = "PingPilot"
"""A notice's category; no account can have one of this name."""
EMOJI, COLOR = "🔔", "#4f8cff"


async def post_notice(
    account_id: int,
    text: str,
    *,
    channels: Iterable[str] | None = None,
    now: datetime,
) -> None:
    """Queue a notice for the named channels, by default for all of the account that still work.

    Within a transaction, the notice is part of it.
    """
    targets = list(channels) if channels is not None else await working_channels(account_id)
    if not targets:
        return
    event = await Event.create(
        account_id=account_id,
        category=SENDER,
        description=text,
        fields_json="{}",
        notice=True,
        created_at=now,
    )
    for channel in targets:
        await Delivery.create(
            event_id=event.id,
            account_id=account_id,
            channel=channel,
            status=DeliveryStatus.PENDING,
            next_attempt_at=now,
        )


async def working_channels(account_id: int) -> list[str]:
    """Return the account's channels that are switched on, linked and not suspended."""
    rows = await AccountChannel.filter(
        account_id=account_id, enabled=True, address__isnull=False, suspended_reason__isnull=True
    )
    return [row.channel for row in rows]
