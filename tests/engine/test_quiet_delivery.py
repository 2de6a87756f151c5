"""Quiet hours at work: deliveries wait or whisper, what is urgent passes, and all comes out in the end."""

from datetime import timedelta

from models import Account, Destination
from pingpilot.accounts.categories import change_category
from pingpilot.accounts.linking import ChatUser, create_link_code, link, unlink
from pingpilot.accounts.preferences import AccountChange, ChannelChange, change_account
from pingpilot.accounts.quiet_hours import mute, set_quiet_hours
from pingpilot.channels import Rate
from pingpilot.delivery.claiming import Claimer, Wish
from pingpilot.errors import PermanentFailure
from tests.support.events import accept
from tests.support.waiting import eventually

from .scripted import Engine, deliveries, outcomes, statuses

HOUR = timedelta(hours=1)
NOW_TO_ONE = "12:00-13:00"  # the tests' clock begins at noon


async def test_in_quiet_hours_deliveries_wait_for_their_end_in_order(engine: Engine, alice: Account) -> None:
    await set_quiet_hours(alice, "telegram", NOW_TO_ONE, silently=False, now=engine.clock.now())
    await engine.post(alice, "first", "second")

    async with engine.running():
        await eventually(statuses, ["held", "held"])
        waiting, tried = await deliveries(), list(engine.channel.tried)
        engine.clock.advance(HOUR)
        await engine.status_is("delivered", "delivered")

    assert tried == []
    assert {each.next_attempt_at for each in waiting} == {engine.clock.now()}
    assert {each.attempts for each in waiting} == {0}
    assert engine.channel.delivered == ["first", "second"]
    assert await outcomes() == ["delivered"]


async def test_silently_they_go_out_without_a_sound(engine: Engine, alice: Account) -> None:
    await set_quiet_hours(alice, "telegram", NOW_TO_ONE, silently=True, now=engine.clock.now())
    await engine.post(alice, "whispered")

    async with engine.running():
        await engine.status_is("delivered")
        engine.clock.advance(HOUR)
        await engine.post(alice, "said aloud")
        await engine.status_is("delivered", "delivered")

    assert [each.silent for each in engine.channel.taken] == [True, False]


async def test_what_is_urgent_passes_what_waits(engine: Engine, alice: Account) -> None:
    await set_quiet_hours(alice, "telegram", NOW_TO_ONE, silently=False, now=engine.clock.now())
    await engine.post(alice, "not so urgent")

    async with engine.running():
        await eventually(statuses, ["held"])
        await change_category(alice, "sale", {"urgent": True})
        await engine.post(alice, "urgent")
        await engine.status_is("held", "delivered")

    assert engine.channel.delivered == ["urgent"]


async def test_what_is_urgent_stands_in_no_line_behind_what_waits(engine: Engine, alice: Account) -> None:
    await set_quiet_hours(alice, "telegram", NOW_TO_ONE, silently=False, now=engine.clock.now())
    await change_category(alice, "bug", {"urgent": True})
    await accept(alice, engine.clock, *["sale"] * 5, "bug")
    one_a_second = Rate(per_second=1, burst=1)

    async with engine.running(pace=(None, one_a_second)):
        await engine.status_is(*["held"] * 5, "delivered")

    assert engine.channel.delivered == ["Something about bug"]


async def test_what_waits_is_put_aside_in_one_go(engine: Engine, alice: Account) -> None:
    await set_quiet_hours(alice, "telegram", NOW_TO_ONE, silently=False, now=engine.clock.now())
    await engine.post(alice, *(f"number {number}" for number in range(5)))

    [claim] = await Claimer().claim(Wish("telegram", "daemon-1", 50, engine.clock.now()))

    assert sorted(claim.delivery_ids) == [each.id for each in await deliveries()]
    assert claim.hold_until == engine.clock.now() + HOUR


async def test_one_accounts_quiet_hours_are_no_others(engine: Engine, alice: Account, bob: Account) -> None:
    await mute(alice, "telegram", engine.clock.now() + HOUR, now=engine.clock.now())
    await engine.post(alice, "to alice")
    await engine.post(bob, "to bob")

    async with engine.running():
        await engine.status_is("held", "delivered")

    assert engine.channel.delivered == ["to bob"]


async def test_unmuting_lets_through_what_was_held(engine: Engine, alice: Account) -> None:
    await mute(alice, "telegram", engine.clock.now() + 48 * HOUR, now=engine.clock.now())
    await engine.post(alice, "held back")

    async with engine.running():
        await eventually(statuses, ["held"])
        await mute(alice, "telegram", until=None, now=engine.clock.now())
        engine.clock.advance(timedelta(seconds=1))
        await engine.status_is("delivered")


async def test_what_was_held_for_one_chat_goes_at_once_to_the_next(engine: Engine, alice: Account) -> None:
    await mute(alice, "telegram", engine.clock.now() + 48 * HOUR, now=engine.clock.now())
    await engine.post(alice, "held back")

    async with engine.running():
        await eventually(statuses, ["held"])
        code = (await create_link_code(alice, engine.clock.now())).code
        await link(ChatUser("telegram", "5", "bob"), code, address="new chat", now=engine.clock.now())
        engine.clock.advance(timedelta(seconds=1))
        await engine.status_is("delivered")

    assert engine.channel.tries[-1].recipient.address == "new chat"


async def test_what_was_held_fails_with_the_chat_that_is_unlinked(engine: Engine, alice: Account) -> None:
    await set_quiet_hours(alice, "telegram", NOW_TO_ONE, silently=False, now=engine.clock.now())
    await engine.post(alice, "held back")

    async with engine.running():
        await eventually(statuses, ["held"])
        await unlink(alice, "telegram", engine.clock.now())
        engine.clock.advance(timedelta(seconds=1))
        await engine.status_is("failed")


async def test_what_was_held_fails_with_the_channel_that_is_switched_off(
    engine: Engine, alice: Account
) -> None:
    await set_quiet_hours(alice, "telegram", NOW_TO_ONE, silently=False, now=engine.clock.now())
    await engine.post(alice, "held back")
    off = AccountChange(channels={"telegram": ChannelChange(enabled=False)})

    async with engine.running():
        await eventually(statuses, ["held"])
        await change_account(alice, off, engine.clock.now())
        engine.clock.advance(timedelta(seconds=1))
        await engine.status_is("failed")


async def test_a_recipient_that_is_gone_takes_what_is_held_along(engine: Engine, alice: Account) -> None:
    await mute(alice, "telegram", engine.clock.now() + HOUR, now=engine.clock.now())
    await engine.post(alice, "held back")
    engine.channel.fail(PermanentFailure("Blocked.", recipient_gone=True))

    async with engine.running():
        await eventually(statuses, ["held"])
        await change_category(alice, "sale", {"urgent": True})
        await engine.post(alice, "urgent")
        await engine.status_is("failed", "failed")

    assert (await Destination.get(account_id=alice.id, channel="telegram")).suspended_reason == "Blocked."
