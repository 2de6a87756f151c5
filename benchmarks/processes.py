"""The processes that are measured: a daemon on SQLite with its channels off, and what it is compared with."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def environment(database: Path) -> dict[str, str]:
    """Return the variables of a daemon on this SQLite file, none of them the machine's own settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PINGPILOT_")}
    return own | {
        "PINGPILOT_DATABASE_URL": f"sqlite://{database}",
        "PINGPILOT_HTTP_PORT": str(free_port()),
        "PINGPILOT_LOG_LEVEL": "WARNING",
    }


DAEMON = [sys.executable, "-m", "pingpilot", "run"]


def url_of(variables: dict[str, str]) -> str:
    """Return where the daemon of this environment answers."""
    return f"http://127.0.0.1:{variables['PINGPILOT_HTTP_PORT']}"


@contextmanager
def daemon(variables: dict[str, str]) -> Iterator[str]:
    """Run a daemon; give its URL once it listens."""
    url = url_of(variables)
    with process(DAEMON, variables, url):
        yield url


@contextmanager
def process(command: list[str], variables: dict[str, str], url: str) -> Iterator[int]:
    """Run a process from when it listens at the URL's port; give its id."""
    running = subprocess.Popen(command, env=variables)
    try:
        _wait_for(url)
        yield running.pid
    finally:
        running.terminate()
        running.wait(timeout=15)


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in user and system mode."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(url: str) -> None:
    port = int(url.rsplit(":", 1)[1])
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"Nothing answers at {url}.")
