"""Servers of the Discord stand-in: what may be sent where, who is called, what a bot hears; by discord.py."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import discord
import pytest

from pingpilot.sandbox.discord import (
    ChannelKind,
    DiscordStandIn,
    DiscordUser,
    Guild,
    GuildChannel,
    Permission,
)
from pingpilot.sandbox.discord.permissions import ALL_PERMISSIONS, EVERYBODY, NOTHING
from tests.support.waiting import until

from .conftest import TOKEN
from .discord_bot import SmallBot

EMBED = discord.Embed(description="Sold!")


@pytest.fixture
def acme(discord_stand_in: DiscordStandIn) -> Guild:
    """A server that the bot is in."""
    return discord_stand_in.add_guild("Acme")


@pytest.fixture
def ops(acme: Guild) -> GuildChannel:
    return acme.add_channel("ops")


class ListeningBot(SmallBot):
    """Hears what happens in servers, and keeps it."""

    def __init__(self) -> None:
        super().__init__(discord.Intents(guilds=True))
        self.heard: list[str] = []

    async def on_guild_join(self, guild: discord.Guild) -> None:
        self.heard.append(f"joined {guild.name}")

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        self.heard.append(f"left {guild.name}")

    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        self.heard.append(f"lost {guild.name}")

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        self.heard.append(f"deleted #{channel.name}")

    async def on_raw_thread_delete(self, thread: discord.RawThreadDeleteEvent) -> None:
        self.heard.append(f"deleted thread {thread.thread_id}")


@pytest.fixture
async def listening(
    discord_stand_in: DiscordStandIn, acme: Guild, ops: GuildChannel
) -> AsyncIterator[ListeningBot]:
    """A client that is connected to the gateway, and has heard of its server."""
    client = ListeningBot()
    running = asyncio.create_task(client.start(TOKEN))
    await discord_stand_in.wait_connected()
    await until(lambda: any(guild.name for guild in client.guilds))
    yield client
    await client.close()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def send(
    bot: SmallBot, channel: GuildChannel, content: str | None = None, **more: Any
) -> discord.Message:
    return await bot.get_partial_messageable(int(channel.id)).send(content, **more)


async def refusal(bot: SmallBot, channel: GuildChannel, **more: Any) -> tuple[int, int]:
    """Return status and code of the answer to a message that is not taken."""
    with pytest.raises(discord.HTTPException) as refused:
        await send(bot, channel, embed=EMBED, **more)
    return refused.value.status, refused.value.code


@pytest.mark.parametrize(
    "kind", [ChannelKind.TEXT, ChannelKind.ANNOUNCEMENT, ChannelKind.VOICE, ChannelKind.STAGE]
)
async def test_a_channel_takes_messages(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, acme: Guild, kind: ChannelKind
) -> None:
    channel = acme.add_channel("news", kind)

    await send(rest_bot, channel, embed=EMBED)

    [message] = discord_stand_in.messages
    assert (message.channel_id, message.user_id, message.pinged) == (channel.id, "", ())


@pytest.mark.parametrize("kind", [ChannelKind.FORUM, ChannelKind.MEDIA, ChannelKind.CATEGORY])
async def test_what_holds_no_messages_takes_none(rest_bot: SmallBot, acme: Guild, kind: ChannelKind) -> None:
    assert await refusal(rest_bot, acme.add_channel("ideas", kind)) == (400, 50008)


async def test_threads_and_posts_take_messages(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, acme: Guild, ops: GuildChannel
) -> None:
    forum = acme.add_channel("ideas", ChannelKind.FORUM)
    bot = discord_stand_in.user_id
    private = ops.add_thread("secret", ChannelKind.PRIVATE_THREAD, members=(bot,))
    for thread in (ops.add_thread("deploys"), forum.add_thread("A post"), private):
        await send(rest_bot, thread, embed=EMBED)

    assert len(discord_stand_in.messages) == 3


@pytest.mark.parametrize(
    ("denied", "answer"),
    [
        (Permission.VIEW_CHANNEL, (403, 50001)),
        (Permission.SEND_MESSAGES, (403, 50013)),
        (Permission.EMBED_LINKS, (403, 50013)),
    ],
)
async def test_a_permission_that_a_channel_denies_is_missing(
    rest_bot: SmallBot, acme: Guild, ops: GuildChannel, denied: Permission, answer: tuple[int, int]
) -> None:
    ops.deny(acme.id, denied)

    assert await refusal(rest_bot, ops) == answer


async def test_threads_have_a_permission_of_their_own(
    rest_bot: SmallBot, acme: Guild, ops: GuildChannel
) -> None:
    thread = ops.add_thread("deploys")
    ops.deny(acme.id, Permission.SEND_MESSAGES)
    await send(rest_bot, thread, embed=EMBED)

    ops.deny(acme.id, Permission.SEND_MESSAGES_IN_THREADS)

    assert await refusal(rest_bot, thread) == (403, 50013)


async def test_a_private_thread_is_for_its_members_and_moderators(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, acme: Guild, ops: GuildChannel
) -> None:
    thread = ops.add_thread("secret", ChannelKind.PRIVATE_THREAD)
    outside = await refusal(rest_bot, thread)

    acme.add_member(discord_stand_in.user_id, acme.add_role("Moderator", Permission.MANAGE_THREADS))
    await send(rest_bot, thread, embed=EMBED)

    assert outside == (403, 50001)
    assert discord_stand_in.user_id in thread.members  # sending joined it


async def test_an_archived_thread_opens_and_a_locked_one_stays_shut(
    rest_bot: SmallBot, ops: GuildChannel
) -> None:
    archived, locked, both = (ops.add_thread(name) for name in ("archived", "locked", "both"))
    archived.archived = both.archived = True
    locked.locked = both.locked = True

    await send(rest_bot, archived, embed=EMBED)

    assert not archived.archived
    assert await refusal(rest_bot, locked) == (403, 160005)
    assert await refusal(rest_bot, both) == (400, 50083)


async def test_a_server_without_the_bot_is_out_of_reach(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot
) -> None:
    channel = discord_stand_in.add_guild("Elsewhere", joined=False).add_channel("general")

    assert await refusal(rest_bot, channel) == (403, 50001)


def test_permissions_are_resolved_as_documented(acme: Guild, ops: GuildChannel, ada: DiscordUser) -> None:
    staff, quiet = acme.add_role("staff", Permission.MANAGE_CHANNELS), acme.add_role("quiet")
    acme.add_member(ada.id, staff, quiet)
    in_server = acme.permissions_of(ada.id, ops)
    ops.deny(acme.id, Permission.SEND_MESSAGES | Permission.EMBED_LINKS)
    ops.deny(quiet.id, Permission.MENTION_EVERYONE)
    ops.allow(staff.id, Permission.SEND_MESSAGES | Permission.MENTION_EVERYONE)
    by_roles = acme.permissions_of(ada.id, ops)
    ops.deny(ada.id, Permission.SEND_MESSAGES)
    by_member = acme.permissions_of(ada.id, ops)
    ops.deny(ada.id, Permission.VIEW_CHANNEL)

    assert in_server == EVERYBODY | Permission.MANAGE_CHANNELS
    assert by_roles == in_server & ~Permission.EMBED_LINKS | Permission.MENTION_EVERYONE
    assert by_member == by_roles & ~(Permission.SEND_MESSAGES | Permission.MENTION_EVERYONE)
    assert acme.permissions_of(ada.id, ops) == NOTHING
    assert acme.permissions_of(acme.owner_id, ops) == ALL_PERMISSIONS
    acme.add_member(ada.id, acme.add_role("admin", Permission.ADMINISTRATOR))
    assert acme.permissions_of(ada.id, ops) == ALL_PERMISSIONS


def test_without_connect_nothing_is_allowed_in_a_voice_channel(acme: Guild, ada: DiscordUser) -> None:
    acme.add_member(ada.id)
    voice = acme.add_channel("Meeting", ChannelKind.VOICE)
    voice.deny(acme.id, Permission.CONNECT)

    assert acme.permissions_of(ada.id, voice) == NOTHING


async def test_everyone_is_called_only_with_the_permission_and_leave(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, acme: Guild, ops: GuildChannel
) -> None:
    leave = discord.AllowedMentions(everyone=True)
    text = "@here, @everyone, <@1> and <@&2>"
    await send(rest_bot, ops, text, allowed_mentions=leave)
    acme.add_member(discord_stand_in.user_id, acme.add_role("loud", Permission.MENTION_EVERYONE))
    await send(rest_bot, ops, text, allowed_mentions=leave)
    await send(rest_bot, ops, text)  # the client's own: nobody

    assert [message.pinged for message in discord_stand_in.messages] == [(), ("here", "everyone"), ()]


async def test_a_role_is_called_if_it_may_be_and_is_named(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, acme: Guild, ops: GuildChannel
) -> None:
    on_call, secret = acme.add_role("on-call", mentionable=True), acme.add_role("secret")
    text = f"<@&{on_call.id}> <@&{secret.id}> <@&{acme.id}>"
    both = discord.AllowedMentions(everyone=False, users=False, roles=True)
    one = discord.AllowedMentions(everyone=False, users=False, roles=[discord.Object(int(secret.id))])
    await send(rest_bot, ops, text, allowed_mentions=both)
    await send(rest_bot, ops, text, allowed_mentions=one)
    acme.add_member(discord_stand_in.user_id, acme.add_role("loud", Permission.MENTION_EVERYONE))
    await send(rest_bot, ops, text, allowed_mentions=one)

    called = [message.pinged for message in discord_stand_in.messages]
    assert called == [(f"role {on_call.id}",), (), (f"role {secret.id}",)]


async def test_what_stands_in_an_embed_calls_nobody(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, acme: Guild, ops: GuildChannel
) -> None:
    acme.add_member(discord_stand_in.user_id, acme.add_role("loud", Permission.MENTION_EVERYONE))

    await send(
        rest_bot,
        ops,
        embed=discord.Embed(description="@here"),
        allowed_mentions=discord.AllowedMentions.all(),
    )

    assert discord_stand_in.messages[0].pinged == ()


@pytest.mark.parametrize(
    "allowed",
    [
        {"parse": ["roles"], "roles": ["1"]},
        {"parse": ["somebody"]},
        {"parse": [], "users": ["ada"]},
        {"parse": [], "roles": [str(number) for number in range(101)]},
    ],
)
async def test_allowed_mentions_that_contradict_themselves_are_refused(
    rest_bot: SmallBot, ops: GuildChannel, allowed: dict[str, Any]
) -> None:
    route = discord.http.Route("POST", "/channels/{channel}/messages", channel=ops.id)

    with pytest.raises(discord.HTTPException) as refused:
        await rest_bot.http.request(route, json={"content": "x", "allowed_mentions": allowed})

    assert refused.value.code == 50035


async def test_a_nonce_is_the_bots_and_not_the_channels(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, acme: Guild, ops: GuildChannel
) -> None:
    other = acme.add_channel("other")
    first = await send(rest_bot, ops, "one", nonce="event-1")
    again = await send(rest_bot, other, "one", nonce="event-1")
    discord_stand_in.delete_message(str(first.id))
    with pytest.raises(discord.NotFound) as gone:
        await send(rest_bot, ops, "one", nonce="event-1")

    assert (again.id, len(discord_stand_in.messages), gone.value.code) == (first.id, 1, 10008)


async def test_a_server_and_its_channels_can_be_looked_at(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, acme: Guild, ops: GuildChannel
) -> None:
    hidden = acme.add_channel("board")
    hidden.deny(acme.id, Permission.VIEW_CHANNEL)

    guild, channel = await rest_bot.fetch_guild(int(acme.id)), await rest_bot.fetch_channel(int(ops.id))

    assert (guild.name, str(channel)) == ("Acme", "ops")
    with pytest.raises(discord.Forbidden):
        await rest_bot.fetch_channel(int(hidden.id))
    with pytest.raises(discord.NotFound):
        await rest_bot.fetch_guild(int(discord_stand_in.add_guild("Elsewhere", joined=False).id))


async def test_a_bot_hears_what_happens_to_servers_channels_and_threads(
    discord_stand_in: DiscordStandIn, listening: ListeningBot, acme: Guild, ops: GuildChannel
) -> None:
    thread = ops.add_thread("deploys")
    gone = discord_stand_in.add_guild("Gone", joined=False)
    await discord_stand_in.invite_bot(gone)
    await discord_stand_in.delete_channel(thread)
    await discord_stand_in.delete_channel(ops)
    await discord_stand_in.lose_guild(acme)
    await discord_stand_in.kick_bot(gone)

    await until(lambda: len(listening.heard) == 5)
    assert listening.heard == [
        "joined Gone", f"deleted thread {thread.id}", "deleted #ops", "lost Acme", "left Gone",
    ]  # fmt: skip


async def test_a_channel_that_a_bot_can_not_see_is_hidden_from_it(
    discord_stand_in: DiscordStandIn, listening: ListeningBot, acme: Guild, ops: GuildChannel
) -> None:
    def name() -> str:
        channel = listening.get_channel(int(ops.id))
        assert isinstance(channel, discord.TextChannel)
        return channel.name

    before = name()
    ops.deny(acme.id, Permission.VIEW_CHANNEL)
    await discord_stand_in.update_channel(ops)
    await until(lambda: name() != before)
    hidden = name()
    ops.allow(acme.id, Permission.VIEW_CHANNEL)
    await discord_stand_in.update_channel(ops)
    await until(lambda: name() != hidden)

    assert (before, hidden, name()) == ("ops", "___hidden___", "ops")


@pytest.mark.parametrize(("intents", "code"), [(None, 4013), (1 << 40, 4013), (1 << 15, 4014)])
async def test_intents_have_to_be_named_and_need_no_leave(
    discord_stand_in: DiscordStandIn, intents: int | None, code: int
) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(discord_stand_in.gateway_url) as socket:
        await socket.receive_json()
        await socket.send_json({"op": 2, "d": {"token": TOKEN, "intents": intents}})
        await socket.receive()

    assert socket.close_code == code


async def test_a_command_in_a_server_says_who_uses_it_where_and_with_which_permissions(
    discord_stand_in: DiscordStandIn,
    listening: ListeningBot,
    acme: Guild,
    ops: GuildChannel,
    ada: DiscordUser,
) -> None:
    used: list[discord.Interaction[Any]] = []

    async def keep(interaction: discord.Interaction[Any]) -> bool:
        used.append(interaction)
        return True

    listening.tree.interaction_check = keep  # type: ignore[method-assign]
    acme.add_member(ada.id, acme.add_role("staff", Permission.MANAGE_CHANNELS))

    await discord_stand_in.command(ada, "/link code:K7QM2XNP note:with two words", where=ops)

    [interaction] = used
    assert interaction.namespace.note == "with two words"
    assert (interaction.guild_id, interaction.channel_id) == (int(acme.id), int(ops.id))
    assert interaction.permissions.manage_channels
    assert not interaction.app_permissions.manage_channels
    assert interaction.is_guild_integration()


@pytest.mark.parametrize("trouble", ["stranger", "hidden", "forum", "archived", "commands"])
async def test_a_command_is_not_offered_everywhere(
    discord_stand_in: DiscordStandIn,
    listening: ListeningBot,
    ops: GuildChannel,
    ada: DiscordUser,
    trouble: str,
) -> None:
    acme = ops.guild
    acme.add_member(ada.id)
    place = ops
    if trouble == "stranger":
        acme.remove_member(ada.id)
    elif trouble == "hidden":
        ops.deny(ada.id, Permission.VIEW_CHANNEL)
    elif trouble == "commands":
        ops.deny(ada.id, Permission.USE_APPLICATION_COMMANDS)
    elif trouble == "forum":
        place = acme.add_channel("ideas", ChannelKind.FORUM)
    else:
        place = ops.add_thread("old")
        place.archived = True

    with pytest.raises(ValueError, match=r"see|itself|archived|may not"):
        await discord_stand_in.command(ada, "/link CODE", where=place)


@pytest.mark.parametrize(
    "option",
    [
        {"name": "Big Name", "description": "x", "type": 3},
        {"name": "x", "description": "", "type": 3},
        {"name": "x", "description": "x" * 101, "type": 3},
    ],
)
async def test_commands_that_discord_would_not_register_are_refused(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, option: dict[str, Any]
) -> None:
    command = {"name": "x", "description": "x", "options": [option]}
    late = {"name": "y", "description": "x", "type": 3, "required": True}

    for payload in (command, {**command, "options": [{"name": "x", "description": "x", "type": 3}, late]}):
        with pytest.raises(discord.HTTPException) as refused:
            await rest_bot.http.bulk_upsert_global_commands(int(discord_stand_in.application_id), [payload])
        assert refused.value.code == 50035
