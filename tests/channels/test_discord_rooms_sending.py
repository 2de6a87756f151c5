"""Sending into servers' channels on Discord: who is called, what is refused and for how long."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from bots.discord.channel import DiscordChannel
from models.destination import DestinationKind
from pingpilot.delivery.channel import Recipient
from pingpilot.errors import DeliveryFailure, PermanentFailure, TemporaryFailure
from pingpilot.sandbox.discord import (
    ChannelKind,
    DiscordStandIn,
    DiscordUser,
    Guild,
    GuildChannel,
    Permission,
)
from pingpilot.sandbox.faults import Fault

from .notifications import SALE
from .standins import TOKEN, open_conversation

ADA = DiscordUser("81384788765712384", "ada")
LOUD = replace(SALE, description="@here @everyone <@&1> <@81384788765712384>", headline="@here")


@pytest.fixture
async def channel(discord_stand_in: DiscordStandIn) -> AsyncIterator[DiscordChannel]:
    channel = DiscordChannel(token=SecretStr(TOKEN))
    yield channel
    await channel.close()


@pytest.fixture
def acme(discord_stand_in: DiscordStandIn) -> Guild:
    """A server in which the bot may do everything that the stand-in knows of, calling people included."""
    guild = discord_stand_in.add_guild("Acme")
    guild.add_member(discord_stand_in.user_id, guild.add_role("PingPilot", Permission.MENTION_EVERYONE))
    return guild


@pytest.fixture
def ops(acme: Guild) -> GuildChannel:
    return acme.add_channel("ops")


def room(channel: GuildChannel, mention: str | None = None) -> Recipient:
    return Recipient(1, channel.id, destination="ops", kind=DestinationKind.ROOM, mention=mention)


async def failure_of(channel: DiscordChannel, recipient: Recipient) -> DeliveryFailure:
    """Return how sending fails."""
    with pytest.raises(DeliveryFailure) as failure:
        await channel.send(recipient, SALE)
    return failure.value


async def test_a_message_reaches_a_channel_as_it_would_a_person(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ops: GuildChannel
) -> None:
    await channel.send(room(ops), SALE)

    [message] = discord_stand_in.messages
    assert (message.channel_id, message.content, message.pinged) == (ops.id, "", ())
    assert message.embeds[0]["title"] == "💰 Sale"
    assert message.allowed_mentions == {"parse": []}


@pytest.mark.parametrize("mention", [None, "here", "on-call"])
async def test_the_text_of_an_event_calls_nobody(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ops: GuildChannel, mention: str | None
) -> None:
    called = [] if mention is None else [mention]
    if mention == "on-call":
        mention = ops.guild.add_role("on-call").id
        called = [f"role {mention}"]

    await channel.send(room(ops, mention), LOUD)

    assert [list(message.pinged) for message in discord_stand_in.messages] == [called]


async def test_here_is_called_where_the_destination_says_so_and_with_leave_for_nothing_else(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ops: GuildChannel
) -> None:
    await channel.send(room(ops, "here"), SALE)

    [message] = discord_stand_in.messages
    assert (message.content, message.pinged) == ("@here", ("here",))
    assert message.allowed_mentions == {"parse": ["everyone"]}


async def test_a_role_is_called_and_no_other(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, acme: Guild, ops: GuildChannel
) -> None:
    role = acme.add_role("on-call")

    await channel.send(room(ops, role.id), SALE)

    [message] = discord_stand_in.messages
    assert (message.content, message.pinged) == (f"<@&{role.id}>", (f"role {role.id}",))
    assert message.allowed_mentions == {"parse": [], "roles": [int(role.id)]}


async def test_without_the_permission_the_message_arrives_and_calls_nobody(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, acme: Guild, ops: GuildChannel
) -> None:
    acme.add_member(discord_stand_in.user_id)

    await channel.send(room(ops, "here"), SALE)

    assert [message.pinged for message in discord_stand_in.messages] == [()]


@pytest.mark.parametrize("mention", ["everyone", "@here", "<@&1>", "", "1 @here", "١٢", "9" * 21])
async def test_any_other_mention_calls_nobody(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ops: GuildChannel, mention: str
) -> None:
    await channel.send(room(ops, mention), SALE)

    [message] = discord_stand_in.messages
    assert (message.content, message.pinged, message.allowed_mentions) == ("", (), {"parse": []})


async def test_a_direct_message_never_calls_anybody(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel
) -> None:
    conversation = await open_conversation(discord_stand_in, ADA)

    await channel.send(Recipient(1, conversation, mention="here"), SALE)

    assert discord_stand_in.messages[0].content == ""


async def test_one_event_reaches_a_person_and_two_rooms(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, acme: Guild, ops: GuildChannel
) -> None:
    places = [Recipient(1, await open_conversation(discord_stand_in, ADA)), room(ops)]
    places.append(room(acme.add_channel("sales")))

    for place in places:
        await channel.send(place, SALE)

    assert [message.channel_id for message in discord_stand_in.messages] == [each.address for each in places]


@pytest.mark.parametrize("fault", [Fault.drop(after_accepting=True), Fault.hang(after_accepting=True)])
async def test_a_retry_after_a_lost_answer_arrives_once_in_a_room(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ops: GuildChannel, fault: Fault
) -> None:
    discord_stand_in.faults.add(fault, route="messages")

    with pytest.raises((TemporaryFailure, TimeoutError)):
        async with asyncio.timeout(2):
            await channel.send(room(ops), SALE)
    await channel.send(room(ops), SALE)

    assert len(discord_stand_in.messages) == 1


async def test_a_message_that_somebody_deleted_before_the_retry_counts_as_delivered(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ops: GuildChannel
) -> None:
    await channel.send(room(ops), SALE)
    discord_stand_in.delete_message(discord_stand_in.messages[0].id)

    await channel.send(room(ops), SALE)

    assert len(discord_stand_in.messages) == 1


@pytest.mark.parametrize(
    ("denied", "reason"),
    [
        (Permission.VIEW_CHANNEL, "can't see the channel: grant it View Channel there"),
        (Permission.SEND_MESSAGES, "may not write in the channel: grant it Send Messages"),
        (Permission.EMBED_LINKS, "may not write in the channel: grant it Send Messages"),
    ],
)
async def test_a_missing_permission_is_told_with_what_to_grant_and_suspends_until_then(
    discord_stand_in: DiscordStandIn,
    channel: DiscordChannel,
    ops: GuildChannel,
    denied: Permission,
    reason: str,
) -> None:
    ops.deny(discord_stand_in.user_id, denied)

    failure = await failure_of(channel, room(ops))
    ops.allow(discord_stand_in.user_id, denied)
    await channel.send(room(ops), SALE)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert failure.reason.startswith(f"Discord: the bot {reason}")
    assert len(discord_stand_in.messages) == 1


async def test_a_thread_that_is_archived_opens_and_one_that_is_locked_is_told(
    channel: DiscordChannel, ops: GuildChannel
) -> None:
    archived, locked, both = (ops.add_thread(name) for name in ("archived", "locked", "both"))
    archived.archived = both.archived = True
    locked.locked = both.locked = True

    await channel.send(room(archived), SALE)
    failures = [await failure_of(channel, room(each)) for each in (locked, both)]

    assert not archived.archived
    for failure in failures:
        assert isinstance(failure, PermanentFailure)
        assert failure.recipient_gone
        assert failure.reason == "Discord: the thread is locked: unlock it, or grant the bot Manage Threads."


async def test_a_forum_itself_takes_nothing(channel: DiscordChannel, acme: Guild) -> None:
    failure = await failure_of(channel, room(acme.add_channel("ideas", ChannelKind.FORUM)))

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert failure.reason.startswith("Discord: a channel of this kind holds no messages")


async def test_a_channel_that_was_deleted_is_gone(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, acme: Guild, ops: GuildChannel
) -> None:
    recipient = room(ops)
    del acme.channels[ops.id]

    failure = await failure_of(channel, recipient)

    assert isinstance(failure, PermanentFailure)
    assert (failure.recipient_gone, failure.reason) == (True, "Discord: the channel no longer exists.")


async def test_what_ends_a_conversation_is_nothing_that_ends_a_room(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ops: GuildChannel
) -> None:
    refusal = Fault.error(403, "Cannot send messages to this user", code=50007)
    discord_stand_in.faults.add(refusal, route="messages")

    failure = await failure_of(channel, room(ops))

    assert isinstance(failure, PermanentFailure)
    assert not failure.recipient_gone
