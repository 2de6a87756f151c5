"""What the machine must offer: a database, room on the disk, a port, the right time."""

import asyncio
import os
import shutil
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from models.database import connection, is_current, open_database, sqlite_path
from models.sql import as_datetime
from pingpilot.config import PREFIX, Settings
from pingpilot.errors import DatabaseUnavailable
from pingpilot.telemetry.findings import Finding, Level

SCARCE, FULL = 1024**3, 100 * 1024**2
"""Bytes left on the disk that call for a warning, and for help."""
SKEW = timedelta(seconds=10)
"""How far the clock may be off: quotas, quiet hours and link codes go by it."""
_PATIENCE = 5.0  # seconds


async def database(settings: Settings) -> Finding:
    """Whether the database answers and is sound; a SQLite file need not exist yet."""
    path = sqlite_path(settings.database)
    if path and not path.exists():
        return _folder(path.parent)
    try:
        async with open_database(settings.database):
            await connection().execute_query("SELECT 1")
        return await asyncio.to_thread(_sqlite, path) if path else _postgres(settings)
    except (DatabaseUnavailable, sqlite3.Error, OSError) as exc:
        return Finding(
            "database",
            Level.PROBLEM,
            f"It can't be used: {str(exc) or type(exc).__name__}.",
            f"Check {PREFIX}DATABASE_URL, that the server runs, and who may log in or write the file.",
        )


def _folder(folder: Path) -> Finding:
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not existing.is_dir() or not _is_writable(existing):
        return Finding(
            "database",
            Level.PROBLEM,
            f"{folder} can't be written.",
            f"Give this user the right to write there, or set another {PREFIX}DATA_DIR.",
        )
    return Finding("database", Level.OK, f"SQLite, made in {folder} at the first start.")


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _sqlite(path: Path) -> Finding:
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
        return _folder(path.parent)
    return Finding("database", Level.OK, f"SQLite at {path}, {_size(path.stat().st_size)}.")


def _postgres(settings: Settings) -> Finding:
    place = urlsplit(settings.database)
    host = place.hostname or "a socket of this machine"
    return Finding("database", Level.OK, f"PostgreSQL at {host}, database {place.path[1:]}.")


async def migrations(settings: Settings) -> Finding:
    """Whether the schema is that of this version."""
    path = sqlite_path(settings.database)
    if path and not path.exists():
        return Finding("schema", Level.OK, "Made at the first start.")
    try:
        current = await is_current(settings.database)
    except DatabaseUnavailable:
        current = False
    if current:
        return Finding("schema", Level.OK, "Up to date.")
    return Finding(
        "schema",
        Level.WARNING,
        "Not up to date.",
        "Run `pingpilot migrate`, or start the daemon, which does so.",
    )


def disk(settings: Settings) -> Finding:
    """Whether there is room where data are kept."""
    path = sqlite_path(settings.database) or settings.data_dir
    folder = next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    text = f"{_size(free)} free in {folder}."
    if free >= SCARCE:
        return Finding("disk", Level.OK, text)
    advice = f"Make room, or lower {PREFIX}EVENT_RETENTION_DAYS: without room no event can be accepted."
    return Finding("disk", Level.WARNING if free >= FULL else Level.PROBLEM, text, advice)


async def port(settings: Settings) -> Finding:
    """Whether the API's address is free, or PingPilot is the one that has it."""
    url = settings.listening_url(settings.http_port)
    if _is_free(settings):
        return Finding("port", Level.OK, f"{url} is free: the daemon is not running.")
    if status := await _readiness(url):
        return Finding("port", Level.OK, f"The daemon runs at {url} ({status}).")
    return Finding(
        "port",
        Level.PROBLEM,
        f"Something else listens at {url}, or this machine has no such address.",
        f"Stop it, or set another {PREFIX}HTTP_PORT or {PREFIX}HTTP_HOST.",
    )


def _is_free(settings: Settings) -> bool:
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    try:
        socket.create_server((settings.http_host, settings.http_port), family=family).close()
    except OSError:
        return False
    return True


async def _readiness(url: str) -> str | None:
    """Return what a PingPilot there says of itself, None where there is none."""
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{url}/readyz") as reply:
            body = await reply.json()
            return str(body["status"]) if "parts" in body else None
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError):
        return None


async def database_time(settings: Settings) -> tuple[str, timedelta] | None:
    """Return how far the database server's clock is ahead of ours; None for SQLite, which has ours."""
    if sqlite_path(settings.database):
        return None
    try:
        async with open_database(settings.database):
            rows = await connection().execute_query_dict("SELECT clock_timestamp() AS now")
    except DatabaseUnavailable:
        return None
    return "the database", as_datetime(rows[0]["now"]) - datetime.now(UTC)


def clock(*ahead: tuple[str, timedelta] | None) -> Finding:
    """Judge our clock by those of others, given as their name and how far they are ahead."""
    others = [each for each in ahead if each]
    if not others:
        return Finding(
            "clock", Level.OK, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; nobody to compare with."
        )
    name, skew = max(others, key=lambda each: abs(each[1]))
    if abs(skew) <= SKEW:
        return Finding("clock", Level.OK, f"Agrees with {' and '.join(name for name, _ in others)}.")
    direction = "behind" if skew > timedelta() else "ahead of"
    return Finding(
        "clock",
        Level.PROBLEM,
        f"This machine's clock is {abs(skew).total_seconds():.0f} s {direction} {name}.",
        "Switch time synchronisation on (such as `timedatectl set-ntp true`).",
    )


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":  # noqa: PLR2004
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
