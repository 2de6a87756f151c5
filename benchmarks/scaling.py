"""One, two and three daemons on one PostgreSQL, and what a single PostgreSQL carries.

    .venv/bin/python -m benchmarks.scaling [ROUNDS]

Needs `wrk`. Everything shares the machine's cores: the ratios say what another daemon brings where nothing
else is added. Five rounds or more are kept, in benchmarks/scaling.json and docs/scaling.md.

- Intake: 64 connections at full speed, spread over the daemons.
- Drain: a backlog of e-mails of 40 accounts, from the first to the last; none may come twice.
- The wire: statements and round trips of an event, and of an e-mail with its claim and its record, counted by
  a proxy between a daemon and the server.
- The primary: the intake's transactions without HTTP and without a daemon, from more and more processes,
  until the server takes no more.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from benchmarks import page, postgres, processes, wire
from benchmarks.backlog import Waiting, fill
from benchmarks.drain import ACCOUNTS, mailing, wait_for_mails
from benchmarks.figures import Figure
from benchmarks.intake import create_account
from benchmarks.machine import this_commit, this_machine
from benchmarks.mail_sink import mail_sink
from benchmarks.results import SCALING, Results, Section
from benchmarks.runner import ROUNDS
from benchmarks.wrk import CONNECTIONS, post

DAEMONS = (1, 2, 3)
WRITERS = (1, 2, 3, 4)
MAILS = 2000
SECONDS = 3
_ONE_BY_ONE = 300  # events, to see what one costs that shares its commit with nobody


def main(rounds: int) -> None:
    """Measure, show, and keep what is more than a trial."""
    machine, began = this_machine(), datetime.now(UTC)
    print("\n".join([*machine.lines(), *(f"Mind: {line}" for line in machine.warnings())]), flush=True)
    results = Results(
        date=began, commit=this_commit(), machine=machine, sections=tuple(measure(rounds=rounds))
    )
    print("\n".join(page.scaling_table(results)))
    if rounds >= ROUNDS:
        results.save(SCALING)
        page.update()


def measure(*, rounds: int = ROUNDS) -> Iterator[Section]:
    """Yield a section for each of the four parts."""
    with tempfile.TemporaryDirectory() as name, postgres.running(Path(name)) as server:
        folder = Path(name)
        for part in (_intake, _drain, _wire, _primary):
            began = monotonic()
            figures = tuple(part(server, folder, rounds))
            seconds = monotonic() - began
            print(f"{part.__name__.strip('_')}: {seconds:.0f} s", flush=True)
            yield Section(module=part.__name__.strip("_"), seconds=seconds, figures=figures)


def _intake(server: postgres.Postgres, folder: Path, rounds: int) -> Iterator[Figure]:
    variables = _environment(folder, server.create("intake"))
    key = create_account(variables)
    rates = defaultdict[int, list[float]](list)
    for _ in range(rounds):
        for daemons in DAEMONS:
            with _daemons(variables, daemons) as places, ThreadPoolExecutor() as threads:
                connections = CONNECTIONS // daemons
                posted = threads.map(
                    lambda place: post(place[0], key, place[1], SECONDS, connections),  # noqa: B023
                    [(url, _own_folder(folder, number)) for number, url in enumerate(places)],
                )
                rates[daemons].append(sum(each.rate for each in posted))
    bound = "Daemons, PostgreSQL and wrk share the cores; one daemon keeps one and a half of them busy."
    yield from _ratios("Intake, {} daemons", rates, "events/s", bound)


def _drain(server: postgres.Postgres, folder: Path, rounds: int) -> Iterator[Figure]:
    database = server.create("drain")
    variables = mailing(_environment(folder, database))
    rates = defaultdict[int, list[float]](list)
    with mail_sink(variables) as sink:
        variables["PINGPILOT_SMTP_PORT"] = str(sink.port)
        for _ in range(rounds):
            for daemons in DAEMONS:
                fill(database, Waiting(ACCOUNTS, MAILS // ACCOUNTS, ["email"]))
                sink.forget()
                with _daemons(variables, daemons):
                    taken = wait_for_mails(sink, MAILS)
                if sink.taken().count != MAILS:
                    sys.exit("Mails came twice.")
                rates[daemons].append((taken.count - 1) / (taken.last - taken.first))
    bound = (
        "As above; each daemon has its part of the mail server's connections, and claims what others don't."
    )
    yield from _ratios("Drain of e-mails, {} daemons", rates, "mails/s", bound)


def _ratios(name: str, rates: dict[int, list[float]], unit: str, bound: str) -> Iterator[Figure]:
    for daemons in DAEMONS[1:]:
        yield Figure(
            name=name.format(daemons),
            unit="of one",
            rounds=tuple(many / one for many, one in zip(rates[daemons], rates[1], strict=True)),
            bound=bound,
            details={unit: statistics.median(rates[daemons]), f"{unit} of one": statistics.median(rates[1])},
        )


def _wire(server: postgres.Postgres, folder: Path, rounds: int) -> Iterator[Figure]:
    database = server.create("wire")
    variables = mailing(_environment(folder, database))
    key = create_account(variables)
    [[mailed]] = fill(database, Waiting(1, 0, ["email"]))
    costs = defaultdict[str, list[tuple[float, float]]](list)
    with _counted(server) as (port, counts), mail_sink(variables) as sink:
        variables["PINGPILOT_SMTP_PORT"] = str(sink.port)
        variables["PINGPILOT_DATABASE_URL"] = f"postgres://postgres@127.0.0.1:{port}/wire?sslmode=disable"
        with _daemons(variables, 1) as [url]:
            post(url, key, folder, 1)  # all statements are prepared now

            def note(what: str, before: wire.Counts, events: int) -> None:
                now = counts.now()
                costs[what].append(
                    (
                        (now.statements - before.statements) / events,
                        (now.round_trips - before.round_trips) / events,
                    )
                )

            for _ in range(rounds):
                before = counts.now()
                note("an event, 64 connections", before, post(url, key, folder, SECONDS).count)
                before = counts.now()
                note("an event alone", before, post(url, key, folder, 1, connections=1).count)
                sink.forget()
                before = counts.now()
                posted = post(url, mailed, folder, 1, connections=1).count
                wait_for_mails(sink, posted)
                note("an event alone and its e-mail", before, posted)
    for what, each in costs.items():
        yield Figure(
            name=f"Round trips to PostgreSQL, {what}",
            unit="an event",
            rounds=tuple(round_trips for _, round_trips in each),
            less_is_better=True,
            bound="A network's round trip is paid so often, but only once for all that share a commit.",
            details={"statements": statistics.median(statements for statements, _ in each)},
        )


def _primary(server: postgres.Postgres, folder: Path, rounds: int) -> Iterator[Figure]:
    database = server.create("filled")
    key = create_account(_environment(folder, database))
    rates, costs = defaultdict[int, list[float]](list), defaultdict[int, list[float]](list)
    for _ in range(rounds):
        for writers in WRITERS:
            began = server.processor_seconds()
            command = [sys.executable, "-m", "benchmarks.primary", database, key, str(SECONDS)]
            running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(writers)]
            stored = [tuple(map(float, each.communicate()[0].split())) for each in running]
            rates[writers].append(sum(events / seconds for events, seconds in stored))
            costs[writers].append(
                (server.processor_seconds() - began) / sum(events for events, _ in stored) * 1e6
            )
    most = max(rates, key=lambda writers: statistics.median(rates[writers]))
    yield Figure(
        name="What the primary takes of intake's transactions",
        unit="events/s",
        rounds=tuple(rates[most]),
        bound="The writers share the cores with the server: a server with cores of its own takes more.",
        details={
            "µs of the server's processor an event": statistics.median(costs[most]),
            **{f"events/s of {writers} writers": statistics.median(rates[writers]) for writers in WRITERS},
        },
    )


def _environment(folder: Path, database: str) -> dict[str, str]:
    return processes.environment(folder) | {"PINGPILOT_DATABASE_URL": database}


def _own_folder(folder: Path, number: int) -> Path:
    own = folder / f"wrk-{number}"
    own.mkdir(exist_ok=True)
    return own


@contextmanager
def _daemons(variables: dict[str, str], number: int) -> Iterator[list[str]]:
    """Run so many daemons; give their URLs."""
    with ExitStack() as stack:
        own = [variables | {"PINGPILOT_HTTP_PORT": str(processes.free_port())} for _ in range(number)]
        yield [stack.enter_context(processes.daemon(each)) for each in own]


@contextmanager
def _counted(server: postgres.Postgres) -> Iterator[tuple[int, wire.Counts]]:
    """Run the counting proxy in a thread of its own."""
    loop, stop, is_up = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    found: list[tuple[int, wire.Counts]] = []

    async def serve() -> None:
        async with wire.counted(server.socket) as place:
            found.append(place)
            is_up.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    is_up.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
