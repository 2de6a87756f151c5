"""Deliveries that failed, for tests of what comes after."""

from datetime import timedelta

from models import Account, AttemptOutcome, Delivery, DeliveryAttempt, DeliveryStatus
from tests.support.clock import ManualClock
from tests.support.events import accept

REASON = "Mailbox full."


async def failed_deliveries(
    account: Account, clock: ManualClock, *categories: str, channel: str = "email", description: str = ""
) -> list[int]:
    """Accept one event of each category and let its delivery fail on this channel, while the others arrive.

    Returns the ids of the failed deliveries, oldest first. The clock is a minute ahead after each.
    """
    failed = []
    for category in categories:
        [accepted] = await accept(account, clock, category, description=description)
        await Delivery.filter(event_id=accepted.event_id).update(status=DeliveryStatus.DELIVERED)
        delivery = await Delivery.get(event_id=accepted.event_id, channel=channel)
        await _fail(delivery, clock)
        failed.append(delivery.id)
        clock.advance(timedelta(minutes=1))
    return failed


async def _fail(delivery: Delivery, clock: ManualClock) -> None:
    delivery.status, delivery.attempts, delivery.last_error = DeliveryStatus.FAILED, 1, REASON
    await delivery.save()
    await DeliveryAttempt.create(
        delivery_id=delivery.id,
        started_at=clock.now(),
        duration_ms=5,
        outcome=AttemptOutcome.FAILED,
        reason=REASON,
    )
