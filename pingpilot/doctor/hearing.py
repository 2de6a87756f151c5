"""Whether several daemons on one PostgreSQL hear of each other at once: LISTEN needs a session of its own."""

import asyncio
import secrets
from typing import Any

from models.database import connection, open_database
from models.sql import query
from pingpilot.config import PREFIX, Settings
from pingpilot.database_url import parse_postgres_url, sqlite_path
from pingpilot.errors import DatabaseUnavailable
from pingpilot.telemetry.findings import Finding, Level

_CHANNEL = "pingpilot_doctor"
_DIRECT = f"{PREFIX}DATABASE_DIRECT_URL"
_PATIENCE = 5.0  # seconds


async def pooler(settings: Settings) -> Finding | None:
    """Try the way past a pooler. None where there is neither, as on SQLite, or where the database is away."""
    if sqlite_path(settings.database):
        return None
    # The driver, 2 MB, is loaded for PostgreSQL alone
    from models.backends.asyncpg import connect, has_pooler, our_errors, place_of  # noqa: PLC0415

    direct = settings.database_direct_url
    try:
        if direct and await place_of(settings.database) != await place_of(direct):
            return Finding(
                "pooler",
                Level.PROBLEM,
                f"{PREFIX}DATABASE_URL and {_DIRECT} lead to different databases.",
                "Set the first to a pooler's address, the second to that of the server behind it.",
            )
        listener = await connect(settings.database_direct, command_timeout=_PATIENCE)
        try:
            with our_errors():
                if not await has_pooler(listener):
                    return await _listen(settings, listener) if direct else None
        finally:
            listener.terminate()
    except DatabaseUnavailable as exc:
        if not direct:
            return None  # said of the database
        text = f"The way past the pooler can't be used: {exc}."
        return Finding("pooler", Level.PROBLEM, text, f"Check {_DIRECT}.")
    what = "leads to a pooler, too" if direct else "is not set"
    return Finding(
        "pooler",
        Level.WARNING,
        f"A pooler stands before PostgreSQL, and {_DIRECT} {what}: several daemons hear of each other every "
        "second or two only.",
        f"Set {_DIRECT} to the server's own address.",
    )


async def _listen(settings: Settings, listener: Any) -> Finding:
    """Listen on the one way to what is told on the other. Raises `TimeoutError`, and what asyncpg does."""
    heard, mark = asyncio.Event(), secrets.token_hex(8)

    def hear(_connection: object, _pid: int, _channel: str, told: str) -> None:
        if told == mark:
            heard.set()

    await listener.add_listener(_CHANNEL, hear)
    async with open_database(settings.database):
        await query(connection(), "SELECT pg_notify(?, ?)", [_CHANNEL, mark])
    await asyncio.wait_for(heard.wait(), _PATIENCE)
    host = parse_postgres_url(settings.database_direct).host or "a socket of this machine"
    return Finding("pooler", Level.OK, f"Daemons hear of each other through {host}, past it.")
