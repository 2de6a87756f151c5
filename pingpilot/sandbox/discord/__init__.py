"""A stand-in for Discord: REST API v10 and gateway on a loopback socket."""

from pingpilot.sandbox.discord.model import DiscordMessage, DiscordUser, InteractionReply
from pingpilot.sandbox.discord.standin import DiscordStandIn

__all__ = ["DiscordMessage", "DiscordStandIn", "DiscordUser", "InteractionReply"]
