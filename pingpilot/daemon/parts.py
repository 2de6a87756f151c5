"""The parts of the daemon: each channel that has its settings, made with its dispatcher and its bot."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import SecretStr

from bots.commands import Commands
from bots.discord.channel import DiscordChannel
from bots.discord.client import DiscordBot, use_api
from bots.telegram.application import TelegramBot
from bots.telegram.channel import TelegramChannel
from pingpilot import channels
from pingpilot.accounts.unsubscribing import Unsubscriber
from pingpilot.clock import Clock
from pingpilot.config import Settings
from pingpilot.daemon.supervision import Component
from pingpilot.delivery.channel import Channel
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.pacing import Pacer, Rate
from pingpilot.delivery.settlement import Settlements
from pingpilot.email.channel import EmailChannel
from pingpilot.email.smtp import MailServer, SmtpPool
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.health import Health, State
from pingpilot.telemetry.metrics import Metrics

# https://discord.com/developers/docs/topics/rate-limits#global-rate-limit
DISCORD_PACE = Rate(per_second=50, burst=50), None  # discord.py keeps the channels' own limits
# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
TELEGRAM_PACE = Rate(per_second=30, burst=30), Rate(per_second=1, burst=2)
EMAIL_PACE = None, None  # the pool's few connections are the limit


@dataclass(frozen=True, slots=True)
class Part:
    """A channel with what runs beside it: its dispatcher, and the component that `/readyz` shows."""

    dispatcher: Dispatcher
    component: Component
    close: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFactory:
    """Makes the parts from the settings and from what all of them share."""

    settings: Settings
    commands: Commands
    settlements: Settlements
    health: Health
    database: DatabaseWatch
    metrics: Metrics
    clock: Clock

    def build(self, unsubscriber: Unsubscriber) -> dict[str, Part]:
        """Return each channel that has its settings, by name; a new one is two lines here.

        Reports the others as off, with the settings they lack.
        """
        settings, parts = self.settings, {}
        for name, missing in settings.missing_for.items():
            if missing:
                self.health.report(name, State.OFF, f"Set {missing} to switch it on.")
        if settings.discord_token:
            parts[channels.DISCORD.name] = self._discord(settings.discord_token)
        if settings.telegram_token:
            parts[channels.TELEGRAM.name] = self._telegram(settings.telegram_token)
        if settings.smtp_host:
            parts[channels.EMAIL.name] = self._email(unsubscriber)
        return parts

    def _discord(self, token: SecretStr) -> Part:
        api_url = self.settings.discord_api_url
        use_api(api_url)
        channel = DiscordChannel(token=token)
        bot = DiscordBot(token=token, api_url=api_url, commands=self.commands, health=self.health)
        return Part(self._dispatcher(channel, *DISCORD_PACE), bot, channel.close)

    def _telegram(self, token: SecretStr) -> Part:
        api_url = self.settings.telegram_api_url
        channel = TelegramChannel(token=token, api_url=api_url)
        bot = TelegramBot(token=token, api_url=api_url, commands=self.commands, health=self.health)
        return Part(self._dispatcher(channel, *TELEGRAM_PACE), bot, channel.close)

    def _email(self, unsubscriber: Unsubscriber) -> Part:
        channel = EmailChannel(
            SmtpPool(MailServer.of(self.settings)),
            sender=self.settings.smtp_from or "",
            unsubscribe_url=unsubscriber.url_for,
            health=self.health,
        )
        return Part(self._dispatcher(channel, *EMAIL_PACE), channel, channel.close)

    def _dispatcher(self, channel: Channel, overall: Rate | None, per_recipient: Rate | None) -> Dispatcher:
        return Dispatcher(
            channel,
            daemon_id=f"{socket.gethostname()}:{self.settings.http_port}",
            pacer=Pacer(overall=overall, per_recipient=per_recipient, clock=self.clock),
            settlements=self.settlements,
            health=self.health,
            database=self.database,
            metrics=self.metrics,
            clock=self.clock,
        )
