"""That an SQLite file is opened by one name.

What is written lies beside the file, under the file's name, until SQLite carries it over: who opens it by
another name misses that, and damages the file (https://www.sqlite.org/howtocorrupt.html).
"""

import os
import re
import shlex
from contextlib import suppress
from pathlib import Path

from pingpilot.errors import SettingsError

_MOUNTS = Path("/proc/self/mountinfo")


def check_names(path: Path) -> None:
    """Check that a file has one name, and one folder that all see it in. Raises `SettingsError`."""
    path = Path(os.path.realpath(path))  # `resolve` fails where links go round in a circle
    with suppress(OSError):  # it is not there yet, or is no file: the database tells
        names = path.stat().st_nlink
        if names > 1 and path.is_file():
            raise SettingsError(
                f"{path} has {names} names (hard links), and SQLite damages a file that is opened by two of "
                f"them: remove the others, which `find / -samefile {shlex.quote(str(path))}` lists. "
                "`pingpilot backup` makes a copy."
            )
        if os.fsencode(path) in _places_of_mounts():
            raise SettingsError(
                f"{path} is mounted without its folder: what SQLite writes beside it would not get to where "
                "the file comes from, and would be lost with a container. Mount the folder."
            )


def _places_of_mounts() -> set[bytes]:
    """Return where something is mounted, as the system lists it (proc_pid_mountinfo(5)). Raises `OSError`."""
    places = [line.split()[4] for line in _MOUNTS.read_bytes().splitlines()]
    return {re.sub(rb"\\([0-7]{3})", lambda sign: bytes([int(sign[1], 8)]), each) for each in places}
