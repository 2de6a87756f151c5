"""Linking a server's channel on Discord: who may, where the bot can write, what happens when it is lost."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest

from models import Account, Delivery, Destination, Event
from pingpilot.accounts.linking import create_link_code
from pingpilot.sandbox.discord import (
    ChannelKind,
    DiscordStandIn,
    DiscordUser,
    Guild,
    GuildChannel,
    InteractionReply,
    Permission,
)
from pingpilot.sandbox.discord.payloads import Where
from pingpilot.sandbox.discord.validation import LINK_STYLE
from tests.support.accounts import new_account
from tests.support.waiting import eventually, until

from .bots import ADA_ON_DISCORD, ON_BOTH_DATABASES, Bots, OnDiscord, as_read

HERE = "where:This channel"
ADA = ADA_ON_DISCORD
ROGUE = DiscordUser("81384788765712999", "rogue")
NOT_LINKED = "This room is not linked."
ONLY_MANAGERS = (
    "Only people with the permission Manage Channels here can link or unlink this channel: ask one of them."
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server with the bot in it; ada may manage its channels, rogue is a member like any other."""

    stand_in: DiscordStandIn
    guild: Guild
    ops: GuildChannel

    async def say(self, text: str, *, who: DiscordUser = ADA, where: GuildChannel | None = None) -> str:
        """Use a command in a channel, #ops by default; return the answer, which nobody else may see."""
        reply = await self.reply(text, who=who, where=where)
        return as_read(reply.content)

    async def reply(
        self, text: str, *, who: DiscordUser = ADA, where: GuildChannel | None = None
    ) -> InteractionReply:
        reply = await self.stand_in.command(who, text, where=where or self.ops)
        assert (reply.ephemeral, reply.deferred) == (True, True)
        return reply


@pytest.fixture
async def server(storage: str, bots: Bots, discord_stand_in: DiscordStandIn) -> AsyncIterator[Server]:
    guild = discord_stand_in.add_guild("Acme")
    guild.add_member(ADA.id, guild.add_role("staff", Permission.MANAGE_CHANNELS))
    guild.add_member(ROGUE.id)
    found = Server(discord_stand_in, guild, guild.add_channel("ops"))
    async with bots.supervised(bots.discord(discord_stand_in)):
        yield found


async def code_for(account: Account, bots: Bots, room: str | None = None) -> str:
    return (await create_link_code(account, bots.clock.now(), room=room)).code


async def rooms_of(account: Account) -> list[Destination]:
    return await Destination.filter(account_id=account.id, kind="room").order_by("name")


@ON_BOTH_DATABASES
async def test_a_channel_is_linked_by_who_manages_it(server: Server, mailed: Account, bots: Bots) -> None:
    answer = await server.say(f"/link code:{await code_for(mailed, bots, 'ops')} {HERE}")

    [room] = await rooms_of(mailed)
    assert answer.startswith("✅ This room is linked as ops.\nA test notification is on its way.")
    assert (room.name, room.address, room.title) == ("ops", server.ops.id, "Acme / #ops")
    assert (room.user_id, room.username, room.topic) == (ADA.id, ADA.name, None)
    assert not await Destination.exists(name="discord", address__isnull=False)


async def test_nothing_that_is_said_in_the_channel_tells_of_the_account(
    server: Server, mailed: Account, bots: Bots
) -> None:
    answer = await server.say(f"/link code:{await code_for(mailed, bots, 'ops')} {HERE}")

    test = await Delivery.get(destination="ops")
    event = await Event.get(id=test.event_id)
    assert event.description == "This room is linked as 'ops'. Notifications for it arrive here from now on."
    assert "alice" not in answer + event.description
    assert set(bots.woken) == {"discord", "email"}


async def test_without_a_name_it_is_called_after_server_and_channel(
    server: Server, mailed: Account, bots: Bots
) -> None:
    thread = server.ops.add_thread("Deploys")
    for place in (server.ops, thread):
        await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}", where=place)

    titles = {room.name: room.title for room in await rooms_of(mailed)}
    assert titles == {"acme-ops": "Acme / #ops", "acme-ops-deploys": "Acme / #ops / Deploys"}


