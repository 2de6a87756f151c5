"""The examination: every check in the order a newcomer would mend things."""

from collections.abc import AsyncIterator
from dataclasses import replace

from pingpilot.channels import CHANNELS, load
from pingpilot.config import load_settings
from pingpilot.database_url import sqlite_path
from pingpilot.doctor import hearing, machine
from pingpilot.doctor.daemons import daemons
from pingpilot.errors import SettingsError
from pingpilot.telemetry.findings import Dates, Finding, Level
from pingpilot.telemetry.setting_warnings import setting_warnings

_UNSEEN_SCHEMA = Finding("schema", Level.OFF, "Not looked at, since the database can't be used.")


async def examine() -> AsyncIterator[Finding]:
    """Yield the findings one by one; those about platforms ask the platforms. Changes nothing anywhere."""
    try:
        settings = load_settings()
    except SettingsError as exc:
        advice = "Correct it in the environment or in .env. Nothing else was looked at."
        for sentence in exc.sentences:
            yield Finding("settings", Level.PROBLEM, sentence, advice)
        return
    if names := settings.direct_channels:
        yield Finding("settings", Level.OK, f"Configured: {', '.join(names)}.")
    for warning in setting_warnings(settings):
        yield warning
    database = await machine.database(settings)
    schema = await machine.migrations(settings) if database.level is Level.OK else _UNSEEN_SCHEMA
    path = sqlite_path(settings.database)
    has_tables = schema.level is Level.OK and not (path and not path.exists())
    yield (await machine.obstacle_to_events(settings) if has_tables else None) or database
    yield schema
    if pooler := await hearing.pooler(settings):
        yield pooler
    if has_tables:
        yield await machine.accounts(settings)
        for finding in await daemons(settings):
            yield finding
        if operators := await machine.operators(settings):
            yield operators
    yield machine.disk(settings)
    yield await machine.port(settings)
    dates = Dates()
    for name, own in settings.channels.items():
        if own.missing:
            yield Finding(name, Level.OFF, f"Set {own.missing} to switch it on.")
        else:
            for each in own.bots:
                finding = await load(CHANNELS[name].doctor)(each, dates)
                yield replace(finding, subject=each.bot) if len(own.bots) > 1 else finding
    yield machine.clock(await machine.database_time(settings), *dates.seen)
