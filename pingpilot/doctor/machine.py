"""What the machine must offer: a database, room on the disk, a port, the right time."""

import asyncio
import errno
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from api.resources.health import DATABASE_MARK
from models import Account
from models.database import answers, connection, is_current, open_database
from models.sql import as_datetime
from pingpilot.accounts.accounts import accounts_without_channel, has_operator
from pingpilot.accounts.unsubscribing import Unsubscriber
from pingpilot.clock import STEP
from pingpilot.config import PREFIX, Settings
from pingpilot.database_url import parse_postgres_url, sqlite_path
from pingpilot.errors import DatabaseUnavailable, NewerSchema, SettingsError
from pingpilot.listening import listening_socket
from pingpilot.storage.names import check_names
from pingpilot.telemetry.findings import Finding, Level

SCARCE, FULL = 1024**3, 100 * 1024**2
"""Bytes left on the disk that call for a warning, and for help."""
SKEW = timedelta(seconds=10)
"""How far the clock may be off: quotas, quiet hours and link codes go by it."""
MOST_NAMED = 5
"""Accounts that a finding names."""
_PATIENCE = 5.0  # seconds
_DATABASE = "the database"


async def database(settings: Settings) -> Finding:
    """Whether the database answers and is sound; a SQLite file need not exist yet."""
    path = sqlite_path(settings.database)
    try:
        if path and (found := _before_opening(settings, path)):
            return found
        async with open_database(settings.database):
            await connection().execute_query("SELECT 1")
        if path:
            return await asyncio.to_thread(_sqlite, settings, path)
        place = parse_postgres_url(settings.database)
        host = place.host or "a socket of this machine"
        return Finding("database", Level.OK, f"PostgreSQL at {host}, database {place.database}.")
    except PermissionError as exc:
        return _not_usable(settings, f"This user may not look into the folder of {exc.filename or path}.")
    except (DatabaseUnavailable, sqlite3.Error, OSError) as exc:
        return Finding(
            "database",
            Level.PROBLEM,
            f"It can't be used: {str(exc) or type(exc).__name__}.",
            f"Check {settings.database_variable}, and who may read and write there."
            if path
            else f"Check {settings.database_variable}, that the server runs, and who may log in.",
        )


async def obstacle_to_events(settings: Settings) -> Finding | None:
    """Return what keeps events from being stored, None where nothing does. It writes nothing.

    The schema has to be that of this version: the locks of an event are asked for.
    """
    try:
        async with open_database(settings.database):
            await answers()
    except DatabaseUnavailable as exc:
        advice = "Find out which program keeps it locked, or why it may only be read."
        return Finding("database", Level.PROBLEM, f"No event can be stored: {exc}.", advice)
    return None


def _before_opening(settings: Settings, path: Path) -> Finding | None:
    """Return what is to be said of an SQLite file that need not be opened for that, or must not be."""
    if not path.is_symlink() and not path.exists():
        return _folder(settings, path.parent)
    if not path.is_file():
        return _not_usable(settings, f"{path} is no file, or leads to none.")
    try:
        check_names(path)
    except SettingsError as exc:
        return Finding("database", Level.PROBLEM, str(exc))
    return None


def _folder(settings: Settings, folder: Path) -> Finding:
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if existing.is_dir() and _is_writable(existing) and shutil.disk_usage(existing).total:  # /proc has none
        return Finding("database", Level.OK, f"SQLite, made in {folder} at the first start.")
    return _not_usable(settings, f"{folder} can't be written.")


def _not_usable(settings: Settings, text: str) -> Finding:
    advice = f"Give this user the right to read and write there, or set another {settings.database_variable}."
    return Finding("database", Level.PROBLEM, text, advice)


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _sqlite(settings: Settings, path: Path) -> Finding:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        (verdict,) = file.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        return Finding(
            "database",
            Level.PROBLEM,
            f"{path} is damaged: {verdict}.",
            "Stop the daemon and put a backup in its place (`pingpilot backup` makes them).",
        )
    if not _is_writable(path.parent):
        return _folder(settings, path.parent)
    if not os.access(path, os.W_OK):
        return _not_usable(settings, f"{path} can't be written.")
    return Finding("database", Level.OK, f"SQLite at {path}, {_size(path.stat().st_size)}.")