@pytest.mark.parametrize(
    "kind", [ChannelKind.TEXT, ChannelKind.ANNOUNCEMENT, ChannelKind.VOICE, ChannelKind.STAGE]
)
async def test_every_kind_of_channel_with_messages_can_be_linked(
    server: Server, mailed: Account, bots: Bots, kind: ChannelKind
) -> None:
    channel = server.guild.add_channel("place", kind)

    answer = await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}", where=channel)

    [room] = await rooms_of(mailed)
    assert answer.startswith("✅")
    assert room.address == channel.id


async def test_threads_and_posts_can_be_linked(server: Server, mailed: Account, bots: Bots) -> None:
    forum = server.guild.add_channel("ideas", ChannelKind.FORUM)
    news = server.guild.add_channel("news", ChannelKind.ANNOUNCEMENT)
    bot, everybody = server.stand_in.user_id, (ADA.id, server.stand_in.user_id)
    places = [
        server.ops.add_thread("public"),
        news.add_thread("news", ChannelKind.ANNOUNCEMENT_THREAD),
        forum.add_thread("post"),
        server.ops.add_thread("secret", ChannelKind.PRIVATE_THREAD, members=everybody),
    ]
    server.ops.deny(server.guild.id, Permission.SEND_MESSAGES)  # which means nothing in threads

    answers = [
        await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}", where=place) for place in places
    ]

    assert all(answer.startswith("✅") for answer in answers), (answers, bot)
    assert len(await rooms_of(mailed)) == 4


async def test_who_may_not_manage_channels_links_and_unlinks_nothing(
    server: Server, mailed: Account, bots: Bots
) -> None:
    code = await code_for(mailed, bots)

    refused = await server.say(f"/link code:{code} {HERE}", who=ROGUE)
    linked = await server.say(f"/link code:{code} {HERE}")
    kept = await server.say(f"/unlink {HERE}", who=ROGUE)

    assert refused == kept == ONLY_MANAGERS
    assert linked.startswith("✅")
    assert len(await rooms_of(mailed)) == 1


async def test_the_permission_counts_in_just_that_channel(
    server: Server, mailed: Account, bots: Bots
) -> None:
    board, own = server.guild.add_channel("board"), server.guild.add_channel("rogues")
    board.deny(ADA.id, Permission.MANAGE_CHANNELS)
    own.allow(ROGUE.id, Permission.MANAGE_CHANNELS)

    refused = await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}", where=board)
    linked = await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}", who=ROGUE, where=own)

    assert refused == ONLY_MANAGERS
    assert linked.startswith("✅")


@pytest.mark.parametrize("role", ["owner", "administrator"])
async def test_owners_and_administrators_may(server: Server, mailed: Account, bots: Bots, role: str) -> None:
    guild = server.guild
    if role == "owner":
        guild.owner_id = ROGUE.id
    else:
        guild.add_member(ROGUE.id, guild.add_role("admin", Permission.ADMINISTRATOR))

    answer = await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}", who=ROGUE)

    assert answer.startswith("✅")


@pytest.mark.parametrize("where", ["dm", "private"])
@pytest.mark.parametrize("command", ["/link code:AAAAAAAA", "/unlink"])
async def test_outside_of_servers_there_is_no_channel_to_link(
    server: Server, where: Where, command: str
) -> None:
    reply = await server.stand_in.command(ADA, f"{command} {HERE}", where=where)

    assert as_read(reply.content) == (
        "This is no server's channel: choose 'This channel' in the one that shall get the notifications."
    )


