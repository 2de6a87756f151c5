"""The settings' database, brought up to date; apart from the daemon, so that commands need not load it."""

import asyncio
import os
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE

from models.database import is_current, migrate
from pingpilot.config import PREFIX, Settings, load_settings
from pingpilot.database_url import sqlite_path
from pingpilot.errors import DatabaseUnavailable, PingPilotError, SettingsError
from pingpilot.loops import leave
from pingpilot.storage.names import check_names


async def prepare_database(settings: Settings) -> None:
    """Bring the database's schema up to date, past a pooler. Raises `SettingsError` where it can't be used.

    Migrating takes a process of its own: Tortoise keeps 25 MB for it, which a daemon would never give back.
    It ends with this one, however this one ends, since its standard input does.
    """
    variable = settings.database_variable
    if path := sqlite_path(settings.database):
        check_names(path)
    try:
        if settings.database_direct_url:
            from models.backends.asyncpg import place_of  # noqa: PLC0415  # 2 MB for SQLite's users

            pooled, variable = await place_of(settings.database), settings.database_direct_variable
            if pooled != await place_of(settings.database_direct):
                raise SettingsError(
                    f"{PREFIX}DATABASE_URL and {PREFIX}DATABASE_DIRECT_URL lead to different databases: set "
                    "the one to a pooler's address, the other to that of the server behind it."
                )
        if await is_current(settings.database_direct):
            return
    except DatabaseUnavailable as exc:
        raise cannot_be_used(variable, exc) from exc
    if settings.database_url:
        place = {f"{PREFIX}DATABASE_URL": settings.database_url}
        if settings.database_direct_url:
            place[f"{PREFIX}DATABASE_DIRECT_URL"] = settings.database_direct_url
    else:  # whatever folder the child is in
        place = {f"{PREFIX}DATA_DIR": str(settings.data_dir.absolute())}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        env={**os.environ, **place},
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=PIPE,
    )
    try:
        # Not `communicate`, which would close the standard input
        said = await process.stderr.read() if process.stderr else b""
        code = await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if code:
        raise SettingsError(said.decode(errors="replace").strip() or f"The migration ended with {code}.")


async def _migrate(settings: Settings) -> None:
    """Apply what migrations are missing, in this process. Raises `SettingsError` as `prepare_database`."""
    try:
        if not await is_current(settings.database_direct):
            await migrate(settings.database_direct)
    except DatabaseUnavailable as exc:
        raise cannot_be_used(settings.database_direct_variable, exc) from exc


def cannot_be_used(variable: str, exc: DatabaseUnavailable) -> SettingsError:
    """Return what to tell whoever starts something on a database that can't be used, which is set there."""
    return SettingsError(f"The database can't be used ({exc}): check {variable}.")


def _end_with_parent() -> None:
    while os.read(0, 1):  # `sys.stdin` would be locked when the interpreter wants to end
        pass
    os._exit(1)


def _main() -> None:
    """Migrate as the child of `prepare_database`."""
    threading.Thread(target=_end_with_parent, daemon=True).start()

    async def migrate_and_leave() -> None:
        try:
            await _migrate(load_settings())
        except PingPilotError as exc:
            print(exc, file=sys.stderr)  # noqa: T201
            leave(1)  # without a goodbye to a database that no longer answers
        leave(0)

    asyncio.run(migrate_and_leave())


if __name__ == "__main__":
    _main()
