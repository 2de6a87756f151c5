"""The daemons of a PostgreSQL: whether all are there, of one version, and each bot is led."""

from collections.abc import Iterator
from datetime import timedelta

from models.database import open_database
from pingpilot import __version__
from pingpilot.cluster.roster import Roster, place_of, read_roster
from pingpilot.config import Settings
from pingpilot.database_url import sqlite_path
from pingpilot.errors import DatabaseUnavailable
from pingpilot.telemetry.findings import Finding, Level

UNLED = timedelta(seconds=15)
"""How long a bot may be without a leader: a change of leaders takes less than ten seconds."""
MOST_NAMED = 5
"""Daemons that a finding names."""


async def daemons(settings: Settings) -> list[Finding]:
    """Return what is to be said of them; nothing on SQLite, or where the database is away."""
    if sqlite_path(settings.database):
        return []
    try:
        async with open_database(settings.database):
            roster = await read_roster(settings.bots)
    except DatabaseUnavailable:
        return []  # said of the database
    return [*judged(roster)]


def judged(roster: Roster) -> Iterator[Finding]:
    """Yield a warning for each thing that is not well, or one finding that all is."""
    is_well = True
    if gone := [each for each in roster.daemons if not each.is_alive]:
        is_well = False
        named = _named([f"{each.place} ({_seconds(each.seen_ago)})" for each in gone])
        yield Finding(
            "daemons",
            Level.WARNING,
            f"Not seen any more: {named}. Killed, stopped for a while, or cut off from the database.",
            "Look at that machine and start it again. One that is meant to be gone is forgotten after a day.",
        )
    versions: dict[str, list[str]] = {}
    for daemon in roster.living:
        versions.setdefault(daemon.version, []).append(daemon.place)
    if versions and {*versions} != {__version__}:
        is_well = False
        told = "; ".join(f"{version} at {_named(places)}" for version, places in sorted(versions.items()))
        yield Finding(
            "daemons",
            Level.WARNING,
            f"Not all are of this version ({__version__}): {told}.",
            "Upgrade the others too: two versions side by side are meant for the time of an upgrade.",
        )
    for bot in roster.unled if roster.living else ():
        if bot.unled_for > UNLED:
            is_well = False
            yield Finding(
                "daemons",
                Level.WARNING,
                f"Nobody has led {bot.bot} for {_seconds(bot.unled_for)}: nothing goes out through that bot.",
                "Look into the logs of the daemons: they say what keeps them from it. Each needs its token.",
            )
    if is_well:
        led = [f"{each.bot} is led by {place_of(each.leader)}" for each in roster.bots if each.leader]
        running = f"{len(roster.living)} on this database: {_named([each.place for each in roster.living])}"
        text = "; ".join([running, *led]) if roster.living else "None runs on this database"
        yield Finding("daemons", Level.OK, f"{text}.")


def _named(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" and others" if len(names) > MOST_NAMED else "")


def _seconds(time: timedelta) -> str:
    """Return a time as people say it."""
    seconds = round(time.total_seconds())
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