async def test_where_the_bot_is_not_a_member_it_asks_to_be_invited(
    server: Server, mailed: Account, bots: Bots
) -> None:
    elsewhere = server.stand_in.add_guild("Elsewhere", owner=ADA, joined=False)
    general = elsewhere.add_channel("general")
    code = await code_for(mailed, bots)

    reply = await server.reply(f"/link code:{code} {HERE}", where=general)
    await server.stand_in.invite_bot(elsewhere)
    linked = await server.say(f"/link code:{code} {HERE}", where=general)

    [button] = reply.components[0]["components"]
    asked = urlsplit(button["url"])
    query = parse_qs(asked.query)
    assert as_read(reply.content).startswith("I am not in this server, so I can't write here. Invite me")
    assert (asked.netloc, asked.path, button["style"]) == ("discord.com", "/oauth2/authorize", LINK_STYLE)
    assert query["client_id"] == [server.stand_in.application_id]
    assert query["permissions"] == ["274877926400"]  # as docs/setup-discord.md has it
    assert query["scope"] == ["bot applications.commands"]
    assert linked.startswith("✅")


@pytest.mark.parametrize(
    ("denied", "granted"),
    [
        (Permission.SEND_MESSAGES, "Send Messages and Embed Links"),
        (Permission.EMBED_LINKS, "Embed Links"),
        (Permission.VIEW_CHANNEL, "View Channel, Send Messages and Embed Links"),
    ],
)
async def test_what_the_bot_lacks_in_a_channel_is_named(
    server: Server, mailed: Account, bots: Bots, denied: Permission, granted: str
) -> None:
    server.ops.deny(server.stand_in.user_id, denied)
    code = await code_for(mailed, bots)

    refused = await server.say(f"/link code:{code} {HERE}")
    server.ops.allow(server.stand_in.user_id, denied)
    linked = await server.say(f"/link code:{code} {HERE}")

    assert refused == f"I may not write in this channel yet: grant me {granted} here, then try again."
    assert linked.startswith("✅")


async def test_threads_take_a_permission_of_their_own(server: Server, mailed: Account, bots: Bots) -> None:
    server.ops.deny(server.stand_in.user_id, Permission.SEND_MESSAGES_IN_THREADS)

    answer = await server.say(
        f"/link code:{await code_for(mailed, bots)} {HERE}", where=server.ops.add_thread("deploys")
    )

    assert "grant me Send Messages in Threads and Embed Links here" in answer


async def test_a_private_thread_has_to_know_the_bot(server: Server, mailed: Account, bots: Bots) -> None:
    thread = server.ops.add_thread("secret", ChannelKind.PRIVATE_THREAD, members=(ADA.id,))
    code = await code_for(mailed, bots)

    refused = await server.say(f"/link code:{code} {HERE}", where=thread)
    thread.members.add(server.stand_in.user_id)
    linked = await server.say(f"/link code:{code} {HERE}", where=thread)

    assert refused == ("I am not in this private thread: mention me in it, so that I join. Then try again.")
    assert linked.startswith("✅")


async def test_a_locked_thread_takes_a_moderator(server: Server, mailed: Account, bots: Bots) -> None:
    thread = server.ops.add_thread("done")
    thread.locked = True
    code = await code_for(mailed, bots)

    refused = await server.say(f"/link code:{code} {HERE}", where=thread)
    server.ops.allow(server.stand_in.user_id, Permission.MANAGE_THREADS)
    linked = await server.say(f"/link code:{code} {HERE}", where=thread)

    assert refused == "This thread is locked: unlock it, or grant me Manage Threads. Then try again."
    assert linked.startswith("✅")


async def test_a_command_that_a_client_of_ones_own_sends_from_a_forum_itself_is_refused(
    server: Server, mailed: Account, bots: Bots
) -> None:
    forum = server.guild.add_channel("ideas", ChannelKind.FORUM)

    reply = await server.stand_in.command(
        ADA, f"/link code:{await code_for(mailed, bots)} {HERE}", where=forum, offered=False
    )

    assert as_read(reply.content) == (
        "This channel holds no messages of its own: use the command in another one, or in a post or thread."
    )


async def test_a_wrong_code_is_told_and_links_nothing(server: Server, mailed: Account) -> None:
    assert "not right" in await server.say(f"/link code:AAAAAAAA {HERE}")
    assert await rooms_of(mailed) == []


