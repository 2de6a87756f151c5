"""What each fault of a Discord server's channel means for a delivery, over real sockets (docs/delivery.md).

What rooms have in common with direct messages (outages, rate limits, lost answers) is in the fault matrix.
"""

from collections.abc import Callable

import pytest

from models import Delivery, DeliveryAttempt, Destination, Event
from pingpilot.accounts.linking import ChatUser, create_link_code
from pingpilot.accounts.rooms import Room, link_room
from pingpilot.channels import DISCORD, direct_channels
from pingpilot.sandbox.discord import DiscordStandIn, Guild, GuildChannel, Permission
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn
from tests.engine.scripted import WatchedClock
from tests.support.waiting import eventually, until

from .world import ALICE, World, new_world

SEES_NOT = "Discord: the bot can't see the channel: grant it View Channel there"
WRITES_NOT = "Discord: the bot may not write in the channel: grant it Send Messages"
LOCKED = "Discord: the thread is locked: unlock it, or grant the bot Manage Threads."


def shut(thread: GuildChannel, *, archived: bool) -> None:
    thread.locked, thread.archived = True, archived


def deny(channel: GuildChannel, permission: Permission) -> None:
    channel.deny(channel.guild.id, permission)


LOST: dict[str, tuple[Callable[[World, GuildChannel], object], str]] = {
    "discord: bot kicked (50001)": (
        lambda world, room: room.guild.remove_member(world.discord.user_id),
        SEES_NOT,
    ),
    "discord: View Channel denied (50001)": (
        lambda _world, room: deny(room, Permission.VIEW_CHANNEL),
        SEES_NOT,
    ),
    "discord: Send Messages denied (50013)": (
        lambda _world, room: deny(room, Permission.SEND_MESSAGES),
        WRITES_NOT,
    ),
    "discord: Embed Links denied (50013)": (
        lambda _world, room: deny(room, Permission.EMBED_LINKS),
        WRITES_NOT,
    ),
    "discord: channel deleted (10003)": (
        lambda _world, room: room.guild.channels.pop(room.id),
        "Discord: the channel no longer exists.",
    ),
    "discord: thread locked (160005)": (lambda _world, room: shut(room, archived=False), LOCKED),
    "discord: thread locked and archived (50083)": (lambda _world, room: shut(room, archived=True), LOCKED),
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


@pytest.fixture
def acme(discord_stand_in: DiscordStandIn) -> Guild:
    return discord_stand_in.add_guild("Acme")


async def link(world: World, place: GuildChannel) -> None:
    """Link a channel to alice's account, as 'ops'."""
    now = world.clock.now()
    code = await create_link_code(world.alice, now, room="ops")
    who = ChatUser(DISCORD.name, ALICE.on_discord.id, "alice")
    await link_room(who, Room(DISCORD.name, place.id, f"Acme / #{place.name}"), code.code, now=now)


async def standing() -> tuple[str, int, list[str]]:
    """Return the first delivery to the room: its status, the attempts charged to it, how each ended."""
    row = await Delivery.filter(destination="ops").order_by("id").first()
    assert row is not None
    history = await DeliveryAttempt.filter(delivery_id=row.id).order_by("id")
    return row.status, row.attempts, [attempt.outcome for attempt in history]


def in_room(world: World, place: GuildChannel) -> int:
    """Return how many messages the room has got."""
    return sum(message.channel_id == place.id for message in world.discord.messages)


@pytest.mark.parametrize("case", LOST)
async def test_it_fails_at_once_suspends_the_room_alone_and_the_owner_is_told(
    world: World, acme: Guild, case: str
) -> None:
    happens, reason = LOST[case]
    channel = acme.add_channel("ops")
    place = channel.add_thread("deploys") if "thread" in case else channel
    await link(world, place)
    happens(world, place)
    await world.post("Sold!")

    async with world.dispatching():
        await eventually(standing, ("failed", 1, ["failed"]))
        for name in direct_channels():  # the event, and the notice
            await until(lambda name=name: world.received(name) == 2)  # type: ignore[misc]
        await world.post("Sold again!")
        for name in direct_channels():
            await until(lambda name=name: world.received(name) == 3)  # type: ignore[misc]

    [notice] = await Event.filter(notice=True)
    [suspended] = await Destination.filter(suspended_reason__isnull=False)
    assert notice.description.startswith(f"The destination 'ops' (Discord) is suspended: {reason}")
    assert notice.description.endswith("Link or switch it on again to go on.")
    assert suspended.name == "ops"
    assert await Delivery.filter(destination="ops").count() == 1
    assert in_room(world, place) == 0


async def test_a_room_that_is_switched_on_again_is_tried_anew(world: World, acme: Guild) -> None:
    ops = acme.add_channel("ops")
    await link(world, ops)
    deny(ops, Permission.SEND_MESSAGES)
    await world.post("Sold!")

    async with world.dispatching(DISCORD.name):
        await eventually(standing, ("failed", 1, ["failed"]))
        ops.allow(acme.id, Permission.SEND_MESSAGES)
        await Destination.switch(world.alice.id, "ops", on=True)
        await world.post("Sold again!")
        await until(lambda: in_room(world, ops) == 1)

    assert not await Destination.exists(suspended_reason__isnull=False)


async def test_whom_a_room_calls_is_called_there_alone(world: World, acme: Guild) -> None:
    ops = acme.add_channel("ops")
    acme.add_member(world.discord.user_id, acme.add_role("loud", Permission.MENTION_EVERYONE))
    await link(world, ops)
    await Destination.filter(account_id=world.alice.id).update(mention="here")
    await world.post("@everyone, sold!")

    async with world.dispatching(DISCORD.name):
        await world.discord.wait_for_messages(2)

    called = {message.channel_id == ops.id: message.pinged for message in world.discord.messages}
    assert called == {True: ("here",), False: ()}


async def test_an_archived_thread_opens_again(world: World, acme: Guild) -> None:
    thread = acme.add_channel("ops").add_thread("deploys")
    await link(world, thread)
    thread.archived = True
    await world.post("Sold!")

    async with world.dispatching(DISCORD.name):
        await eventually(standing, ("delivered", 1, ["delivered"]))

    assert (in_room(world, thread), thread.archived) == (1, False)
