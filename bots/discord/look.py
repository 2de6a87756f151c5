"""How a notification looks on Discord."""

from bots.discord.message import mention_for, render_embed
from bots.discord.settings import DiscordSettings
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.rendering.looks import DiscordLook, discord_look


def look(notification: Notification, recipient: Recipient, _settings: DiscordSettings) -> DiscordLook:
    """Return the message as it is sent there, drawn."""
    content, _ = mention_for(recipient.mention if recipient.is_room else None)
    return discord_look(content or "", [render_embed(notification).to_dict()])
