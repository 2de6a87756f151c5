"""E-mails a second: a backlog of many accounts is sent to a mail server that is not the bottleneck.

    .venv/bin/python -m benchmarks.drain [ROUNDS]

The daemon runs on SQLite with `synchronous=FULL`; the mail server, in a process of its own, only counts. The
accounts don't combine, so each event is a mail. A round puts a backlog into the database, starts a daemon and
counts from the first mail to the last. In the same round a bare client hands mail in to the same server: its
rate is the server's ceiling. Every event must be recorded as delivered, and no mail may come twice.
"""

import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks import processes
from benchmarks.backlog import Waiting, fill
from benchmarks.figures import Figure
from benchmarks.mail_sink import MailSink, Taken, mail_sink

ACCOUNTS = 40
EVENTS = 3000
TARGET = 1000
_PATIENCE = 120.0


def main(rounds: int) -> None:
    for figure in measure(rounds=rounds):
        print(figure)


def measure(*, rounds: int = 5) -> list[Figure]:
    """Return the figure of e-mails."""
    rates, ceilings, costs, shares = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "bench.sqlite3"
        variables = mailing(processes.environment(database))
        with mail_sink(variables) as sink:
            variables["PINGPILOT_SMTP_PORT"] = str(sink.port)
            for number in range(rounds):
                ceilings.append(sink.ceiling())
                fill(f"sqlite://{database}", Waiting(ACCOUNTS, EVENTS // ACCOUNTS, ["email"]))
                sink.forget()
                before = processes.processor_seconds(sink.pid)
                with processes.process(processes.DAEMON, variables, processes.url_of(variables)) as pid:
                    started = processes.processor_seconds(pid)
                    taken = wait_for_mails(sink, EVENTS)
                    costs.append((processes.processor_seconds(pid) - started) / EVENTS * 1000)
                    shares.append(
                        (processes.processor_seconds(sink.pid) - before) / (taken.last - taken.first)
                    )
                rates.append((taken.count - 1) / (taken.last - taken.first))
                check_delivered(database, EVENTS * (number + 1))
    return [
        Figure(
            name=f"Drain of e-mails, {ACCOUNTS} accounts",
            unit="mails/s",
            rounds=tuple(rates),
            target=TARGET,
            bound=(
                f"The daemon's processor time: {statistics.median(costs):.2f} ms a mail, most of it in one "
                f"thread. The mail server takes {statistics.median(ceilings):,.0f}/s from a bare client."
            ),
            details={
                "ms of processor a mail": statistics.median(costs),
                "server takes mails/s": statistics.median(ceilings),
                "cores that the server uses": statistics.median(shares),
            },
        )
    ]


def mailing(variables: dict[str, str]) -> dict[str, str]:
    """Return an environment with e-mails switched on; the server's port is missing yet."""
    return variables | {
        "PINGPILOT_SMTP_HOST": "127.0.0.1",
        "PINGPILOT_SMTP_SECURITY": "none",
        "PINGPILOT_SMTP_FROM": "PingPilot <pingpilot@example.com>",
        "PINGPILOT_PUBLIC_URL": "https://pingpilot.example.com",
    }


def wait_for_mails(sink: MailSink, count: int) -> Taken:
    """Return what was taken once it is so many; exit where they don't come."""
    until = time.monotonic() + _PATIENCE
    while (taken := sink.taken()).count < count:
        if time.monotonic() > until:
            sys.exit(f"Only {taken.count:,} of {count:,} mails came.")
        time.sleep(0.05)
    return taken


def check_delivered(database: Path, count: int) -> None:
    """Exit where not exactly so many deliveries are recorded as delivered, each by one attempt."""
    with closing(sqlite3.connect(database)) as connection:
        delivered, attempts = connection.execute(
            "SELECT COUNT(*), SUM(attempts) FROM deliveries WHERE status = 'delivered'"
        ).fetchone()
    if (delivered, attempts) != (count, count):
        sys.exit(f"{delivered:,} deliveries of {count:,} are recorded, with {attempts:,} attempts.")


if __name__ == "__main__":
    main(*(int(text) for text in (*sys.argv[1:], "5")[:1]))
