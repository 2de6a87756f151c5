"""The events that tell a bot what a person has done."""

from typing import Literal

from pingpilot.sandbox.discord.commands import CONTEXTS
from pingpilot.sandbox.discord.guilds import GuildChannel
from pingpilot.sandbox.discord.interactions import Interaction
from pingpilot.sandbox.discord.model import DiscordUser, Json, user_json
from pingpilot.sandbox.discord.permissions import Permission

Where = Literal["dm", "guild", "private"]
"""Where a person is: "guild" is some server that the bot is not in; the person has it as an app of their own.

A `GuildChannel` is one of a server of the stand-in.
"""

GUILD_ID = "1000000000000000001"
GUILD_CHANNEL_ID = "1000000000000000002"
GROUP_CHANNEL_ID = "1000000000000000003"
GUILD_TEXT, DM, GROUP_DM = 0, 1, 3
SEND_AND_READ = str(1 << 10 | 1 << 11 | 1 << 16)
"""Permissions: view channel, send messages, read message history."""

ATTACHMENT_LIMIT_BYTES = 10 * 1024 * 1024


def interaction_event(
    interaction: Interaction,
    user: DiscordUser,
    where: Where | GuildChannel,
    *,
    application_id: str,
    data: Json,
) -> Json:
    """Return the data of an INTERACTION_CREATE event."""
    event = {
        "id": interaction.id,
        "application_id": application_id,
        "type": interaction.kind,
        "token": interaction.token,
        "version": 1,
        "data": data,
        "context": context_of(where),
        "channel_id": interaction.channel_id,
        "channel": _channel(interaction.channel_id, user, where),
        "app_permissions": SEND_AND_READ,
        "locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": {"1": user.id},
        "attachment_size_limit": ATTACHMENT_LIMIT_BYTES,
    }
    if isinstance(where, GuildChannel):
        return event | _own_guild_part(where, user, application_id)
    return event | (_guild_part(user) if where == "guild" else {"user": user.as_json()})


def dm_channel_json(channel_id: str, user: DiscordUser) -> Json:
    """Return the channel object of somebody's direct messages with the bot."""
    return {
        "id": channel_id,
        "type": DM,
        "last_message_id": None,
        "flags": 0,
        "recipients": [user.as_json()],
    }


def context_of(where: Where | GuildChannel) -> int:
    """Return the interaction context of a place."""
    return CONTEXTS["guild" if isinstance(where, GuildChannel) else where]


def channel_id_of(where: Where | GuildChannel, dm_channel_id: str) -> str:
    """Return the channel in which a person writes in that place."""
    if isinstance(where, GuildChannel):
        return where.id
    return {"dm": dm_channel_id, "guild": GUILD_CHANNEL_ID, "private": GROUP_CHANNEL_ID}[where]


def _channel(channel_id: str, user: DiscordUser, where: Where | GuildChannel) -> Json:
    if isinstance(where, GuildChannel):
        return where.as_json() | {"permissions": str(int(where.guild.permissions_of(user.id, where)))}
    if where == "dm":
        return dm_channel_json(channel_id, user)
    if where == "private":
        friend = user_json("1000000000000000004", "friend")
        return {
            "id": channel_id,
            "type": GROUP_DM,
            "name": "Friends",
            "owner_id": user.id,
            "icon": None,
            "recipients": [user.as_json(), friend],
        }
    return {
        "id": channel_id,
        "type": GUILD_TEXT,
        "name": "general",
        "guild_id": GUILD_ID,
        "position": 0,
        "nsfw": False,
        "flags": 0,
        "parent_id": None,
        "rate_limit_per_user": 0,
        "last_message_id": None,
        "permissions": SEND_AND_READ,
    }


def _guild_part(user: DiscordUser) -> Json:
    member: Json = {
        "user": user.as_json(),
        "nick": None,
        "avatar": None,
        "roles": [],
        "joined_at": "2026-01-01T00:00:00+00:00",
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "permissions": SEND_AND_READ,
    }
    guild = {"id": GUILD_ID, "locale": "en-US", "features": []}
    return {"guild_id": GUILD_ID, "guild": guild, "guild_locale": "en-US", "member": member}


def _own_guild_part(channel: GuildChannel, user: DiscordUser, bot_id: str) -> Json:
    """Return what differs in a server of the stand-in, be the bot in it or an app of the person's own."""
    guild = channel.guild
    joined = guild.has_member(bot_id)
    app = guild.permissions_of(bot_id, channel) if joined else Permission(int(SEND_AND_READ))
    member = guild.member_json(user.as_json())
    return {
        "guild_id": guild.id,
        "guild": {"id": guild.id, "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "member": member | {"permissions": str(int(guild.permissions_of(user.id, channel)))},
        "app_permissions": str(int(app)),
        "authorizing_integration_owners": {"0": guild.id} if joined else {"1": user.id},
    }
