"""Notices: what PingPilot itself has to tell an account's owner, sent like any event but never charged."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from models import Account, AccountChannel, Delivery, DeliveryStatus, Event
from models.database import transaction, unit_of_work
from models.ids import first_id_at

SENDER = "PingPilot"
"""A notice's category; no account can have one of this name."""
EMOJI, COLOR = "🔔", 0x4F8CFF


async def post_notice(
    account_id: int,
    text: str,
    *,
    channels: Iterable[str] | None = None,
    now: datetime,
) -> set[str]:
    """Queue a notice for the named channels, by default for all of the account that can be used.

    Returns the channels that have something to do now. Within a transaction, the notice is part of it.
    """
    usable = AccountChannel.usable(account_id)
    targets = set(channels) if channels is not None else {row.channel for row in await usable}
    if not targets:
        return targets
    event = await Event.create(
        account_id=account_id,
        category=SENDER,
        description=text,
        fields_json="{}",
        notice=True,
        created_at=now,
    )
    for channel in sorted(targets):
        await Delivery.create(
            event_id=event.id,
            account_id=account_id,
            channel=channel,
            status=DeliveryStatus.PENDING,
            next_attempt_at=now,
        )
    return targets


@unit_of_work
async def post_notice_once(account_id: int, text: str, *, within: timedelta, now: datetime) -> set[str]:
    """Queue a notice for all channels that can be used, unless one of these words went out `within`.

    Returns the channels that have something to do now.
    """
    async with transaction():
        await Account.lock(account_id)
        recent = Event.filter(
            account_id=account_id, id__gte=first_id_at(now - within), created_at__gt=now - within
        )
        if await recent.filter(notice=True, description=text).exists():
            return set()
        return await post_notice(account_id, text, now=now)
