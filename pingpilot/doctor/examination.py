"""The examination: every check in the order a newcomer would mend things."""

import difflib
from collections.abc import AsyncIterator

from models.database import sqlite_path
from pingpilot.channels import CHANNELS, load
from pingpilot.config import PREFIX, known_variables, load_settings, unknown_variables
from pingpilot.doctor import machine
from pingpilot.errors import SettingsError
from pingpilot.telemetry.findings import Dates, Finding, Level

_UNSEEN_SCHEMA = Finding("schema", Level.OFF, "Not looked at, since the database can't be used.")


async def examine() -> AsyncIterator[Finding]:
    """Yield the findings one by one; those about platforms ask the platforms. Changes nothing anywhere."""
    try:
        settings = load_settings()
    except SettingsError as exc:
        advice = "Correct it in the environment or in .env. Nothing else was looked at."
        yield Finding("settings", Level.PROBLEM, str(exc), advice)
        return
    if names := settings.configured_channels:
        yield Finding("settings", Level.OK, f"Configured: {', '.join(names)}.")
    else:
        yield Finding(
            "settings",
            Level.WARNING,
            "No channel is configured: events are stored and delivered nowhere.",
            "Copy .env.example to .env and set the tokens and the mail server.",
        )
    if settings.links_lead_nowhere:
        yield Finding(
            "links",
            Level.WARNING,
            f"Those in e-mails would begin with {settings.base_url(settings.http_port)}, where nobody else "
            "can follow them.",
            f"Set {PREFIX}PUBLIC_URL to the address that people reach this server by.",
        )
    for variable in unknown_variables():
        nearest = difflib.get_close_matches(variable, known_variables(), n=1, cutoff=0.8)
        advice = (
            f"Did you mean {nearest[0]}?" if nearest else "See .env.example for all: correct or remove it."
        )
        yield Finding("settings", Level.WARNING, f"{variable} is not a setting, and has no effect.", advice)
    database = await machine.database(settings)
    yield database
    schema = await machine.migrations(settings) if database.level is Level.OK else _UNSEEN_SCHEMA
    yield schema
    path = sqlite_path(settings.database)
    if schema.level is Level.OK and not (path and not path.exists()):
        yield await machine.accounts(settings)
    yield machine.disk(settings)
    yield await machine.port(settings)
    dates = Dates()
    for name, own in settings.channels.items():
        if own.missing:
            yield Finding(name, Level.OFF, f"Set {own.missing} to switch it on.")
        else:
            yield await load(CHANNELS[name].doctor)(own, dates)
    yield machine.clock(await machine.database_time(settings), *dates.seen)
