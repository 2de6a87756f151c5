"""Each destination has an order, a suspension, quiet hours and retries of its own."""

from datetime import timedelta

import pytest

from models import Account, Delivery, Destination, Event
from pingpilot.accounts.categories import change_category
from pingpilot.accounts.destinations import (
    DestinationChange,
    add_destination,
    change_destination,
    remove_destination,
)
from pingpilot.accounts.linking import ChatUser, create_link_code
from pingpilot.accounts.rooms import Room, link_room
from pingpilot.channels import WEBHOOK
from pingpilot.errors import LinkRefused, PermanentFailure, RecipientMoved, TemporaryFailure
from pingpilot.events.deliveries import Selection, retry_deliveries
from tests.support.waiting import eventually, until

from .scripted import Engine

ADMIN = ChatUser("telegram", "42", "grace")
GROUP = "-1001234"


async def room(engine: Engine, account: Account, name: str = "ops", *, topic: str | None = None) -> None:
    """Link a group, or a topic of it, to the account."""
    code = await create_link_code(account, engine.clock.now(), room=name)
    place = Room("telegram", GROUP, "Ops", topic=topic)
    await link_room(ADMIN, place, code.code, now=engine.clock.now())


async def by_destination() -> dict[str, str]:
    return {each.destination: each.status for each in await Delivery.all()}


async def add_webhook(engine: Engine, account: Account, name: str) -> None:
    await add_destination(account, name, WEBHOOK, "https://hooks.example.com/", engine.clock.now())


async def notices() -> list[str]:
    return [each.description for each in await Event.filter(notice=True).order_by("id")]


@pytest.fixture
async def alice(engine: Engine) -> Account:
    """An account with a direct chat and a group."""
    account = await engine.account("alice")
    await room(engine, account)
    return account


async def test_an_event_goes_to_all_of_them(engine: Engine, alice: Account) -> None:
    async with engine.running():
        await engine.post(alice, "one")
        await engine.channel.wait_for_tries(2)

    reached = {(each.recipient.destination, each.recipient.address) for each in engine.channel.tries}
    assert reached == {("telegram", "alice"), ("ops", GROUP)}


async def test_one_that_fails_holds_the_other_up_in_nothing(engine: Engine, alice: Account) -> None:
    async with engine.running():
        engine.channel.fail(TemporaryFailure("busy"))
        await engine.post(alice, "one")
        await engine.channel.wait_for_tries(2)
        await engine.post(alice, "two")
        await engine.channel.wait_for_tries(3)

    [last] = engine.channel.tries[2:]
    assert last.recipient.destination != engine.channel.tries[0].recipient.destination


async def test_a_room_that_is_gone_is_suspended_alone_and_its_owner_told_elsewhere(
    engine: Engine, alice: Account
) -> None:
    async with engine.running():
        engine.channel.fail(PermanentFailure("The bot was kicked", recipient_gone=True))
        await Destination.filter(name="telegram").update(enabled=False)
        await engine.post(alice, "one")
        await engine.channel.wait_for_tries(1)
        await engine.status_is("failed")

    ops = await Destination.get(name="ops")
    assert ops.suspended_reason == "The bot was kicked."
    assert (await Destination.get(name="telegram")).suspended_reason is None
    assert await notices() == []  # nobody is left to be told


async def test_the_direct_chat_is_told_of_a_room_that_is_suspended(engine: Engine, alice: Account) -> None:
    await Destination.filter(name="telegram").update(enabled=False)
    async with engine.running():
        engine.channel.fail(PermanentFailure("The bot was kicked", recipient_gone=True))
        engine.channel.hold()
        await engine.post(alice, "one")
        await engine.channel.wait_for_tries(1)
        await Destination.filter(name="telegram").update(enabled=True)
        engine.channel.release()
        await engine.channel.wait_for_tries(2)

    assert engine.channel.tries[1].recipient.destination == "telegram"
    assert engine.channel.tries[1].notification.description.startswith("The destination 'ops' (Telegram)")


