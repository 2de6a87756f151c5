"""Whether Telegram knows the bot, and where it brings what people say to it, for `pingpilot doctor`."""

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import BaseModel

from bots.asking import ask, ask_who_we_are
from bots.telegram.settings import HTTPS_ALONE, TELEGRAM_API, TelegramSettings
from pingpilot.channels import TELEGRAM
from pingpilot.config import PREFIX
from pingpilot.rendering.text import cut_end, one_line
from pingpilot.telemetry.findings import Finding, Level, Visit

LONGEST_SHOWN = 200
"""Characters of what Telegram says of an error, or of a host's name."""
_AGAIN = "If it comes back, another program has this bot's token: give one of the two a bot of its own."


class _WebhookInfo(BaseModel):
    """What https://core.telegram.org/bots/api#webhookinfo says, as far as it is told."""

    url: str
    pending_update_count: int = 0
    last_error_date: datetime | None = None
    last_error_message: str = ""


async def check(settings: TelegramSettings, visit: Visit) -> Finding:
    """Ask Telegram who the bot is (`getMe`), and where what people say to it goes (`getWebhookInfo`)."""
    token = settings.token.get_secret_value() if settings.token else ""
    at = f"{settings.api_url}/bot{token}"
    advice = f"Ask @BotFather for a new token (/token) and set {settings.variable('token')}."
    bot = await ask_who_we_are(TELEGRAM, f"{at}/getMe", visit, advice=advice)
    if bot.level is not Level.OK:
        return bot
    info = await ask(TELEGRAM, f"{at}/getWebhookInfo", _WebhookInfo, visit, advice=advice)
    if isinstance(info, Finding):
        return info
    if settings.webhook and settings.api_url == TELEGRAM_API and not visit.incoming.startswith("https://"):
        return replace(bot, level=Level.PROBLEM, text=f"{bot.text} It hears nothing.", advice=HTTPS_ALONE)
    level, text, what_to_do = (
        _about_webhook(info, visit.incoming, token) if settings.webhook else _about_polling(info)
    )
    return replace(bot, level=level, text=f"{bot.text} {text}".rstrip(), advice=what_to_do)


def _about_polling(info: _WebhookInfo) -> tuple[Level, str, str | None]:
    """Tell of a webhook that stands in polling's way."""
    if not info.url:
        return Level.OK, "", None
    text = f"A webhook is set, to {_host_of(info.url)}: while it is, polling brings nothing."
    advice = f"Start the daemon again, which takes it away; or set {PREFIX}TELEGRAM_WEBHOOK=on. {_AGAIN}"
    return Level.WARNING, text, advice


def _about_webhook(info: _WebhookInfo, incoming: str, token: str) -> tuple[Level, str, str | None]:
    """Tell whether Telegram posts to us and gets through, and how much waits."""
    if not info.url:
        text = "Telegram posts to nobody: the webhook is not set."
        return Level.WARNING, text, "Start the daemon, which sets it."
    if info.url != incoming:
        text = f"Telegram posts to another address, at {_host_of(info.url)}, and not to {incoming}."
        return Level.PROBLEM, text, f"Start the daemon again, which sets {PREFIX}PUBLIC_URL's. {_AGAIN}"
    count = info.pending_update_count
    waits = f"{count} update{' waits' if count == 1 else 's wait'}" if count else "nothing waits"
    error = ""
    if info.last_error_date:
        said = cut_end(one_line(info.last_error_message.replace(token, "[token]")), LONGEST_SHOWN)
        error = f" The last error was at {info.last_error_date:%Y-%m-%d %H:%M} UTC: “{said}”."
    if count and error:
        text = f"Telegram does not get through to {incoming}: {waits}.{error}"
        advice = (
            f"See that {PREFIX}PUBLIC_URL leads here from the internet, with a certificate that it trusts."
        )
        return Level.WARNING, text, advice
    return Level.OK, f"Telegram posts to {incoming}; {waits}.{error}", None


def _host_of(url: str) -> str:
    """Return where a webhook leads to, without its path: some programs have their token in it."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return cut_end(one_line(host or "an address that can't be read"), LONGEST_SHOWN)
