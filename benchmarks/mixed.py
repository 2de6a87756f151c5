"""Intake while draining: events accepted and e-mails sent a second, at once and each alone.

    .venv/bin/python -m benchmarks.mixed [ROUNDS] [SECONDS]

Needs `wrk`. One daemon on SQLite with `synchronous=FULL`; the mail server, a process of its own, only counts.
In each round events of an account without channels are posted at full speed over 64 connections. Then a
backlog of 40 accounts' e-mails is put into the database while the mail server lets the daemon wait; it goes
out alone for a while, and then while events are posted as before. On two cores the daemon shares them with
`wrk` and the mail server.
"""

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.backlog import Waiting, fill
from benchmarks.drain import ACCOUNTS, mailing, wait_for_mails
from benchmarks.figures import Figure
from benchmarks.mail_sink import mail_sink

CONNECTIONS = 64
MAILS = 8000
TARGET = 0.6
_ALONE = 1.5  # seconds of draining without intake
_BODY = {"category": "sale", "description": "Somebody bought a lamp", "fields": {"amount": 99.99}}


def main(rounds: int, seconds: int) -> None:
    for figure in measure(rounds=rounds, seconds=seconds):
        print(figure)


def measure(*, rounds: int = 5, seconds: int = 3) -> list[Figure]:
    """Return two figures: the intake while mails are sent, and the mails while events come in."""
    intake_alone, intake, drain_alone, drain, cores = [], [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = f"sqlite://{folder}/bench.sqlite3"
        variables = mailing(processes.environment(folder / "bench.sqlite3"))
        backlog = Waiting(ACCOUNTS, MAILS // ACCOUNTS, ["email"])
        [[key]] = fill(database, Waiting(1, 0, [], name="intake"))
        with mail_sink(variables) as sink:
            variables["PINGPILOT_SMTP_PORT"] = str(sink.port)
            url = processes.url_of(variables)
            with processes.process(processes.DAEMON, variables, url) as pid:
                for _ in range(rounds):
                    intake_alone.append(_post(url, key, folder, seconds))
                    sink.forget()
                    sink.hold()
                    fill(database, backlog)
                    sink.go()
                    started = sink.taken().count
                    time.sleep(_ALONE)
                    before, spent = sink.taken(), processes.processor_seconds(pid)
                    drain_alone.append((before.count - started) / _ALONE)
                    began = time.monotonic()
                    intake.append(_post(url, key, folder, seconds))
                    after, ended = sink.taken(), time.monotonic()
                    cores.append((processes.processor_seconds(pid) - spent) / (ended - began))
                    until = after.last if after.count == MAILS else ended
                    drain.append((after.count - before.count) / (until - began))
                    wait_for_mails(sink, MAILS)
    used = statistics.median(cores)
    bound = (
        f"The daemon's one thread, which Python's lock lets run on one core: both want all of it ({used:.2f} "
        "cores used with SQLite's threads), so what one gets the other lacks."
    )
    return [
        _figure("Intake while e-mails are sent", intake, intake_alone, "events/s", bound),
        _figure("E-mails sent during intake", drain, drain_alone, "mails/s", bound),
    ]


def _figure(name: str, both: list[float], alone: list[float], unit: str, bound: str) -> Figure:
    return Figure(
        name=name,
        unit="of alone",
        rounds=tuple(each / own for each, own in zip(both, alone, strict=True)),
        target=TARGET,
        bound=bound,
        details={unit: statistics.median(both), f"{unit} alone": statistics.median(alone)},
    )


def _post(url: str, key: str, folder: Path, seconds: int) -> float:
    """Return how many events a second are accepted; exit where one is not."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is not installed: install it first, for example with `apt-get install wrk`.")
    script = folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\n'
        f"wrk.body = {json.dumps(json.dumps(_BODY))}\n"
        f'wrk.headers["Authorization"] = "Bearer {key}"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
    )
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), f"{url}/api/v1/event"]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    if rate is None or "Non-2xx" in report or "Socket errors" in report:
        sys.exit(f"Not every request was answered with 200:\n{report}")
    return float(rate[1])


if __name__ == "__main__":
    rounds, seconds = (*sys.argv[1:], *("5", "3")[len(sys.argv) - 1 :])
    main(int(rounds), int(seconds))
