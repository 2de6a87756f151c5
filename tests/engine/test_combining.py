"""Many deliveries for one recipient go out as one message: the newest in full, the rest counted."""

from datetime import timedelta

import pytest

from models import Account, Delivery, DeliveryAttempt
from pingpilot.accounts.categories import change_category
from pingpilot.accounts.quiet_hours import set_quiet_hours
from pingpilot.delivery.channel import Notification
from pingpilot.delivery.claims import COMBINES_FROM
from pingpilot.errors import PermanentFailure, RateLimited, TemporaryFailure
from pingpilot.events.submission import Submission
from tests.support.events import accept, caller_for
from tests.support.waiting import eventually

from .scripted import Engine, deliveries, outcomes, statuses


@pytest.fixture
async def busy(engine: Engine) -> Account:
    """An account whose events may be combined."""
    return await engine.account("busy", combine=True)


async def test_the_newest_is_shown_and_the_rest_counted_by_category(engine: Engine, busy: Account) -> None:
    await accept(busy, engine.clock, *["bug"] * 3, *["sale"] * 2, "question")

    async with engine.running():
        await engine.status_is(*["delivered"] * 6)

    [message] = engine.channel.taken
    assert message.category == "question"
    assert message.description == "Something about question\n\n5 more: 3 bug, 2 sale"


async def test_the_newest_ones_title_and_link_are_shown(engine: Engine, busy: Account) -> None:
    caller = await caller_for(busy, engine.clock)
    for number in range(6):
        title, url = f"Order {number}", f"https://shop.example/{number}"
        await engine.intake.submit(Submission(caller, "sale", "Paid", "{}", title=title, url=url))

    async with engine.running():
        await engine.status_is(*["delivered"] * 6)

    [message] = engine.channel.taken
    assert (message.title, message.url) == ("💰 Order 5", "https://shop.example/5")


async def test_each_delivery_has_its_own_record(engine: Engine, busy: Account) -> None:
    await engine.post(busy, *(f"number {number}" for number in range(6)))

    async with engine.running():
        await engine.status_is(*["delivered"] * 6)

    rows = await deliveries()
    assert [each.attempts for each in rows] == [1] * 6
    assert {each.delivered_at for each in rows} == {engine.clock.now()}
    assert {row.delivery_id for row in await DeliveryAttempt.all()} == {each.id for each in rows}


async def test_a_few_go_out_one_by_one(engine: Engine, busy: Account) -> None:
    texts = [f"number {number}" for number in range(COMBINES_FROM - 1)]
    await engine.post(busy, *texts)

    async with engine.running():
        await engine.status_is(*["delivered"] * len(texts))

    assert engine.channel.delivered == texts


async def test_an_account_may_have_each_by_itself(engine: Engine, alice: Account) -> None:
    texts = [f"number {number}" for number in range(8)]
    await engine.post(alice, *texts)

    async with engine.running():
        await engine.status_is(*["delivered"] * 8)

    assert engine.channel.delivered == texts


async def test_a_retry_sends_the_same_set_again_and_later_ones_after_it(
    engine: Engine, busy: Account
) -> None:
    engine.channel.fail(TemporaryFailure("Busy."))
    await engine.post(busy, *(f"number {number}" for number in range(5)))

    async with engine.running():
        await eventually(outcomes, ["retry"])
        await engine.post(busy, *(f"later {number}" for number in range(5)))
        engine.clock.advance(timedelta(seconds=10))
        await engine.status_is(*["delivered"] * 10)

    first, again, later = (each.notification for each in engine.channel.tries)
    assert _identity(first) == _identity(again)
    assert first.description == again.description == "number 4\n\n4 more: 4 sale"
    assert later.description == "later 4\n\n4 more: 4 sale"


async def test_a_rate_limit_counts_for_none_of_them(engine: Engine, busy: Account) -> None:
    engine.channel.fail(RateLimited("Slow down.", retry_after=timedelta(minutes=1), whole_channel=False))
    await engine.post(busy, *(f"number {number}" for number in range(5)))

    async with engine.running():
        await eventually(outcomes, ["rate_limited"])
        waiting = await deliveries()
        engine.clock.advance(timedelta(minutes=1))
        await engine.status_is(*["delivered"] * 5)

    assert {each.attempts for each in waiting} == {0}


async def test_a_message_that_is_refused_fails_the_event_it_shows_alone(
    engine: Engine, busy: Account
) -> None:
    engine.channel.fail(PermanentFailure("Can't be shown."))
    await engine.post(busy, *(f"number {number}" for number in range(5)))

    async with engine.running():
        await engine.status_is(*["delivered"] * 4, "failed")

    assert engine.channel.delivered == ["number 3\n\n3 more: 3 sale"]


async def test_a_recipient_that_is_gone_fails_them_all(engine: Engine, busy: Account) -> None:
    engine.channel.fail(PermanentFailure("Blocked.", recipient_gone=True))
    await engine.post(busy, *(f"number {number}" for number in range(5)))

    async with engine.running():
        await engine.status_is(*["failed"] * 5)

    assert {each.last_error for each in await deliveries()} == {"Blocked."}


