"""A stand-in for Discord: REST API v10 and gateway on a loopback socket."""

from pingpilot.sandbox.discord.guilds import Guild, GuildChannel
from pingpilot.sandbox.discord.model import DiscordMessage, DiscordUser, InteractionReply
from pingpilot.sandbox.discord.permissions import ChannelKind, Permission
from pingpilot.sandbox.discord.standin import DiscordStandIn

__all__ = [
    "ChannelKind",
    "DiscordMessage",
    "DiscordStandIn",
    "DiscordUser",
    "Guild",
    "GuildChannel",
    "InteractionReply",
    "Permission",
]
