"""Selecting deliveries: what it reads, and what trying them again leaves alone."""

from models import Delivery, Event
from pingpilot.events.deliveries import Selection, count_deliveries, list_deliveries, retry_deliveries
from tests.support.accounts import new_account
from tests.support.clock import ManualClock
from tests.support.failures import failed_deliveries


async def test_only_what_failed_is_tried_again_whatever_is_selected(
    database: str, clock: ManualClock
) -> None:
    alice, bea = [await new_account(clock, f"{name}@example.com", channels=["email"]) for name in ("a", "b")]
    failed = await failed_deliveries(alice, clock, "sale", "bug")
    await failed_deliveries(bea, clock, "sale")
    await Delivery.filter(id=failed[0]).update(status="delivered")

    listed = await list_deliveries(Selection(alice.id, status="failed"))
    retried = await retry_deliveries(Selection(alice.id), clock.now())

    assert [each.id for each in listed] == failed[1:]
    assert retried == {"email": 1}
    assert await count_deliveries(Selection(status="failed")) == 1
    assert await count_deliveries(Selection(status="pending")) == 1


async def test_a_title_stands_before_what_the_event_said(database: str, clock: ManualClock) -> None:
    account = await new_account(clock, channels=["email"])
    [delivery_id] = await failed_deliveries(account, clock, "sale")
    event_id = (await Delivery.get(id=delivery_id)).event_id
    [plain] = await list_deliveries(Selection(account.id))
    await Event.filter(id=event_id).update(title="Order 1042")

    [titled] = await list_deliveries(Selection(account.id))

    assert titled.summary == f"Order 1042: {plain.summary}"