async def test_quiet_hours_hold_each_of_them(engine: Engine, busy: Account) -> None:
    await set_quiet_hours(busy, "telegram", "12:00-13:00", silently=False, now=engine.clock.now())
    await engine.post(busy, *(f"number {number}" for number in range(5)))

    async with engine.running():
        await eventually(statuses, ["held"] * 5)
        engine.clock.advance(timedelta(hours=1))
        await engine.status_is(*["delivered"] * 5)

    assert engine.channel.delivered == ["number 4\n\n4 more: 4 sale"]


async def test_in_quiet_hours_an_urgent_one_goes_out_alone(engine: Engine, busy: Account) -> None:
    await set_quiet_hours(busy, "telegram", "12:00-13:00", silently=False, now=engine.clock.now())
    await change_category(busy, "bug", {"urgent": True})
    await accept(busy, engine.clock, "bug", *["sale"] * 5)

    async with engine.running():
        await eventually(statuses, ["delivered", *["held"] * 5])

    assert engine.channel.delivered == ["Something about bug"]


async def test_in_quiet_hours_urgent_ones_are_combined_with_their_like(engine: Engine, busy: Account) -> None:
    await set_quiet_hours(busy, "telegram", "12:00-13:00", silently=False, now=engine.clock.now())
    await change_category(busy, "bug", {"urgent": True})
    await accept(busy, engine.clock, *["bug", "sale"] * 5)

    async with engine.running():
        await eventually(statuses, ["delivered", "held"] * 5)

    assert engine.channel.delivered == ["Something about bug\n\n4 more: 4 bug"]


async def test_in_silent_hours_they_are_combined_without_a_sound(engine: Engine, busy: Account) -> None:
    await set_quiet_hours(busy, "telegram", "12:00-13:00", silently=True, now=engine.clock.now())
    await accept(busy, engine.clock, *["bug"] * 3, *["sale"] * 2)

    async with engine.running():
        await engine.status_is(*["delivered"] * 5)

    [message] = engine.channel.taken
    assert message.description == "Something about sale\n\n4 more: 3 bug, 1 sale"
    assert message.silent


async def test_in_silent_hours_an_urgent_one_among_them_is_heard(engine: Engine, busy: Account) -> None:
    await set_quiet_hours(busy, "telegram", "12:00-13:00", silently=True, now=engine.clock.now())
    await change_category(busy, "bug", {"urgent": True})
    await accept(busy, engine.clock, "bug", *["sale"] * 4)

    async with engine.running():
        await engine.status_is(*["delivered"] * 5)

    [message] = engine.channel.taken
    assert message.description == "Something about sale\n\n4 more: 3 sale, 1 bug"
    assert not message.silent


async def test_what_is_combined_and_interrupted_goes_back_whole(engine: Engine, busy: Account) -> None:
    engine.channel.hold()
    await engine.post(busy, *(f"number {number}" for number in range(5)))

    async with engine.running():
        await engine.channel.wait_for_tries(1)

    assert await statuses() == ["pending"] * 5
    assert await Delivery.filter(leased_by__isnull=False).count() == 0


@pytest.mark.parametrize("count", [1, 5])
async def test_what_was_interrupted_goes_out_as_the_same_message_again(
    engine: Engine, busy: Account, count: int
) -> None:
    engine.channel.hold()
    await engine.post(busy, *(f"number {number}" for number in range(count)))
    async with engine.running():
        await engine.channel.wait_for_tries(1)
    engine.clock.advance(timedelta(seconds=1))
    await engine.post(busy, *(f"later {number}" for number in range(5)))
    engine.channel.release()

    async with engine.running():
        await engine.status_is(*["delivered"] * (count + 5))

    first, again, later = (each.notification for each in engine.channel.tries)
    assert _identity(first) == _identity(again)
    assert first.description == again.description
    assert later.description == "later 4\n\n4 more: 4 sale"


async def test_a_backlog_of_one_account_delays_no_other(engine: Engine, alice: Account) -> None:
    caller = await engine.post(alice, "the first of many")
    [first] = await deliveries()
    backlog = [
        Delivery(
            event_id=first.event_id,
            account_id=caller.account_id,
            channel="telegram",
            destination="telegram",
            status="pending",
            next_attempt_at=engine.clock.now(),
        )
        for _ in range(10_000)
    ]
    await Delivery.bulk_create(backlog, batch_size=1000)
    bob = await engine.account("bob")

    async with engine.running():
        await engine.channel.wait_for_tries(3)
        await engine.post(bob, "to bob")
        before = len(engine.channel.tries)
        await eventually(lambda: _is_delivered("to bob", engine), True)

    between = engine.channel.delivered.index("to bob") - before
    assert between <= 10
    assert await Delivery.filter(account_id=alice.id, status="pending").count() > 9_900


async def _is_delivered(text: str, engine: Engine) -> bool:
    return text in engine.channel.delivered


def _identity(notification: Notification) -> tuple[object, int]:
    return notification.event_id, notification.delivery_id
