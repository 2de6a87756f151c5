"""A suspended account: what waits for it is held, and goes out in its order once that ends."""

from datetime import timedelta

from models import Account
from pingpilot.accounts.accounts import resume_account, suspend_account
from pingpilot.accounts.categories import change_category
from pingpilot.accounts.quiet_hours import LOOKED_AT_AGAIN, set_quiet_hours
from pingpilot.cluster.mandate import Always
from pingpilot.delivery.queue import DeliveryQueue
from tests.support.waiting import comes_true, eventually

from .scripted import Engine, deliveries, statuses


async def test_what_waits_is_held_and_goes_out_afterwards(
    engine: Engine, alice: Account, bob: Account
) -> None:
    await set_quiet_hours(alice, "telegram", "12:00-13:00", silently=True, now=engine.clock.now())
    await engine.post(alice, "first")
    await suspend_account(alice, engine.clock.now())
    await change_category(alice, "sale", {"urgent": True})
    await engine.post(alice, "second")
    await engine.post(bob, "another's")

    async def is_held_for_longer() -> bool:
        own = [each for each in await deliveries() if each.account_id == alice.id]
        return all(
            each.status == "held" and each.next_attempt_at and each.next_attempt_at > engine.clock.now()
            for each in own
        )

    async with engine.running():
        await eventually(statuses, ["held", "held", "delivered"])
        engine.clock.advance(LOOKED_AT_AGAIN + timedelta(seconds=1))  # looked at anew, and held again
        await comes_true(is_held_for_longer, "them to be held again")
        queue = DeliveryQueue(channel="telegram", mandate=Always("another"))
        brought_forward = await queue.bring_forward(engine.clock.now(), asked_for=timedelta(hours=1))
        tried = list(engine.channel.tried)
        await resume_account(alice, engine.clock.now())
        engine.clock.advance_seconds(1)
        await engine.status_is("delivered", "delivered", "delivered")

    assert tried == ["another's"]
    assert brought_forward == 0
    assert engine.channel.delivered == ["another's", "first", "second"]
    assert {each.attempts for each in await deliveries()} == {1}
