"""Discord as a part of the daemon: what sends, and the bot that people talk to."""

from bots.commands import Commands
from bots.discord.channel import DiscordChannel
from bots.discord.client import DiscordBot, use_api
from bots.discord.sessions import SessionStarts
from bots.discord.settings import DiscordSettings
from pingpilot.delivery.parts import ChannelParts, Surroundings


def build(settings: DiscordSettings, around: Surroundings) -> ChannelParts:
    """Return the channel and its bot, by settings that have a token."""
    assert settings.token, "asked for only where `missing` is None"  # noqa: S101
    use_api(settings.api_url)
    channel = DiscordChannel(
        token=settings.token, may_act=around.may_act, gives_up_after=around.gives_up_after
    )
    commands = Commands(
        limits=around.limits,
        clock=around.clock,
        on_deliveries=around.on_deliveries,
        send=channel.send,
        base_url=around.base_url,
        lane=around.lane,
    )
    bot = DiscordBot(
        token=settings.token,
        commands=commands,
        health=around.health,
        starts=SessionStarts(health=around.health, clock=around.clock),
        may_act=around.may_act,
        lane=around.lane,
        gives_up_after=around.gives_up_after,
        place=around.place,
    )
    return ChannelParts(channel, bot, channel.close, channel.reach)
