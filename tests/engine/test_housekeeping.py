"""Housekeeping: old events go, open deliveries and recent events never, many batches in one go."""

from datetime import timedelta
from uuid import UUID

from models import Delivery, DeliveryAttempt, DeliveryStatus, Event, IdempotencyKey
from models.ids import first_id_at
from pingpilot.storage.housekeeping import BATCH, Housekeeper
from tests.support.accounts import new_account
from tests.support.clock import ManualClock

RETENTION = timedelta(days=90)


async def test_settled_events_beyond_the_retention_go_with_all_that_hangs_on_them(
    database: str, clock: ManualClock
) -> None:
    account = await new_account(clock)
    old = await _event(account.id, clock, days_ago=91, status=DeliveryStatus.DELIVERED)
    recent = await _event(account.id, clock, days_ago=89, status=DeliveryStatus.DELIVERED)

    removed = await Housekeeper(clock=clock, retention=RETENTION).tidy()

    assert removed == 1
    assert [each.id for each in await Event.all()] == [recent.id]
    assert not await Delivery.exists(event_id=old.id)
    assert await DeliveryAttempt.all().count() == 1


async def test_an_open_delivery_keeps_its_event_however_old(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    for status in (DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.FAILED):
        await _event(account.id, clock, days_ago=400, status=status)

    removed = await Housekeeper(clock=clock, retention=RETENTION).tidy()

    left = {delivery.status for delivery in await Delivery.all()}
    assert removed == 1
    assert left == {DeliveryStatus.PENDING, DeliveryStatus.SENDING}


async def test_more_than_a_batch_goes_in_one_go(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    first = first_id_at(clock.now() - timedelta(days=100)).int
    await Event.bulk_create(
        [
            Event(
                id=UUID(int=first + number),
                account_id=account.id,
                category="sale",
                description="Sold",
                fields_json="{}",
                created_at=clock.now() - timedelta(days=100),
            )
            for number in range(BATCH + 5)
        ]
    )

    removed = await Housekeeper(clock=clock, retention=RETENTION).tidy()

    assert removed == BATCH + 5
    assert not await Event.exists()


async def test_idempotency_keys_go_after_their_day(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    event = await _event(account.id, clock, days_ago=2, status=DeliveryStatus.DELIVERED)
    for key, hours in (("old", 25), ("fresh", 23)):
        created_at = clock.now() - timedelta(hours=hours)
        await IdempotencyKey.create(
            account_id=account.id, key=key, body_hash="", event_id=event.id, created_at=created_at
        )

    await Housekeeper(clock=clock, retention=RETENTION).tidy()

    assert [each.key for each in await IdempotencyKey.all()] == ["fresh"]


async def _event(account_id: int, clock: ManualClock, *, days_ago: int, status: DeliveryStatus) -> Event:
    at = clock.now() - timedelta(days=days_ago)
    event = await Event.create(
        id=UUID(int=first_id_at(at).int + await Event.all().count()),
        account_id=account_id,
        category="sale",
        description="Sold",
        fields_json="{}",
        created_at=at,
    )
    delivery = await Delivery.create(
        event_id=event.id,
        account_id=account_id,
        channel="email",
        destination="email",
        status=status,
        next_attempt_at=at,
    )
    await DeliveryAttempt.create(delivery_id=delivery.id, started_at=at, duration_ms=1, outcome="delivered")
    return event
