"""Notices: what PingPilot itself has to tell an account's owner, sent like any event but never charged."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tortoise.queryset import QuerySet

from models import Account, Delivery, DeliveryStatus, Destination, DestinationKind, Event
from models.database import transaction, unit_of_work
from models.ids import first_id_at
from models.sql import as_uuid
from pingpilot.clock import SKEW
from pingpilot.errors import TooMany

SENDER = "PingPilot"
"""A notice's category; no account can have one of this name."""
EMOJI, COLOR = "🔔", 0x4F8CFF
MOST_TESTS = 60
"""Test notifications that a destination may be sent in an hour."""


async def post_notice(
    account_id: int,
    text: str,
    *,
    only: str | None = None,
    but: str | None = None,
    now: datetime,
) -> set[str]:
    """Queue a notice for the account's direct destinations that can be used, since elsewhere others read it.

    `only` names the one destination it is for, whichever that is; `but` one that is left out. Returns the
    channels that have something to do now. Within a transaction, the notice is part of it.
    """
    if only is None:
        direct = Destination.usable(account_id).filter(kind=DestinationKind.DIRECT)
        targets = [each for each in await direct if each.name != but]
    else:
        targets = await Destination.filter(account_id=account_id, name=only)
    if not targets:
        return set()
    await _queue(account_id, text, targets, now)
    return {target.channel for target in targets}


def _test_text(name: str) -> str:
    return f"This is a test: notifications to '{name}' arrive here."


@unit_of_work
async def post_test(destination: Destination, now: datetime) -> UUID:
    """Queue a test notification for one destination; return its event's id.

    It is charged to nobody. Raises `TooMany` beyond `MOST_TESTS` an hour.
    """
    async with transaction():
        await Account.lock(destination.account_id)
        text = _test_text(destination.name)
        recent = _recent(destination.account_id, timedelta(hours=1), now)
        if await recent.filter(notice=True, description=text).count() >= MOST_TESTS:
            raise TooMany(
                f"'{destination.name}' was sent {MOST_TESTS} test notifications in an hour: wait a little."
            )
        return await _queue(destination.account_id, text, [destination], now)


async def latest_tests(destinations: Sequence[Destination], now: datetime) -> dict[str, Delivery]:
    """Return the last test notification to each of an account's destinations in an hour, by name."""
    if not destinations:
        return {}
    account_id = destinations[0].account_id
    texts = [_test_text(each.name) for each in destinations]
    recent = _recent(account_id, timedelta(hours=1), now)
    events = await recent.filter(category=SENDER, notice=True, description__in=texts).values_list(
        "id", flat=True
    )
    if not events:
        return {}
    found = await Delivery.filter(event_id__in=events).order_by("id")
    return {each.destination: each for each in found}


async def _queue(account_id: int, text: str, targets: Sequence[Destination], now: datetime) -> UUID:
    event = await Event.create(
        account_id=account_id,
        category=SENDER,
        description=text,
        fields_json="{}",
        notice=True,
        created_at=now,
    )
    for target in sorted(targets, key=lambda each: each.name):
        await Delivery.create(
            event_id=event.id,
            account_id=account_id,
            channel=target.channel,
            destination=target.name,
            lane=target.lane,
            status=DeliveryStatus.PENDING,
            next_attempt_at=now,
        )
    return as_uuid(event.id)


@unit_of_work
async def post_notice_once(account_id: int, text: str, *, within: timedelta, now: datetime) -> set[str]:
    """Queue a notice as `post_notice` does, unless one of these words went out `within`.

    Returns the channels that have something to do now.
    """
    async with transaction():
        await Account.lock(account_id)
        recent = _recent(account_id, within, now)
        if await recent.filter(notice=True, description=text).exists():
            return set()
        return await post_notice(account_id, text, now=now)


def _recent(account_id: int, within: timedelta, now: datetime) -> QuerySet[Event]:
    """Return the account's events of the time before; those of a clock that was ahead are none of them."""
    lately = Event.filter(account_id=account_id, id__gte=first_id_at(now - within))
    return lately.filter(created_at__gt=now - within, created_at__lte=now + SKEW)
