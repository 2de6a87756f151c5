"""The examination: every check in the order a newcomer would mend things."""

from collections.abc import AsyncIterator

from pingpilot.config import Settings
from pingpilot.doctor import machine, platforms
from pingpilot.doctor.finding import Finding, Level

_UNSEEN_SCHEMA = Finding("schema", Level.OFF, "Not looked at, since the database can't be used.")


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Yield the findings one by one; those about platforms ask the platforms. Changes nothing anywhere."""
    yield _channels(settings)
    database = await machine.database(settings)
    yield database
    yield await machine.migrations(settings) if database.level is Level.OK else _UNSEEN_SCHEMA
    yield machine.disk(settings)
    yield await machine.port(settings)
    dates = platforms.Dates()
    yield await platforms.discord(settings, dates)
    yield await platforms.telegram(settings, dates)
    yield await platforms.email(settings)
    yield machine.clock(await machine.database_time(settings), *dates.seen)


def _channels(settings: Settings) -> Finding:
    names = settings.configured_channels
    if not names:
        return Finding(
            "settings",
            Level.WARNING,
            "No channel is configured: events are stored and delivered nowhere.",
            "Copy .env.example to .env and set the tokens and the mail server.",
        )
    return Finding("settings", Level.OK, f"Configured: {', '.join(names)}.")