async def migrations(settings: Settings) -> Finding:
    """Whether the schema is that of this version."""
    path = sqlite_path(settings.database)
    if path and not path.exists():
        return Finding("schema", Level.OK, "Made at the first start.")
    try:
        current = await is_current(settings.database)
    except NewerSchema as exc:
        sentence, _, advice = str(exc).partition(": ")
        return Finding("schema", Level.PROBLEM, f"{sentence}.", f"{advice[0].upper()}{advice[1:]}")
    except DatabaseUnavailable as exc:
        advice = f"Check {settings.database_variable}, and who may read and write there."
        return Finding("schema", Level.PROBLEM, f"It can't be looked at: {exc}.", advice)
    if current:
        return Finding("schema", Level.OK, "Up to date.")
    return Finding(
        "schema",
        Level.WARNING,
        "Not up to date.",
        "Run `pingpilot migrate`, or start the daemon, which does so.",
    )


async def accounts(settings: Settings) -> Finding:
    """Whether each account has a channel that its events can go to; the schema is that of this version."""
    try:
        async with open_database(settings.database):
            total = await Account.all().count()
            mute = await accounts_without_channel(settings.configured_channels)
    except DatabaseUnavailable as exc:
        return Finding("accounts", Level.PROBLEM, f"They can't be read: {exc}.", "See the database above.")
    if not mute:
        found = f"{total:,}, each with a channel" if total else "None yet"
        advice = None if total else "Make one with `pingpilot account create EMAIL`."
        return Finding("accounts", Level.OK, f"{found}.", advice)
    named = ", ".join(mute[:MOST_NAMED]) + (" and others" if len(mute) > MOST_NAMED else "")
    return Finding(
        "accounts",
        Level.WARNING,
        f"The events of {len(mute):,} of {total:,} go nowhere, since no channel can be used: {named}.",
        "Switch one on with `pingpilot account set EMAIL --channels email`, or link a chat with "
        "`pingpilot link-code --account EMAIL`.",
    )


async def operators(settings: Settings) -> Finding | None:
    """Warn where nobody looks after the server in the dashboard, or anybody may become who does."""
    try:
        async with open_database(settings.database):
            is_empty = not await Account.all().exists()
            has_one = await has_operator()
    except DatabaseUnavailable:
        return None  # said of the accounts
    if is_empty and settings.sign_up == "open":
        return Finding(
            "operator",
            Level.WARNING,
            "Whoever signs up first becomes this server's operator.",
            "Make your own account first: `pingpilot account create EMAIL`.",
        )
    if is_empty or has_one:
        return None
    return Finding(
        "operator",
        Level.WARNING,
        "No account is an operator, who looks after the server in the dashboard.",
        "Make one with `pingpilot account set EMAIL --operator`.",
    )


def disk(settings: Settings) -> Finding:
    """Whether there is room where data are kept."""
    path = sqlite_path(settings.database) or settings.data_dir
    try:
        folder = next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())
        usage = shutil.disk_usage(folder)
    except PermissionError:
        return Finding("disk", Level.OFF, f"Not looked at, since this user may not look into {path}.")
    if not usage.total:
        return Finding("disk", Level.OFF, f"Not looked at, since {folder} is no place for files.")
    free = usage.free
    text = f"{_size(free)} free in {folder}."
    if free >= SCARCE:
        return Finding("disk", Level.OK, text)
    advice = f"Make room, or lower {PREFIX}EVENT_RETENTION_DAYS: without room no event can be accepted."
    return Finding("disk", Level.WARNING if free >= FULL else Level.PROBLEM, text, advice)


