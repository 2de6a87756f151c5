"""What the platforms say to our tokens and passwords."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from pingpilot.config import PREFIX, Settings
from pingpilot.doctor.finding import Finding, Level
from pingpilot.email.smtp import MailServer, SmtpPool
from pingpilot.errors import ChannelUnavailable, DeliveryFailure

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_REFUSED = (401, 403, 404)  # Telegram answers 404 to a token of the wrong shape


class Dates:
    """Collects what time it is on the platforms, from the `Date` of their answers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, timedelta]] = []

    def note(self, name: str, reply: aiohttp.ClientResponse) -> None:
        """Remember how far the platform's clock is ahead of ours."""
        try:
            there = parsedate_to_datetime(reply.headers.get("Date", ""))
        except ValueError:
            return
        self.seen.append((name, there.replace(tzinfo=there.tzinfo or UTC) - datetime.now(UTC)))


async def discord(settings: Settings, dates: Dates) -> Finding:
    """Whether Discord knows the bot (`GET /users/@me`)."""
    if not settings.discord_token:
        return _off(settings, "discord")
    headers = {"Authorization": f"Bot {settings.discord_token.get_secret_value()}"}
    return await _ask(
        "discord",
        f"{settings.discord_api_url}/users/@me",
        dates,
        headers=headers,
        advice="Make a new token at https://discord.com/developers/applications (Bot, Reset Token) and set "
        f"{PREFIX}DISCORD_TOKEN.",
    )


async def telegram(settings: Settings, dates: Dates) -> Finding:
    """Whether Telegram knows the bot (`getMe`)."""
    if not settings.telegram_token:
        return _off(settings, "telegram")
    return await _ask(
        "telegram",
        f"{settings.telegram_api_url}/bot{settings.telegram_token.get_secret_value()}/getMe",
        dates,
        advice=f"Ask @BotFather for a new token (/token) and set {PREFIX}TELEGRAM_TOKEN.",
    )


async def _ask(
    name: str, url: str, dates: Dates, *, advice: str, headers: dict[str, str] | None = None
) -> Finding:
    """Ask who the bot is. The address may hold the token, so no error of the request is shown whole."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
            session.get(url) as reply,
        ):
            dates.note(name.capitalize(), reply)
            if reply.status in _REFUSED:
                return Finding(name, Level.PROBLEM, "The token is refused.", advice)
            reply.raise_for_status()
            body = await reply.json()
            return Finding(name, Level.OK, f"The bot is {_name_in(body)}.")
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as exc:
        problem = (
            f"answered {exc.status}" if isinstance(exc, aiohttp.ClientResponseError) else type(exc).__name__
        )
        return Finding(
            name,
            Level.PROBLEM,
            f"{name.capitalize()} can't be asked ({problem}).",
            "Check the network, its DNS and firewall; a daemon keeps what it accepts and goes on trying.",
        )


def _name_in(body: Any) -> str:
    who = body.get("result", body)
    return f"@{who['username']}"


async def email(settings: Settings) -> Finding:
    """Whether the mail server lets us in."""
    if not settings.smtp_host:
        return _off(settings, "email")
    server = MailServer.of(settings)
    pool = SmtpPool(server, timeout=timedelta(seconds=10))
    place = f"{server.host}:{server.port} ({server.security})"
    try:
        await pool.check()
    except DeliveryFailure as exc:
        settled = isinstance(exc, ChannelUnavailable)
        advice = (
            f"Check {PREFIX}SMTP_USERNAME, {PREFIX}SMTP_PASSWORD and {PREFIX}SMTP_SECURITY."
            if settled
            else f"Check {PREFIX}SMTP_HOST and {PREFIX}SMTP_PORT, and that the network lets you out there."
        )
        return Finding("email", Level.PROBLEM, f"{exc.reason.rstrip('.')} at {place}.", advice)
    finally:
        await pool.close()
    return Finding("email", Level.OK, f"{place} lets us in, mail goes out as {settings.smtp_from}.")


def _off(settings: Settings, name: str) -> Finding:
    return Finding(name, Level.OFF, f"Set {settings.missing_for[name]} to switch it on.")
