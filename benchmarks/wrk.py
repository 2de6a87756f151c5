"""Events posted as fast as they are taken: `wrk`, and what it reports."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 64
BODY = {"category": "sale", "description": "Somebody bought a lamp", "fields": {"amount": 99.99}}


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of some seconds of posts: answers a second, all answers, and the p99 in milliseconds."""

    rate: float
    count: int
    p99: float


def post(url: str, key: str, folder: Path, seconds: int, connections: int = CONNECTIONS) -> Posted:
    """Post for so many seconds; exit where an answer was not 200, or `wrk` is not there."""
    command = posting(url, key, folder, seconds, connections)
    return read(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def posting(url: str, key: str, folder: Path, seconds: int, connections: int = CONNECTIONS) -> Sequence[str]:
    """Return the command that posts for so many seconds, or until it is interrupted; exit without `wrk`."""
    script = folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\n'
        f"wrk.body = {json.dumps(json.dumps(BODY))}\n"
        f'wrk.headers["Authorization"] = "Bearer {key}"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
    )
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    return [program(), *options, f"{url}/api/v1/event"]


def program() -> str:
    """Return where `wrk` is, or exit."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is not installed: install it first, for example with `apt-get install wrk`.")
    return wrk


def read(report: str) -> Posted:
    """Return what a report says; exit where an answer was not 200."""
    if "Non-2xx" in report or "Socket errors" in report:
        sys.exit(f"Not every request was answered with 200:\n{report}")
    return Posted(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", report)[0]),
        count=int(_found(r"(\d+) requests in", report)[0]),
        p99=_milliseconds(*_found(r"99%\s+([\d.]+)(us|ms|s)", report)),
    )


def _found(pattern: str, report: str) -> tuple[str, ...]:
    found = re.search(pattern, report)
    if found is None:
        sys.exit(f"wrk's report has changed:\n{report}")
    return found.groups()


def _milliseconds(number: str, unit: str) -> float:
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