@ON_BOTH_DATABASES
async def test_a_channel_belongs_to_one_account(server: Server, mailed: Account, bots: Bots) -> None:
    await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}")
    other = await new_account(bots.clock, "bob@example.com")

    answer = await server.say(f"/link code:{await code_for(other, bots)} {HERE}")

    assert answer == "This room is linked to another account: send /unlink here first."
    assert await rooms_of(other) == []


async def test_a_code_made_for_a_room_is_told_where_it_goes(
    server: Server, mailed: Account, bots: Bots
) -> None:
    answer = await server.say(f"/link code:{await code_for(mailed, bots, 'ops')}")

    assert answer.endswith("in the Discord server's channel with 'where: This channel'.")


async def test_without_the_option_a_command_in_a_server_links_the_direct_messages(
    server: Server, mailed: Account, bots: Bots
) -> None:
    answer = await server.say(f"/link code:{await code_for(mailed, bots)}", who=ROGUE)

    direct = await Destination.get(account_id=mailed.id, name="discord")
    assert answer.startswith("✅ Linked to alice@example.com.")
    assert (direct.kind, direct.user_id) == ("direct", ROGUE.id)
    assert direct.address != server.ops.id


@pytest.mark.parametrize("command", ["/quota", "/categories", "/failed", "/mute time:2h", "/unmute", "/help"])
async def test_in_a_linked_channel_the_others_speak_of_the_askers_own_link(
    server: Server, mailed: Account, bots: Bots, command: str
) -> None:
    await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}")
    strangers = await server.say(command, who=ROGUE)
    await server.say(f"/link code:{await code_for(mailed, bots)}")

    own = await server.say(command)

    assert "alice" not in strangers
    assert "This chat is not linked to an account yet." in strangers
    assert "This chat is not linked" not in own
    room = await Destination.get(name="acme-ops")
    assert room.muted_until is None


@ON_BOTH_DATABASES
async def test_unlinking_removes_the_room_and_leaves_the_direct_messages(
    server: Server, mailed: Account, bots: Bots
) -> None:
    await server.say(f"/link code:{await code_for(mailed, bots)}")
    await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}")

    with_email = await server.say(f"/unlink email:alice@example.com {HERE}")
    answer = await server.say(f"/unlink {HERE}")
    again = await server.say(f"/unlink {HERE}")

    assert with_email == "'email' goes with your direct messages: leave it out, or choose no 'This channel'."
    assert (answer, again) == ("This room is unlinked. No more notifications come here.", NOT_LINKED)
    assert await rooms_of(mailed) == []
    assert await Destination.exists(name="discord", address__isnull=False)
    notice = await Event.filter(notice=True).order_by("-id").first()
    assert notice is not None
    assert (
        notice.description
        == "The Discord room \"Acme / #ops\" ('acme-ops') was unlinked, in the room, by @ada."
    )


async def test_a_room_can_be_unlinked_where_the_bot_is_no_more(
    server: Server, mailed: Account, bots: Bots
) -> None:
    await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}")
    await server.stand_in.kick_bot(server.guild)

    answer = await server.say(f"/unlink {HERE}")

    assert answer == "This room is unlinked. No more notifications come here."
    assert await rooms_of(mailed) == []


@ON_BOTH_DATABASES
@pytest.mark.parametrize("loss", ["kicked", "channel", "thread", "channel of a thread"])
async def test_a_room_that_is_lost_is_suspended_and_its_owner_told(
    server: Server, mailed: Account, bots: Bots, loss: str
) -> None:
    place = server.ops.add_thread("deploys") if "thread" in loss else server.ops
    if loss == "channel of a thread":  # discord.py knows the threads that it has heard of
        await server.stand_in.hear_of_thread(place)
    await server.say(f"/link code:{await code_for(mailed, bots, 'ops')} {HERE}", where=place)

    if loss == "kicked":
        await server.stand_in.kick_bot(server.guild)
    else:
        await server.stand_in.delete_channel(server.ops if loss == "channel of a thread" else place)

    async def suspended_reason() -> str:
        return (await Destination.get(name="ops")).suspended_reason or ""

    reason = {
        "kicked": "The bot was removed from the server.",
        "channel": "The channel was deleted.",
        "thread": "The thread was deleted, or its channel.",
        "channel of a thread": "The thread was deleted, or its channel.",
    }[loss]
    await eventually(suspended_reason, reason)
    told = Delivery.filter(event__description__contains="is suspended")

    async def told_on() -> list[str]:
        return [each.destination for each in await told]

    await eventually(told_on, ["email"])
    event = await Event.get(id=(await told.get()).event_id)
    assert event.description == (
        f"The destination 'ops' (Discord) is suspended: {reason} To go on, let the bot write there again, "
        "then switch it on or link it again."
    )


