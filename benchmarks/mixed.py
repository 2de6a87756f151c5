"""Intake while draining: events accepted and e-mails sent a second, at once and each alone.

    .venv/bin/python -m benchmarks.mixed [ROUNDS] [SECONDS]

Needs `wrk`. One daemon on SQLite with `synchronous=FULL`; the mail server, a process of its own, only counts.
In each round events of an account without channels are posted at full speed over 64 connections. Then a
backlog of 40 accounts' e-mails is put into the database while the mail server lets the daemon wait; it goes
out alone for a while, and then while events are posted as before. On two cores the daemon shares them with
`wrk` and the mail server.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.backlog import Waiting, fill
from benchmarks.drain import ACCOUNTS, mailing, wait_for_mails
from benchmarks.figures import Figure
from benchmarks.mail_sink import mail_sink
from benchmarks.wrk import post

MAILS = 8000
TARGET = 0.6
_BEGINS = 0.5  # seconds of draining that do not count: connections are made
_ALONE = 1.5  # seconds of draining without intake


def main(rounds: int, seconds: int) -> None:
    for figure in measure(rounds=rounds, seconds=seconds):
        print(figure)


def measure(*, rounds: int = 5, seconds: int = 2) -> list[Figure]:
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
                    intake_alone.append(post(url, key, folder, seconds).rate)
                    sink.forget()
                    sink.hold()
                    fill(database, backlog)
                    sink.go()
                    time.sleep(_BEGINS)
                    started = sink.taken().count
                    time.sleep(_ALONE)
                    before, spent = sink.taken(), processes.processor_seconds(pid)
                    drain_alone.append((before.count - started) / _ALONE)
                    began = time.monotonic()
                    intake.append(post(url, key, folder, seconds).rate)
                    after, ended = sink.taken(), time.monotonic()
                    cores.append((processes.processor_seconds(pid) - spent) / (ended - began))
                    until = after.last if after.count == MAILS else ended
                    drain.append((after.count - before.count) / (until - began))
                    wait_for_mails(sink, MAILS)
    bound = (
        "Python runs one thread at a time, and either alone keeps it busy: the two shares add up to about "
        "1. Which of them gets more is a choice (`_APART` in `journal.py`). The daemon "
        f"uses {statistics.median(cores):.2f} of two cores, which wrk and the mail server need as well."
    )
    return [
        _figure("Intake while draining", intake, intake_alone, "events/s", bound),
        _figure("Drain of e-mails during intake", drain, drain_alone, "mails/s", bound),
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


if __name__ == "__main__":
    rounds, seconds = (*sys.argv[1:], *("5", "2")[len(sys.argv) - 1 :])
    main(int(rounds), int(seconds))
