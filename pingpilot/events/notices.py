"""Notices: what PingPilot itself has to tell an account's owner, sent like any event but never charged."""

from collections.abc import Iterable
from datetime import datetime

from models import AccountChannel, Delivery, DeliveryStatus, Event

SENDER = "PingPilot"
"""A notice's category; no account can have one of this name."""
EMOJI, COLOR = "🔔", 0x4F8CFF


async def post_notice(
    account_id: int,
    text: str,
    *,
    channels: Iterable[str] | None = None,
    now: datetime,
) -> None:
    """Queue a notice for the named channels, by default for all of the account that can be used.

    Within a transaction, the notice is part of it.
    """
    usable = AccountChannel.usable(account_id)
    targets = list(channels) if channels is not None else [row.channel for row in await usable]
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
