"""Who a daemon is: leases carry its name, which no other has, at whatever host and port.

An SQLite file has one daemon at a time, which is made sure of here.
"""

import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import structlog

from pingpilot.config import PREFIX, Settings
from pingpilot.database_url import sqlite_path
from pingpilot.errors import SettingsError
from pingpilot.storage.names import check_names

_REMEMBERED = 10  # names of those who were here before; leases of older ones have run out

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """A daemon's name, from its start to its end, and the names of daemons that are certainly dead."""

    name: str
    predecessors: tuple[str, ...] = ()


@contextmanager
def new_identity(settings: Settings) -> Iterator[Identity]:
    """Give this start of a daemon a name of its own.

    Its place has a file that a living daemon keeps locked, and that names it and those before it. Whoever
    gets the lock knows that they are all dead: the system lets go of it as a process ends, and never before.

    On SQLite the place is the database's own file, whatever path leads to it. Raises `SettingsError` where
    another daemon has it: two would write it in turns, and hear nothing of each other; where the file has
    several names, by each of which a daemon would find itself alone; also where the file is
    there and can't be locked, such as one of another user's. On PostgreSQL it is a folder and a port, and
    whoever finds it taken knows of nobody; so does one who can't write there.
    """
    name = f"{socket.gethostname()}:{settings.http_port}:{secrets.token_hex(8)}"
    path = sqlite_path(settings.database)
    if path:
        path = Path(os.path.realpath(path))  # `resolve` fails where links go round in a circle
        check_names(path)
        lock = path.with_name(f"{path.name}.daemon-lock")
    else:
        lock = settings.data_dir / f"daemon-{settings.http_port}-lock"
    try:
        file = _locked(lock)
    except OSError as exc:
        if path and isinstance(exc, BlockingIOError):
            raise SettingsError(
                f"Another daemon runs on {path}, and an SQLite file takes one: stop it first, or share a "
                f"PostgreSQL, which takes many ({PREFIX}DATABASE_URL)."
            ) from exc
        if path and os.path.lexists(lock):
            raise SettingsError(
                f"{lock}, by which a daemon makes sure that no other runs on this SQLite file, can't be "
                f"locked ({exc.strerror or exc}): start it as the file's user, or remove the file while no "
                "daemon runs."
            ) from exc
        # Seldom news: where the folder can't be used, the database can't either
        log.debug("Nobody will know at once when this daemon is dead", reason=str(exc))
        yield Identity(name)
        return
    with file:
        predecessors = file.read().split()[:_REMEMBERED]
        file.seek(0)
        file.write("\n".join([name, *predecessors]) + "\n")
        file.truncate()
        file.flush()
        yield Identity(name, tuple(predecessors))


def _locked(path: Path) -> TextIO:
    """Open the file for reading and writing, locked. Raises `OSError`: `BlockingIOError` if it is already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    file = os.fdopen(os.open(path, flags, 0o600), "r+", encoding="utf-8", errors="replace")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
