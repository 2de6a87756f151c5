"""Who a daemon is: leases carry its name, which no other has, at whatever host and port."""

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

from pingpilot.config import Settings
from pingpilot.database_url import sqlite_path

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

    Its place, a folder and a port, has a file that a living daemon keeps locked, and that names it and
    those before it. Whoever gets the lock knows that they are all dead: the system lets go of it when a
    process ends, and never before. Whoever can't have it, since another daemon has the same place or since
    the folder can't be written, knows of nobody; what a dead one was sending waits for its lease to run out.
    """
    name = f"{socket.gethostname()}:{settings.http_port}:{secrets.token_hex(8)}"
    try:
        path, lock = sqlite_path(settings.database), f"daemon-{settings.http_port}-lock"
        file = _locked(path.with_name(f"{path.name}.{lock}") if path else settings.data_dir / lock)
    except OSError as exc:
        log.info("Nobody will know at once when this daemon is dead", reason=str(exc))
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
    """Open the file for reading and writing, locked. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8", errors="replace")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
