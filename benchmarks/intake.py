"""Accepted events a second at 64 connections, against a bare aiohttp JSON handler measured around it.

    .venv/bin/python -m benchmarks.intake [ROUNDS] [SECONDS]

Needs `wrk`. The daemon runs on SQLite with `synchronous=FULL`, its channels off. Each round measures the
bare handler, the daemon, and the bare handler again; a round's ratio is the daemon's rate over the mean
of the two. Every answer must be 200, and the events stored must be the answers counted.
"""

import json
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import processes

CONNECTIONS = 64
BODY = {"category": "sale", "description": "Somebody bought a lamp", "fields": {"amount": 99.99}}
TARGET = 0.30


def main(rounds: int, seconds: int) -> None:
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is not installed: install it first, for example with `apt-get install wrk`.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variables = processes.environment(folder / "bench.sqlite3")
        key = create_account(variables)
        with _bare(variables) as bare, processes.daemon(variables) as daemon:
            ratios, accepted = [], 0
            for number in range(1, rounds + 1):
                before = measure(wrk, bare, key, folder, seconds)[0]
                rate, count = measure(wrk, daemon, key, folder, seconds)
                after = measure(wrk, bare, key, folder, seconds)[0]
                accepted += count
                ratios.append(rate / statistics.mean((before, after)))
                print(
                    f"round {number}: bare {before:,.0f}/s, daemon {rate:,.0f}/s, bare {after:,.0f}/s, "
                    f"ratio {ratios[-1]:.3f}"
                )
        stored = _stored(folder)
    print(f"median ratio {statistics.median(ratios):.3f} (target {TARGET:.2f}), best {max(ratios):.3f}")
    print(f"{accepted:,} answers of 200, {stored:,} events stored")
    if stored < accepted:
        sys.exit("Events that were accepted are missing.")


def create_account(variables: dict[str, str]) -> str:
    """Make the account whose events are counted; return its key."""
    command = ["account", "create", "bench@example.com", "--plan", "enterprise", "--channels", "", "--json"]
    made = subprocess.run(
        [sys.executable, "-m", "pingpilot", *command], env=variables, check=True, capture_output=True
    )
    return str(json.loads(made.stdout)["apiKey"])


@contextmanager
def _bare(variables: dict[str, str]) -> Iterator[str]:
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    with processes.process([sys.executable, "-m", "benchmarks.bare", str(port)], variables, url):
        yield url


def measure(wrk: str, url: str, key: str, folder: Path, seconds: int) -> tuple[float, int]:
    """Return the requests a second and the number of answers; exit where one was not 200."""
    script = folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\n'
        f"wrk.body = {json.dumps(json.dumps(BODY))}\n"
        f'wrk.headers["Authorization"] = "Bearer {key}"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
    )
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), f"{url}/api/v1/event"]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        sys.exit(f"Not every request was answered with 200:\n{report}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", report)[1])  # type: ignore[index]
    count = int(re.search(r"(\d+) requests in", report)[1])  # type: ignore[index]
    return rate, count


def _stored(folder: Path) -> int:
    with sqlite3.connect(folder / "bench.sqlite3") as database:
        return int(database.execute("SELECT COUNT(*) FROM events").fetchone()[0])


if __name__ == "__main__":
    main(*(int(text) for text in (*sys.argv[1:], "5", "4")[:2]))
