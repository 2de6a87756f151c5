"""A category's fallback channel: used where another fails for good, once an event."""

import asyncio

import pytest

from models import Account, Category, Delivery, Destination
from models.database import connection, in_one_go
from models.sql import is_postgres
from pingpilot.channels import DISCORD, EMAIL, TELEGRAM
from pingpilot.delivery.journal import fallback_deliveries
from pingpilot.errors import PermanentFailure, TemporaryFailure
from tests.support.accounts import link_chat

from .scripted import Engine, delivery

REFUSED = PermanentFailure("The message was refused.")
GONE = PermanentFailure("The bot was blocked by the user.", recipient_gone=True)


async def use_fallback(account: Account, name: str = EMAIL.name) -> None:
    await Destination.filter(account_id=account.id, channel=EMAIL.name).update(enabled=True)
    await Category.filter(account_id=account.id, name="sale").update(channels=TELEGRAM.name, fallback=name)


async def queued(channel: str = EMAIL.name) -> list[Delivery]:
    return await Delivery.filter(channel=channel).order_by("id")


async def fall_back_from(failed: Delivery) -> None:
    await in_one_go(fallback_deliveries([failed.id], locks=is_postgres(connection())))


async def test_what_is_delivered_needs_no_fallback(engine: Engine, alice: Account) -> None:
    await use_fallback(alice)
    await engine.post(alice, "one")

    async with engine.running():
        await engine.status_is("delivered")

    assert await queued() == []


async def test_what_fails_for_good_goes_to_the_fallback(engine: Engine, alice: Account) -> None:
    await use_fallback(alice)
    engine.channel.fail(REFUSED)
    await engine.post(alice, "one")

    async with engine.running():
        await engine.status_is("failed")

    (fallback,) = await queued()
    failed = await delivery()
    assert (fallback.status, fallback.attempts, fallback.fallback_for) == ("pending", 0, failed.id)
    assert fallback.event_id == failed.event_id
    assert fallback.next_attempt_at is not None
    assert fallback.next_attempt_at <= engine.clock.now()


async def test_what_is_tried_again_does_not_go_to_the_fallback_yet(engine: Engine, alice: Account) -> None:
    await use_fallback(alice)
    engine.channel.fail(TemporaryFailure("Telegram is busy."))
    await engine.post(alice, "one")

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        await engine.look_by()

    assert await queued() == []


async def test_all_that_waits_for_a_recipient_that_is_gone_goes_to_the_fallback(
    engine: Engine, alice: Account
) -> None:
    await use_fallback(alice)
    engine.channel.fail(GONE)
    await engine.post(alice, "one", "two", "three")

    async with engine.running():
        await engine.status_is("failed", "failed", "failed")

    fallbacks = [each for each in await queued() if each.fallback_for]
    assert len({each.event_id for each in fallbacks}) == 3


async def test_later_events_go_to_the_fallback_at_once(engine: Engine, alice: Account) -> None:
    await use_fallback(alice)
    await Destination.filter(account_id=alice.id, channel=TELEGRAM.name).update(suspended_reason="gone")

    await engine.post(alice, "one")

    assert [each.fallback_for for each in await queued()] == [None]
    assert await queued(TELEGRAM.name) == []


async def test_a_fallback_that_is_off_or_gone_is_not_used(engine: Engine, alice: Account) -> None:
    await use_fallback(alice)
    await Destination.filter(account_id=alice.id, channel=EMAIL.name).update(enabled=False)
    engine.channel.fail(REFUSED)
    await engine.post(alice, "one")

    async with engine.running():
        await engine.status_is("failed")

    assert await queued() == []


async def test_an_event_has_one_fallback_delivery_however_many_channels_fail(
    engine: Engine, alice: Account
) -> None:
    await link_chat(alice, DISCORD.name, engine.clock)
    await use_fallback(alice)
    await Category.filter(account_id=alice.id, name="sale").update(channels="discord,telegram")
    await engine.post(alice, *(str(number) for number in range(20)))
    await Delivery.all().update(status="failed")
    failed = await Delivery.all().order_by("id")

    await asyncio.gather(*(fall_back_from(each) for each in failed))

    assert len(failed) == 40
    assert len(await queued()) == 20


async def test_a_fallback_that_fails_too_has_no_fallback(engine: Engine, alice: Account) -> None:
    await use_fallback(alice)
    await Category.filter(account_id=alice.id, name="sale").update(
        channels=EMAIL.name, fallback=TELEGRAM.name
    )
    engine.channel.fail(REFUSED)
    await engine.post(alice, "one")
    (first,) = await queued()
    await Delivery.filter(id=first.id).update(status="failed")
    await fall_back_from(first)

    async with engine.running():
        await engine.status_is("failed")

    assert await Delivery.all().count() == 2


@pytest.mark.parametrize(
    ("own", "fallback", "counted"),
    [
        ("failed", "pending", []),
        ("failed", "delivered", []),
        ("failed", "failed", [2]),
        ("delivered", "failed", []),
    ],
)
async def test_a_failure_counts_where_nothing_makes_up_for_it(
    own: str, fallback: str, counted: list[int]
) -> None:
    first = Delivery(id=1, channel=TELEGRAM.name, status=own)
    second = Delivery(id=2, channel=EMAIL.name, status=fallback, fallback_for=1)

    failed = Delivery.failed_for_good([first, second])

    assert [each.id for each in failed] == counted
