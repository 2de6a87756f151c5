"""Whether Telegram knows the bot, for `pingpilot doctor`."""

from bots.asking import ask_who_we_are
from bots.telegram.settings import TelegramSettings
from pingpilot.channels import TELEGRAM
from pingpilot.telemetry.findings import Dates, Finding


async def check(settings: TelegramSettings, dates: Dates) -> Finding:
    """Ask Telegram who the bot is (`getMe`)."""
    token = settings.token.get_secret_value() if settings.token else ""
    return await ask_who_we_are(
        TELEGRAM,
        f"{settings.api_url}/bot{token}/getMe",
        dates,
        advice=f"Ask @BotFather for a new token (/token) and set {settings.variable('token')}.",
    )
