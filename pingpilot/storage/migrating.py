"""The settings' database, brought up to date; apart from the daemon, so that commands need not load it."""

import asyncio
import os
import sys

from models.database import is_current, migrate
from pingpilot.config import PREFIX, Settings
from pingpilot.errors import DatabaseUnavailable, PingPilotError


async def prepare_database(settings: Settings) -> None:
    """Bring the database's schema up to date. Raises `PingPilotError` where it can't be used.

    Migrating takes a process of its own: Tortoise keeps 25 MB for it, which a daemon would never give back.
    """
    try:
        if await is_current(settings.database):
            return
    except DatabaseUnavailable as exc:
        raise _unusable(settings, exc) from exc
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pingpilot",
        "migrate",
        env={
            **os.environ,
            f"{PREFIX}DATA_DIR": str(settings.data_dir.absolute()),
            f"{PREFIX}DATABASE_URL": settings.database_url or "",
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        raise PingPilotError(said.decode(errors="replace").strip().removeprefix("Error: "))


async def migrate_database(settings: Settings) -> None:
    """Apply what migrations are missing, in this process. Raises `PingPilotError` as `prepare_database`."""
    try:
        await migrate(settings.database)
    except DatabaseUnavailable as exc:
        raise _unusable(settings, exc) from exc


def _unusable(settings: Settings, error: DatabaseUnavailable) -> PingPilotError:
    return PingPilotError(f"The database can't be used ({error}): check {settings.database_variable}.")
