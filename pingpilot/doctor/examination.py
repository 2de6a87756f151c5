"""The examination: every check in the order a newcomer would mend things."""

from collections.abc import AsyncIterator
from dataclasses import replace

from models import Bot
from models.database import open_database
from pingpilot.channels import CHANNELS, incoming_url, load
from pingpilot.config import Settings, load_settings
from pingpilot.database_url import sqlite_path
from pingpilot.doctor import hearing, machine
from pingpilot.doctor.daemons import daemons
from pingpilot.errors import DatabaseUnavailable, SettingsError
from pingpilot.telemetry.findings import Finding, Level, Visit
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
    visit = Visit()
    lanes = await _lanes(settings) if has_tables else {}
    for name, own in settings.channels.items():
        if own.missing:
            yield Finding(name, Level.OFF, f"Set {own.missing} to switch it on.")
            continue
        for number, each in enumerate(own.bots):
            lane = lanes.get(
                each.bot or "", number
            )  # as a daemon would give it that starts for the first time
            incoming = incoming_url(settings.base_url(settings.http_port), name, lane)
            finding = await load(CHANNELS[name].doctor)(each, replace(visit, incoming=incoming))
            yield replace(finding, subject=each.bot) if len(own.bots) > 1 else finding
    yield machine.clock(await machine.database_time(settings), *visit.seen)


async def _lanes(settings: Settings) -> dict[str, int]:
    """Return the lanes of the bots that daemons of this database have had, by name."""
    try:
        async with open_database(settings.database):
            return {each.name: each.lane for each in await Bot.all()}
    except DatabaseUnavailable:
        return {}  # said of the database
