"""Backups of an SQLite database while a daemon is running."""

import sqlite3
from contextlib import closing
from pathlib import Path

from pingpilot.database_url import sqlite_path
from pingpilot.errors import InvalidInput, NotFound, PingPilotError
from pingpilot.storage.names import check_names

_LOCKED_FOR = 10.0  # seconds that another program may keep the database locked


def back_up(database_url: str, target: Path) -> None:
    """Write a consistent copy of the database to a new file.

    SQLite's online backup reads one snapshot; writers go on meanwhile. The file gets its name when it is
    whole. Raises `InvalidInput` where a backup can't be made like this, `NotFound` where there is no
    database, `SettingsError` where it has another name, by which there may be more in it, `PingPilotError`
    where the copy fails.
    """
    source = sqlite_path(database_url)
    if source is None:
        raise InvalidInput("This is a PostgreSQL database: use pg_dump, which copies it while it runs.")
    if not source.exists():
        raise NotFound(f"There is no database at {source} yet.")
    check_names(source)
    if target.exists():
        raise InvalidInput(f"{target} exists already: choose another name, a backup replaces nothing.")
    if not target.parent.is_dir():
        raise PingPilotError(f"The backup could not be written: there is no folder {target.parent}.")
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        with (
            closing(sqlite3.connect(source, timeout=_LOCKED_FOR, isolation_level=None)) as database,
            closing(sqlite3.connect(unfinished)) as copy,
        ):
            database.execute("BEGIN")
            database.execute("SELECT 1 FROM sqlite_master")  # gives up in time; `backup` would ask for ever
            database.backup(copy, pages=-1)  # in one step: one snapshot, never begun anew by a writer
            if copy.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("the copy is damaged")
        unfinished.rename(target)
    except (OSError, sqlite3.Error) as exc:
        unfinished.unlink(missing_ok=True)
        raise PingPilotError(f"The backup could not be written: {exc}.") from exc