async def port(settings: Settings) -> Finding:
    """Whether the API's address is free, or the daemon of our database is the one that has it."""
    url = settings.listening_url(settings.http_port)
    try:
        listening_socket(settings.http_host, settings.http_port).close()
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            return await _who_listens(settings, url)
        if exc.errno == errno.EACCES:
            text = f"This user may not listen on port {settings.http_port}."
            return _port_problem(text, f"Set {PREFIX}HTTP_PORT to one above 1023.")
        text = f"This machine has no address {settings.http_host} to listen on."
        return _port_problem(text, f"Set {PREFIX}HTTP_HOST to one that it has, such as 127.0.0.1.")
    return Finding("port", Level.OK, f"{url} is free: the daemon is not running.")


async def _who_listens(settings: Settings, url: str) -> Finding:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{url}/readyz") as reply:
            body, mark = await reply.json(), reply.headers.get(DATABASE_MARK)
        status = str(body["status"]) if "parts" in body else None
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError):
        status = mark = None
    if status is None:
        advice = f"Stop it, or set another {PREFIX}HTTP_PORT or {PREFIX}HTTP_HOST."
        return _port_problem(f"Another program listens at {url}, which is no PingPilot.", advice)
    if mark is not None and await _is_anothers(settings, mark):
        return _port_problem(
            f"A PingPilot of another database runs at {url} ({status}).",
            f"Give this one another {PREFIX}HTTP_PORT, or run the doctor with the settings of that daemon.",
        )
    if status == "unavailable":
        advice = "Its log says why: the database is away, locked or full, or its file was replaced."
        return _port_problem(f"The daemon runs at {url}, and can't store events.", advice)
    return Finding("port", Level.OK, f"The daemon runs at {url} ({status}).")


async def _is_anothers(settings: Settings, mark: str) -> bool:
    """Return whether a daemon's mark is not that of our database; False where that can't be asked."""
    path = sqlite_path(settings.database)
    if path and not path.exists():
        return True
    try:
        async with open_database(settings.database):
            return mark != await Unsubscriber.stored_mark()
    except DatabaseUnavailable:
        return False


def _port_problem(text: str, advice: str) -> Finding:
    return Finding("port", Level.PROBLEM, text, advice)


async def database_time(settings: Settings) -> tuple[str, timedelta] | None:
    """Return how far the database server's clock is ahead of ours; None for SQLite, which has ours."""
    if sqlite_path(settings.database):
        return None
    try:
        async with open_database(settings.database):
            rows = await connection().execute_query_dict("SELECT clock_timestamp() AS now")
    except DatabaseUnavailable:
        return None
    return _DATABASE, as_datetime(rows[0]["now"]) - datetime.now(UTC)


def clock(*ahead: tuple[str, timedelta] | None) -> Finding:
    """Judge our clock by those of others, given as their name and how far they are ahead."""
    others = [each for each in ahead if each]
    if not others:
        return Finding(
            "clock", Level.OK, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; nobody to compare with."
        )
    name, skew = max(others, key=lambda each: abs(each[1]))
    advice = "Switch time synchronisation on (such as `timedatectl set-ntp true`)."
    apart = abs(dict(others).get(_DATABASE, timedelta()).total_seconds())
    if abs(skew) <= SKEW and apart > STEP:
        text = f"This machine's clock is {apart:.0f} s off that of {_DATABASE}, by which its daemons go."
        return Finding("clock", Level.WARNING, text, advice)
    if abs(skew) <= SKEW:
        return Finding("clock", Level.OK, f"Agrees with {' and '.join(name for name, _ in others)}.")
    direction = "behind" if skew > timedelta() else "ahead of"
    return Finding(
        "clock",
        Level.PROBLEM,
        f"This machine's clock is {abs(skew).total_seconds():.0f} s {direction} {name}.",
        advice,
    )


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":  # noqa: PLR2004
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