async def test_a_server_in_an_outage_loses_nothing(server: Server, mailed: Account, bots: Bots) -> None:
    await server.say(f"/link code:{await code_for(mailed, bots, 'ops')} {HERE}")
    other = server.guild.add_channel("other")

    await server.stand_in.lose_guild(server.guild)
    await server.stand_in.delete_channel(other)
    await server.say("/help")  # what came before has been heard

    assert (await Destination.get(name="ops")).suspended_reason is None


async def test_a_server_that_is_still_loading_has_its_name_looked_up(
    storage: str, mailed: Account, bots: Bots, discord_stand_in: DiscordStandIn
) -> None:
    guild = discord_stand_in.add_guild("Acme\u202e\n", owner=ADA)
    guild.available = False
    server = Server(discord_stand_in, guild, guild.add_channel("ops"))

    async with bots.supervised(bots.discord(discord_stand_in)):
        answer = await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}")

    [room] = await rooms_of(mailed)
    assert answer.startswith("✅")
    assert (room.name, room.title) == ("acme-ops", "Acme / #ops")


async def test_a_channel_that_was_hidden_from_the_bot_has_its_name_looked_up(
    storage: str, mailed: Account, bots: Bots, discord_stand_in: DiscordStandIn
) -> None:
    guild = discord_stand_in.add_guild("Acme", owner=ADA)
    server = Server(discord_stand_in, guild, guild.add_channel("ops"))
    server.ops.deny(guild.id, Permission.VIEW_CHANNEL)

    async with bots.supervised(bots.discord(discord_stand_in)):
        refused = await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}")
        hidden = await server.say(f"/unlink {HERE}")
        server.ops.allow(discord_stand_in.user_id, Permission.VIEW_CHANNEL)  # which the gateway tells later
        linked = await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}")

    [room] = await rooms_of(mailed)
    assert refused.startswith("I may not write in this channel yet: grant me View Channel,")
    assert hidden == NOT_LINKED
    assert linked.startswith("✅")
    assert room.title == "Acme / #ops"


@ON_BOTH_DATABASES
async def test_a_lost_room_is_used_again_once_the_bot_is_back(
    server: Server, mailed: Account, bots: Bots
) -> None:
    await server.say(f"/link code:{await code_for(mailed, bots, 'ops')} {HERE}")
    await server.stand_in.kick_bot(server.guild)
    await until(lambda: "email" in bots.woken[2:])

    await server.stand_in.invite_bot(server.guild)
    answer = await server.say(f"/link code:{await code_for(mailed, bots)} {HERE}")

    [room] = await rooms_of(mailed)
    assert answer.startswith("✅ This room is linked as ops.")
    assert room.suspended_reason is None


async def test_the_servers_of_others_are_of_no_interest(
    server: Server, bots: Bots, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        other = server.stand_in.add_guild("Other", joined=False)
        other.add_channel("general")
        await server.stand_in.invite_bot(other)
        await server.stand_in.kick_bot(other)
        await server.say("/help")

    assert (caplog.records, bots.woken) == ([], [])


async def test_help_tells_of_servers(on_discord: OnDiscord) -> None:
    answer = await on_discord.ask("/help")

    assert answer.splitlines()[-1] == (
        "In a server, where: This channel links or unlinks that channel instead, for those who manage it."
    )