async def test_quiet_hours_are_of_one_alone(engine: Engine, alice: Account) -> None:
    change = DestinationChange(quiet_hours="00:00-23:59")
    await change_destination(alice, "ops", change, engine.clock.now())

    async with engine.running():
        await engine.post(alice, "one")
        await engine.status_is("delivered", "held")
        off = DestinationChange(quiet_hours="off")
        await change_destination(alice, "ops", off, engine.clock.now())
        engine.clock.advance(timedelta(seconds=2))
        await engine.status_is("delivered", "delivered")


async def test_what_waits_for_a_removed_one_fails(engine: Engine, alice: Account) -> None:
    await engine.post(alice, "one")

    await remove_destination(alice, "ops", engine.clock.now())
    async with engine.running():
        await engine.status_is("delivered", "failed")

    failed = await Delivery.get(destination="ops")
    assert failed.last_error == "The destination 'ops' was removed before this could be sent."


async def test_a_group_that_moved_is_followed_with_its_topics(engine: Engine, alice: Account) -> None:
    await room(engine, alice, "deploys", topic="7")
    moved = RecipientMoved("The group moved.", address="-100999", topic=None)
    await Destination.filter(name="telegram").update(enabled=False)

    async with engine.running():
        await Destination.filter(name="deploys").update(enabled=False)
        engine.channel.fail(moved)
        await engine.post(alice, "one")
        await engine.channel.wait_for_tries(1)
        await engine.status_is("pending")  # recorded: from here on the pause before the next try counts
        engine.clock.advance(timedelta(seconds=2))
        await engine.status_is("delivered")

    rows = await Destination.filter(name__in=["ops", "deploys"])
    assert [each.address for each in rows] == ["-100999", "-100999"]
    assert sorted(each.topic or "" for each in rows) == ["", "7"]
    assert all(each.suspended_reason is None for each in rows)
    assert engine.channel.tries[-1].recipient.address == "-100999"
    assert (await Delivery.get()).attempts == 1


async def test_a_topic_that_is_gone_leads_to_its_group_and_the_owner_is_told(
    engine: Engine, alice: Account
) -> None:
    await room(engine, alice, "deploys", topic="7")
    await Destination.filter(name="ops").update(enabled=False)

    async with engine.running():
        await Destination.filter(name="telegram").update(enabled=False)
        engine.channel.fail(RecipientMoved("The topic is gone.", address=GROUP, topic=None))
        engine.channel.hold()
        await engine.post(alice, "one")
        await engine.channel.wait_for_tries(1)
        await Destination.filter(name="telegram").update(enabled=True)
        engine.channel.release()
        await engine.channel.wait_for_tries(2)  # the owner, in the direct chat
        engine.clock.advance(timedelta(seconds=2))
        await engine.channel.wait_for_tries(3)

    row = await Destination.get(name="deploys")
    assert row.kind == "room"
    assert row.topic is None
    assert row.suspended_reason is None
    assert await notices() == [
        "The topic is gone. What goes to 'deploys' comes to the whole room from now on."
    ]


async def test_a_category_goes_to_a_room_and_falls_back_to_another_destination(
    engine: Engine, alice: Account
) -> None:
    await change_category(alice, "sale", {"channels": ["ops"], "fallback": "telegram"})

    async with engine.running():
        engine.channel.fail(PermanentFailure("Too long."))
        await engine.post(alice, "one")
        await engine.status_is("failed", "delivered")

    assert await by_destination() == {"ops": "failed", "telegram": "delivered"}


