"""The three platforms as stand-ins, and the settings that point a daemon at them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser

DISCORD_TOKEN = "MTA0ODU3Ng.GhXwYz.a-token-of-the-discord-bot-0123456789"
TELEGRAM_TOKEN = "7000000042:AAG-a-token-of-the-telegram-bot-012"
SMTP_USERNAME, SMTP_PASSWORD = "pingpilot", "the-password-of-the-mailbox"
ADA = DiscordUser("81384788765712384", "ada")
GRACE = TelegramUser(7_123_456_789, "grace", "Grace")


@dataclass(frozen=True, slots=True)
class Platforms:
    """Stand-ins that run in the caller's loop."""

    discord: DiscordStandIn
    telegram: TelegramStandIn
    mail: MailStandIn

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a daemon that uses all three."""
        return {
            "PINGPILOT_DISCORD_TOKEN": DISCORD_TOKEN,
            "PINGPILOT_DISCORD_API_URL": self.discord.url,
            "PINGPILOT_TELEGRAM_TOKEN": TELEGRAM_TOKEN,
            "PINGPILOT_TELEGRAM_API_URL": self.telegram.url,
            "PINGPILOT_SMTP_HOST": self.mail.host,
            "PINGPILOT_SMTP_PORT": str(self.mail.port),
            "PINGPILOT_SMTP_SECURITY": "none",
            "PINGPILOT_SMTP_USERNAME": SMTP_USERNAME,
            "PINGPILOT_SMTP_PASSWORD": SMTP_PASSWORD,
            "PINGPILOT_SMTP_FROM": "PingPilot <alerts@example.com>",
        }

    async def start(self) -> None:
        """Come back, on the same ports."""
        for each in (self.discord, self.telegram, self.mail):
            await each.start()

    async def stop(self) -> None:
        """Vanish from the network."""
        for each in (self.discord, self.telegram, self.mail):
            await each.stop()

    async def link(self, code: str) -> None:
        """Let Ada on Discord and Grace on Telegram link their chats with an API key."""
        await self.discord.command(ADA, f"/link {code}")
        await self.telegram.say(GRACE, f"/link {code}")

    def lift_limits(self) -> None:
        """Take messages as fast as they come."""
        self.discord.channel_limit = self.discord.global_limit = None
        self.telegram.chat_limit = self.telegram.global_limit = None


@asynccontextmanager
async def running_platforms() -> AsyncIterator[Platforms]:
    """All three, on free ports."""
    async with (
        DiscordStandIn(token=DISCORD_TOKEN) as discord,
        TelegramStandIn(token=TELEGRAM_TOKEN) as telegram,
        MailStandIn(username=SMTP_USERNAME, password=SMTP_PASSWORD) as mail,
    ):
        yield Platforms(discord, telegram, mail)
