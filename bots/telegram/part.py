"""Telegram as a part of the daemon: what sends, and the bot that people talk to."""

from bots.commands import Commands
from bots.telegram.application import TelegramBot
from bots.telegram.channel import TelegramChannel
from bots.telegram.settings import TELEGRAM_API, TelegramSettings
from bots.telegram.webhook import Webhook
from pingpilot.delivery.parts import ChannelParts, Surroundings


def build(settings: TelegramSettings, around: Surroundings) -> ChannelParts:
    """Return the channel and its bot, by settings that have a token."""
    assert settings.token, "asked for only where `missing` is None"  # noqa: S101
    channel = TelegramChannel(
        token=settings.token,
        api_url=settings.api_url,
        may_act=around.may_act,
        gives_up_after=around.gives_up_after,
    )
    commands = Commands(
        limits=around.limits,
        clock=around.clock,
        on_deliveries=around.on_deliveries,
        send=channel.send,
        base_url=around.base_url,
        lane=around.lane,
    )
    webhook = Webhook(
        token=settings.token,
        bot=settings.bot or "",
        base_url=around.base_url,
        lane=around.lane,
        needs_https=settings.api_url == TELEGRAM_API,  # a Bot API server of one's own takes http, too
        clock=around.clock,
        health=around.health,
        may_act=around.may_act,
        on_incoming=around.on_incoming,
    )
    bot = TelegramBot(
        token=settings.token,
        api_url=settings.api_url,
        commands=commands,
        health=around.health,
        webhook=webhook,
        polls=not settings.webhook,
        may_act=around.may_act,
        lane=around.lane,
        gives_up_after=around.gives_up_after,
        place=around.place,
    )
    return ChannelParts(
        channel,
        bot,
        channel.close,
        channel.reach,
        receiver=webhook if settings.webhook else None,
        wake=webhook.wake,
    )