async def test_two_that_lead_to_one_address_are_kept_apart(engine: Engine, alice: Account) -> None:
    ops = await Destination.get(name="ops")
    await Destination.create(
        account_id=ops.account_id, name="twin", channel="telegram", kind="room", enabled=True, address=GROUP
    )
    await Destination.filter(name="telegram").update(enabled=False)

    async def of_both() -> list[str]:
        return sorted(each.status for each in await Delivery.all())

    async with engine.running():
        engine.channel.fail(PermanentFailure("The bot was kicked", recipient_gone=True))
        await engine.post(alice, "one")
        await eventually(of_both, ["delivered", "failed"])
        await engine.post(alice, "two")
        await eventually(of_both, ["delivered", "delivered", "failed"])

    assert engine.channel.crowds == set()  # one message at a time to an address
    failed = await Delivery.get(status="failed")
    suspended = await Destination.filter(suspended_reason__isnull=False)
    assert [each.name for each in suspended] == [failed.destination]


async def test_what_waited_for_a_removed_one_never_goes_to_a_new_one_of_its_name(
    engine: Engine, alice: Account
) -> None:
    await engine.post(alice, "one")
    await remove_destination(alice, "ops", engine.clock.now())

    with pytest.raises(LinkRefused, match="Messages wait still for the 'ops' that was removed"):
        await room(engine, alice)
    async with engine.running():
        await engine.status_is("delivered", "failed")
        await room(engine, alice)


async def test_what_waited_for_a_removed_one_goes_to_none_of_another_channel(
    engine: Engine, alice: Account
) -> None:
    """Its own channel may have no dispatcher any more, so that it would wait for ever."""
    await engine.post(alice, "one")
    await remove_destination(alice, "ops", engine.clock.now())
    await add_webhook(engine, alice, "ops")

    async with engine.running():
        await engine.status_is("delivered", "failed")

    assert [each.recipient.destination for each in engine.channel.tries] == ["telegram"]


async def test_what_is_being_sent_while_its_destination_is_removed_is_not_tried_for_hours(
    engine: Engine, alice: Account
) -> None:
    await engine.post(alice, "one")
    await Delivery.filter(destination="ops").update(attempts=7)  # the next wait would be of ten hours
    engine.channel.hold()
    engine.channel.fail_always(TemporaryFailure("busy"))

    async with engine.running():
        await engine.channel.wait_for_tries(2)
        await remove_destination(alice, "ops", engine.clock.now())
        engine.channel.release()
        await engine.status_is("pending", "failed")

    assert len(engine.channel.tries) == 2


async def test_a_delivery_goes_over_its_own_channel_alone(engine: Engine, alice: Account) -> None:
    """One that failed, whose destination gave way to another one of its name, is tried again by hand."""
    await engine.post(alice, "one")
    await remove_destination(alice, "ops", engine.clock.now())
    async with engine.running():
        await engine.status_is("delivered", "failed")
        await add_webhook(engine, alice, "ops")
        await retry_deliveries(Selection(destination="ops"), engine.clock.now())
        await engine.look_by()
        await eventually(by_destination, {"telegram": "delivered", "ops": "failed"})

    assert {each.recipient.address for each in engine.channel.tries} >= {"alice"}
    assert "https://hooks.example.com/" not in {each.recipient.address for each in engine.channel.tries}


async def test_an_account_with_many_destinations_leaves_slots_to_others(
    engine: Engine, alice: Account
) -> None:
    """All of alice's end at the same time, and more waits for each of them for longer than bob does."""
    for number in range(4):
        await Destination.create(
            account_id=alice.id,
            name=f"slow-{number}",
            channel="telegram",
            kind="room",
            enabled=True,
            address=f"slow {number}",
        )
    await engine.post(alice, "one", "two", "three")
    bob = await engine.account("bob")
    engine.channel.hold()

    async with engine.running(slots=3):
        await engine.channel.wait_for_tries(3)
        engine.clock.advance(timedelta(minutes=1))
        await engine.post(bob, "to bob")
        engine.channel.release()
        await until(lambda: "to bob" in engine.channel.tried)

    assert engine.channel.tried.index("to bob") < 7  # of alice's 18
