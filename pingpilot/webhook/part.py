"""Webhooks as a part of the daemon."""

from pingpilot.delivery.parts import ChannelParts, Surroundings
from pingpilot.webhook.channel import WebhookChannel
from pingpilot.webhook.settings import WebhookSettings


def build(settings: WebhookSettings, around: Surroundings) -> ChannelParts:
    """Return the channel, which needs no settings."""
    channel = WebhookChannel(health=around.health, clock=around.clock, allowed=settings.allowed)
    return ChannelParts(channel, channel, channel.close)
