"""Servers' channels as rooms: who may link one, whether the bot can write there, and when one is lost.

What Discord shows to whom is not relied upon: each answer looks at the permissions that Discord resolved for
the person and for the bot in just that channel, and sent along (`member.permissions`, `app_permissions`).
"""

from collections.abc import Iterable
from typing import Final, Literal

import discord
import structlog

from bots.replies import Link, Reply
from bots.rooms import RoomCommands
from pingpilot.accounts.rooms import Room, linked_rooms
from pingpilot.channels import DISCORD
from pingpilot.rendering.text import one_line

Where = Literal["My direct messages", "This channel"]
"""The choices of the option `where`, as people see them."""
MY_MESSAGES: Final = "My direct messages"
THIS_CHANNEL: Final = "This channel"

WHO_MAY = "people with the permission Manage Channels"
NEEDED = discord.Permissions(
    view_channel=True, send_messages=True, embed_links=True, send_messages_in_threads=True
)
"""What the invite link asks for. Mention Everyone is granted by those who want somebody called."""

HIDDEN = "___hidden___"
"""What the gateway calls a channel that the bot can't see (Discord's "Obfuscated Channels")."""

NOT_IN_A_SERVER = Reply.of(
    f"This is no server's channel: choose '{THIS_CHANNEL}' in the one that shall get the notifications."
)
HOLDS_NO_MESSAGES = Reply.of(
    "This channel holds no messages of its own: use the command in another one, or in a post or thread."
)
LOCKED = Reply.of("This thread is locked: unlock it, or grant me Manage Threads. Then try again.")
NOT_IN_THE_THREAD = Reply.of(
    "I am not in this private thread: mention me in it, so that I join. Then try again."
)

log = structlog.get_logger(__name__)


def invite_url(application_id: int) -> str:
    """Return where somebody who manages a server lets the bot in, with the permissions that it needs."""
    return discord.utils.oauth_url(
        application_id, permissions=NEEDED, scopes=("bot", "applications.commands")
    )


def objection_to_asker(interaction: discord.Interaction) -> Reply | None:
    """Return why the person may not say what comes into this channel, None where they may."""
    if interaction.guild_id is None:
        return NOT_IN_A_SERVER
    if interaction.channel is None:  # of a kind that discord.py does not know
        return HOLDS_NO_MESSAGES
    may = interaction.permissions
    if not (may.manage_channels or may.administrator):
        return Reply.of(f"Only {WHO_MAY} here can link or unlink this channel: ask one of them.")
    return None


async def objection_to_channel(interaction: discord.Interaction) -> Reply | None:
    """Return why the bot can't write in this server's channel, and what mends that; None where it can."""
    channel, may = interaction.channel, interaction.app_permissions
    if interaction.client.get_guild(interaction.guild_id or 0) is None:
        return Reply.of(
            "I am not in this server, so I can't write here. Invite me (that takes the permission Manage "
            "Server), then send this command again."
        ).with_links(Link("Invite me to a server", invite_url(interaction.application_id)))
    if not isinstance(
        channel, discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread
    ):
        return HOLDS_NO_MESSAGES
    is_thread = isinstance(channel, discord.Thread)
    needed = {
        "View Channel": may.view_channel,
        "Send Messages in Threads" if is_thread else "Send Messages": (
            may.send_messages_in_threads if is_thread else may.send_messages
        ),
        "Embed Links": may.embed_links,
    }
    missing = [name for name, granted in needed.items() if not (granted or may.administrator)]
    if missing:
        return Reply.of(
            f"I may not write in this channel yet: grant me {_listed(missing)} here, then try again."
        )
    if isinstance(channel, discord.Thread):
        if channel.locked and not may.manage_threads:
            return LOCKED
        if channel.is_private() and not await _can_see(interaction.client, channel.id):
            return NOT_IN_THE_THREAD
    return None


async def room_of(interaction: discord.Interaction) -> Room:
    """Return the channel that the command was used in, with the title that its owner sees: "Acme / #ops"."""
    channel = interaction.channel
    assert channel is not None  # noqa: S101
    guild = interaction.client.get_guild(interaction.guild_id or 0)
    names = [f"#{await _name_of(interaction.client, channel)}"]
    if isinstance(channel, discord.Thread):
        names = [f"#{channel.parent.name}" if channel.parent else "a thread", channel.name]
    if guild:  # one that is loading has no name yet
        name = guild.name or (await interaction.client.fetch_guild(guild.id, with_counts=False)).name
        names.insert(0, name)
    return Room(DISCORD.name, str(channel.id), one_line(" / ".join(names)))


async def lose(rooms: RoomCommands, channels: Iterable[int], reason: str) -> None:
    """Suspend the rooms among these channels, which the bot has lost, and tell their owners.

    What it is not told of (it was away, the thread was archived) is found by the next message there.
    """
    lost = {str(each) for each in channels} & await linked_rooms(DISCORD.name)
    for address in sorted(lost):
        log.info("A room on Discord was lost", reason=reason)
        await rooms.suspend(DISCORD.name, address, reason)


async def _name_of(client: discord.Client, channel: object) -> str:
    """Return a channel's name, which discord.py may have from a time when the bot could not see it."""
    if isinstance(channel, discord.abc.GuildChannel) and channel.name == HIDDEN:
        try:
            return str(await client.fetch_channel(channel.id))
        except discord.Forbidden:
            return "hidden"
    return str(channel)


async def _can_see(client: discord.Client, channel_id: int) -> bool:
    """Ask Discord whether the bot sees a channel: a private thread shows to its members alone."""
    try:
        await client.fetch_channel(channel_id)
    except discord.Forbidden:
        return False
    return True


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
