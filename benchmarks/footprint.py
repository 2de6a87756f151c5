"""Start-up time and idle memory of the daemon with all three channels.

    .venv/bin/python -m benchmarks.footprint [RUNS] [IDLE_SECONDS]

Needs Linux for /proc. The daemon runs on SQLite, migrated before, with stand-ins for all platforms. Prints
the time from the start of its process to the first 200 of `/readyz` and to both bots and e-mail being up,
and its resident memory after some idle seconds. Run it from an environment without the development
dependencies: python-telegram-bot loads `cryptography` where it finds it, 8 MB that only tests bring in.
"""

import asyncio
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.support.daemon import a_daemon
from tests.support.platforms import running_platforms

SECONDS_TO_READY, MEGABYTES = 3.0, 110.0
"""The targets."""

Run = tuple[float, float, float]


async def main(runs: int, idle_seconds: int) -> None:
    measured = [await _run(number, idle_seconds) for number in range(1, runs + 1)]
    ready, up, memory = (statistics.median(column) for column in zip(*measured, strict=True))
    print(
        f"median: ready after {ready:.2f} s (target {SECONDS_TO_READY:.0f}), all up after {up:.2f} s, "
        f"{memory:.0f} MB resident (target {MEGABYTES:.0f})"
    )


async def _run(number: int, idle_seconds: int) -> Run:
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite://{name}/bench.sqlite3"
        async with (
            running_platforms() as platforms,
            a_daemon(platforms.settings, database_url=url, folder=Path(name)) as daemon,
        ):
            await daemon.command("migrate")
            started = time.monotonic()
            await daemon.start()
            ready = time.monotonic() - started
            for part in ("discord", "telegram", "email"):
                await daemon.wait_for_part(part, "up")
            up = time.monotonic() - started
            await asyncio.sleep(idle_seconds)
            memory = _resident_megabytes(daemon.pid)
            await daemon.stop()
    print(f"run {number}: ready after {ready:.2f} s, all up after {up:.2f} s, {memory:.1f} MB resident")
    return ready, up, memory


def _resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1000  # type: ignore[index]


if __name__ == "__main__":
    asyncio.run(main(*(int(text) for text in (*sys.argv[1:], *("5", "3")[len(sys.argv) - 1 :]))))
