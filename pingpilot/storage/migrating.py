"""The settings' database, brought up to date; apart from the daemon, so that commands need not load it."""

import asyncio
import os
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE

from models.database import is_current, migrate
from pingpilot.config import PREFIX, Settings, load_settings
from pingpilot.errors import DatabaseUnavailable, PingPilotError, SettingsError
from pingpilot.loops import leave


async def prepare_database(settings: Settings) -> None:
    """Bring the database's schema up to date. Raises `SettingsError` where it can't be used.

    Migrating takes a process of its own: Tortoise keeps 25 MB for it, which a daemon would never give back.
    It ends with this one, however this one ends, since its standard input does.
    """
    try:
        if await is_current(settings.database):
            return
    except DatabaseUnavailable as exc:
        raise cannot_be_used(settings, exc) from exc
    if settings.database_url:
        place = {f"{PREFIX}DATABASE_URL": settings.database_url}
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
        if not await is_current(settings.database):
            await migrate(settings.database)
    except DatabaseUnavailable as exc:
        raise cannot_be_used(settings, exc) from exc


def cannot_be_used(settings: Settings, exc: DatabaseUnavailable) -> SettingsError:
    """Return what to tell whoever starts something on a database that can't be used."""
    return SettingsError(f"The database can't be used ({exc}): check {settings.database_variable}.")


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
