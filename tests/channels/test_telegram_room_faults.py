"""What each fault of Telegram's rooms means for a delivery: the table of docs/delivery.md, over sockets."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from models import Delivery, Destination, DestinationKind
from pingpilot.channels import EMAIL, TELEGRAM
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramRoom, TelegramStandIn
from tests.engine.scripted import WatchedClock
from tests.support.waiting import eventually, until

from .test_fault_matrix import told
from .world import ALICE, World, new_world

ME = ALICE.on_telegram
Happens = Callable[[World, TelegramRoom], object]


def refuses(status: int, description: str) -> Happens:
    """Let the next message be refused with these words."""
    fault = Fault.error(status, description)
    return lambda world, _room: world.telegram.faults.add(fault, route="sendMessage")


LOST: dict[str, Happens] = {
    "kicked": lambda world, room: world.telegram.rooms.set_bot(room, "kicked", by=ME),
    "left": lambda world, room: world.telegram.rooms.set_bot(room, "left", by=ME),
    "restricted": lambda world, room: world.telegram.rooms.set_bot(room, "restricted", by=ME),
    "nobody may write": lambda _world, room: setattr(room, "members_may_write", False),
    "group deleted": lambda _world, room: setattr(room, "is_deleted", True),
    "General closed": lambda world, room: world.telegram.rooms.close_topic(room, 1),
    "CHAT_WRITE_FORBIDDEN": refuses(400, "Bad Request: CHAT_WRITE_FORBIDDEN"),
    "no rights": refuses(400, "Bad Request: have no rights to send a message"),
    "not an administrator": refuses(400, "Bad Request: need administrator rights in the channel chat"),
    "group deactivated": refuses(400, "Bad Request: group chat was deactivated"),
    "chat not found": refuses(400, "Bad Request: chat not found"),
}


@pytest.fixture
def clock() -> WatchedClock:
    return WatchedClock()


@pytest.fixture
async def world(
    sqlite: str,
    clock: WatchedClock,
    discord_stand_in: DiscordStandIn,
    telegram_stand_in: TelegramStandIn,
    mail_stand_in: MailStandIn,
) -> World:
    telegram_stand_in.chat_limit = None
    return await new_world(discord_stand_in, telegram_stand_in, mail_stand_in, clock)


async def linked(world: World, room: TelegramRoom, topic: int | None = None, *, name: str = "ops") -> None:
    """Let a room, or a topic of it, be a destination of alice's."""
    await Destination.create(
        account_id=world.alice.id,
        channel=TELEGRAM.name,
        kind=DestinationKind.ROOM if topic is None else DestinationKind.TOPIC,
        name=name,
        enabled=True,
        address=str(room.id),
        topic=None if topic is None else str(topic),
        linked_at=world.clock.now(),
    )


async def statuses(destination: str) -> list[tuple[str, int]]:
    """Return the status of the destination's deliveries, and the attempts charged to each."""
    rows = await Delivery.filter(destination=destination).order_by("id")
    return [(row.status, row.attempts) for row in rows]


def arrived(world: World, chat_id: int) -> list[int | None]:
    """Return the topics of the messages that a chat got."""
    return [each.topic for each in world.telegram.messages if each.chat_id == chat_id]


@pytest.mark.parametrize("case", LOST)
async def test_a_room_the_bot_lost_is_suspended_alone_and_the_owner_told(world: World, case: str) -> None:
    room = world.telegram.rooms.open("Ops", by=ME, forum=True)
    await linked(world, room)
    LOST[case](world, room)
    await Destination.filter(name=TELEGRAM.name).update(enabled=False)  # whose message would meet the fault
    await world.post("Sold!")

    async with world.dispatching(TELEGRAM.name, EMAIL.name):
        await eventually(lambda: statuses("ops"), [("failed", 1)])
        await until(lambda: world.received(EMAIL.name) == 2)
        await world.post("Sold again!")
        await until(lambda: world.received(EMAIL.name) == 3)

    [notice] = await told()
    assert notice.startswith("The destination 'ops' (Telegram) is suspended: ")
    assert notice.endswith(" Link or switch it on again to go on.")
    assert arrived(world, room.id) == []
    assert [row.name for row in await Destination.filter(suspended_reason__isnull=False)] == ["ops"]
    assert len(await statuses("ops")) == 1


@pytest.mark.parametrize("how", ["deleted", "closed"])
async def test_what_goes_to_a_topic_that_is_gone_comes_to_the_group(
    world: World, clock: WatchedClock, how: str
) -> None:
    rooms = world.telegram.rooms
    forum = rooms.open("Ops", by=ME, forum=True)
    topic = rooms.open_topic(forum, "Deploys")
    await linked(world, forum, topic)
    (rooms.delete_topic if how == "deleted" else rooms.close_topic)(forum, topic)
    await world.post("Sold!")

    async def when_tried_again() -> list[tuple[str, int]]:
        clock.advance(timedelta(seconds=1))
        return await statuses("ops")

    async with world.dispatching(TELEGRAM.name, EMAIL.name):
        await eventually(when_tried_again, [("delivered", 1)])
        await until(lambda: world.received(EMAIL.name) == 2)

    [notice] = await told()
    row = await Destination.get(name="ops")
    assert notice.endswith("What goes to 'ops' comes to the whole room from now on.")
    assert (row.kind, row.address, row.topic) == ("room", str(forum.id), None)
    assert arrived(world, forum.id) == [None]
    assert row.suspended_reason is None


async def test_a_group_that_became_a_supergroup_is_followed(world: World, clock: WatchedClock) -> None:
    room = world.telegram.rooms.open("Ops", by=ME, kind="group")
    await linked(world, room)
    old = world.telegram.rooms.upgrade(room, by=ME)
    await world.post("Sold!")

    async def when_tried_again() -> list[tuple[str, int]]:
        clock.advance(timedelta(seconds=1))
        return await statuses("ops")

    async with world.dispatching(TELEGRAM.name):
        await eventually(when_tried_again, [("delivered", 1)])

    assert (await Destination.get(name="ops")).address == str(room.id)
    assert (arrived(world, old), arrived(world, room.id)) == ([], [None])
    assert await told() == []


async def test_a_notice_to_the_owner_comes_to_no_room(world: World) -> None:
    lost, other = (world.telegram.rooms.open(name, by=ME) for name in ("Ops", "Team"))
    await linked(world, lost)
    await linked(world, other, name="team")
    world.telegram.rooms.set_bot(lost, "kicked", by=ME)
    await world.post("Sold!")

    async with world.dispatching(TELEGRAM.name, EMAIL.name):
        await eventually(lambda: statuses("ops"), [("failed", 1)])
        await until(lambda: len(arrived(world, ME.id)) == 2)
        await eventually(lambda: statuses("team"), [("delivered", 1)])

    assert arrived(world, other.id) == [None]
