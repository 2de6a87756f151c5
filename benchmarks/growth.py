"""How the cost of an event grows with what is in the database already.

    .venv/bin/python -m benchmarks.growth [ROUNDS]

Needs `wrk` and 2 GB of disk, and takes about ten minutes with the five rounds that are the default. Each of
the `SIZES` is an SQLite database filled with SQL. A round goes through all of them, each with a daemon of its
own on a fresh copy, so that what disturbs the machine meets all; histories are not copied, since what a round
adds to them is little. A size is compared with the empty database of the same round.

Events go to Telegram, which the daemon has no token for: they are stored with their deliveries, and nothing
is sent. Five rounds or more are kept, in benchmarks/growth.json and docs/performance.md.
"""

import asyncio
import json
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from time import monotonic, perf_counter
from urllib.parse import urlsplit

from benchmarks import page, processes
from benchmarks.figures import Figure
from benchmarks.machine import this_commit, this_machine
from benchmarks.results import GROWTH, OF_EMPTY, Results, Section
from benchmarks.runner import ROUNDS
from models import DestinationKind, Plan
from models.database import migrate, open_database
from models.ids import uuid7
from pingpilot.accounts.keys import key_hash, key_prefix, new_key
from pingpilot.accounts.quota import month_of
from pingpilot.channels import DISCORD, TELEGRAM
from pingpilot.delivery.queue import DeliveryQueue
from tests.support.many_events import fill

_SENDERS = 1000  # accounts at most that send
_WARM_UP, _SECONDS = 1, 2
_ALONE, _CLAIMS = 0.7, 100
_BODY = {"description": "Somebody bought a lamp", "fields": {"amount": 99.99}}
RATE, PROCESSOR, SINGLE = "64 connections", "processor", "one connection"
NEWEST, QUOTA, CLAIM = "page of events", "quota", "claim"
"""What is measured; docs/performance.md tells what each is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A database: each account has so many categories and destinations; `waiting` are deliveries."""

    events: int = 0
    accounts: int = 1
    categories: int = 1
    destinations: int = 1
    waiting: int = 1


SIZES = {
    "empty": Size(),
    "100,000 events": Size(events=100_000),
    "2,000,000 events": Size(events=2_000_000),
    "1,000 accounts": Size(accounts=1_000),
    "100,000 accounts": Size(accounts=100_000),
    "10 categories": Size(categories=10),
    "100 categories": Size(categories=100),
    "10 destinations": Size(destinations=10),
    "20 destinations": Size(destinations=20),
    "1,000 waiting": Size(accounts=1_000, waiting=1_000),
    "100,000 waiting": Size(accounts=1_000, waiting=100_000),
}


def measure(*, rounds: int = ROUNDS) -> list[Section]:
    """Return a section a size, in which each cost is a figure."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is not installed: install it first, for example with `apt-get install wrk`.")
    with tempfile.TemporaryDirectory() as name:
        made = {
            text: Made(size, Path(name) / f"{number}.sqlite3")
            for number, (text, size) in enumerate(SIZES.items())
        }
        seconds, costs = dict.fromkeys(SIZES, 0.0), {text: list[dict[str, float]]() for text in SIZES}
        for number in range(1, rounds + 1):
            for text, database in made.items():
                began = monotonic()
                costs[text].append(database.measured(wrk))
                seconds[text] += monotonic() - began
                shown = ", ".join(f"{cost} {value:,.3f}" for cost, value in costs[text][-1].items())
                print(f"round {number}, {text}: {shown}", flush=True)
    return [
        Section(
            module=text,
            seconds=seconds[text],
            figures=tuple(_figures(costs[text], next(iter(costs.values())))),
        )
        for text in SIZES
    ]


def _figures(costs: list[dict[str, float]], empty: list[dict[str, float]]) -> Iterator[Figure]:
    for cost in costs[0]:
        rounds = tuple(each[cost] for each in costs)
        ratio = statistics.median(
            each[cost] / beside[cost] for each, beside in zip(costs, empty, strict=True)
        )
        unit = {RATE: "events/s", PROCESSOR: "µs"}.get(cost, "ms")
        yield Figure(
            name=cost, unit=unit, rounds=rounds, less_is_better=cost != RATE, details={OF_EMPTY: ratio}
        )


class Made:
    """A database of one size, filled, and what it costs to use it."""

    def __init__(self, size: Size, file: Path) -> None:
        self._size, self._file = size, file
        asyncio.run(migrate(f"sqlite://{file}"))
        self._keys = [new_key() for _ in range(size.accounts)]
        now = datetime.now(UTC)
        self._add_accounts(now)
        if size.events:
            fill(file, range(1, size.accounts + 1), size.events, now)
        self._add_waiting(now)

    def _add_accounts(self, now: datetime) -> None:
        size, accounts, at = self._size, range(1, self._size.accounts + 1), f"{now:%Y-%m-%d %H:%M:%S}+00:00"
        rows = {
            "accounts (id, email, plan, time_zone, combine, created_at)": (
                (account, f"user{account}@example.com", Plan.ENTERPRISE.value, "UTC", 0, at)
                for account in accounts
            ),
            "api_keys (account_id, name, prefix, hash, created_at, last_used_at)": (
                (account, "first", key_prefix(key), key_hash(key), at, at)
                for account, key in zip(accounts, self._keys, strict=True)
            ),
            "categories (account_id, name, color, created_at)": (
                (account, name, "#0f766e", at) for account in accounts for name in self._categories()
            ),
            "destinations (account_id, channel, kind, name, enabled, address)": (
                (account, TELEGRAM.name, kind.value, name, 1, f"{account}{number:02}")
                for account in accounts
                for number, (kind, name) in enumerate(_destinations(size.destinations))
            ),
        }
        if not size.events:  # else made with the events
            usage = ((account, month_of(now), 0) for account in accounts)
            rows["monthly_usage (account_id, month, events)"] = usage
        self._insert(rows)

    def _add_waiting(self, now: datetime) -> None:
        """Add deliveries over a channel that nothing else uses here, in turn to all accounts."""
        at = f"{now:%Y-%m-%d %H:%M:%S}+00:00"
        events = [(str(uuid7()), number % self._size.accounts + 1) for number in range(self._size.waiting)]
        self._insert(
            {
                "events (id, account_id, category, description, fields_json, created_at)": (
                    (event, account, "category-0", "Sold!", "{}", at) for event, account in events
                ),
                "deliveries (event_id, account_id, channel, destination, status, next_attempt_at)": (
                    (event, account, DISCORD.name, DISCORD.name, "pending", at) for event, account in events
                ),
            }
        )

    def _insert(self, rows: Mapping[str, Iterator[tuple[object, ...]]]) -> None:
        with closing(sqlite3.connect(self._file)) as database, database:
            database.execute("PRAGMA synchronous = OFF")
            for into, values in rows.items():
                given = ", ".join("?" * (into.count(",") + 1))
                database.executemany(f"INSERT INTO {into} VALUES ({given})", values)  # noqa: S608

    def _categories(self) -> list[str]:
        return [f"category-{number}" for number in range(self._size.categories)]

    def measured(self, wrk: str) -> dict[str, float]:
        """Return what each thing costs, on a copy that is thrown away unless the database is large."""
        with tempfile.TemporaryDirectory(dir=self._file.parent) as folder:
            file = self._file if self._size.events else Path(shutil.copy(self._file, folder))
            variables = processes.environment(file)
            url = processes.url_of(variables)
            with processes.process(processes.DAEMON, variables, url) as pid:
                costs = self._measured_over_http(wrk, url, pid, Path(folder))
            costs[CLAIM] = asyncio.run(_claim(f"sqlite://{file}"))
        return costs

    def _measured_over_http(self, wrk: str, url: str, pid: int, folder: Path) -> dict[str, float]:
        senders = self._keys[:: max(1, len(self._keys) // _SENDERS)][:_SENDERS]
        # Each category of each sender, one after the other
        pairs = cycle([(key, name) for name in self._categories() for key in senders])
        requests = [_posted(*next(pairs)) for _ in range(_SENDERS)]
        script = folder / "post.lua"
        script.write_text(
            f"local all, n = {{{', '.join(json.dumps(each.decode()) for each in requests)}}}, 0\n"
            "request = function() n = n % #all + 1; return all[n] end\n"
        )
        _answered(wrk, script, url, _WARM_UP)
        before = processes.processor_seconds(pid)
        rate, events = _answered(wrk, script, url, _SECONDS)
        busy = processes.processor_seconds(pid) - before
        one_of = cycle(requests)
        with closing(HTTPConnection(urlsplit(url).netloc, timeout=30)) as connection:
            read = {"Authorization": f"Bearer {senders[0]}"}

            def post() -> None:
                head, _, body = next(one_of).partition(b"\r\n\r\n")
                lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
                _asked(connection, "POST", "/api/v1/event", dict(lines), body)

            return {
                RATE: rate,
                PROCESSOR: busy / events * 1e6,
                SINGLE: _p50_ms(post),
                NEWEST: _p50_ms(lambda: _asked(connection, "GET", "/api/v1/events", read)),
                QUOTA: _p50_ms(lambda: _asked(connection, "GET", "/api/v1/quota", read)),
            }


def _destinations(count: int) -> Iterator[tuple[DestinationKind, str]]:
    yield DestinationKind.DIRECT, TELEGRAM.name
    yield from ((DestinationKind.ROOM, f"room-{number}") for number in range(2, count + 1))


def _posted(key: str, category: str) -> bytes:
    """Return a whole request that posts an event."""
    body = json.dumps(_BODY | {"category": category})
    head = f"POST /api/v1/event HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def _answered(wrk: str, script: Path, url: str, seconds: int) -> tuple[float, int]:
    """Return the answers a second and how many there were; exit where one was not 200."""
    command = [wrk, "-t1", "-c64", f"-d{seconds}s", "-s", str(script), url]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        sys.exit(f"Not every request was answered with 200:\n{report}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", report)[1])  # type: ignore[index]
    return rate, int(re.search(r"(\d+) requests in", report)[1])  # type: ignore[index]


def _asked(
    connection: HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes | None = None
) -> None:
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        sys.exit(f"{method} {path} was answered with {answer.status}: {text.decode()}")


def _p50_ms(ask: Callable[[], None]) -> float:
    """Return what one takes, of those that fit into a little while."""
    taken, until = list[float](), monotonic() + _ALONE
    while monotonic() < until:
        began = perf_counter()
        ask()
        taken.append((perf_counter() - began) * 1000)
    return statistics.median(taken)


async def _claim(url: str) -> float:
    """Return how long the queue takes to lease one delivery with all that is needed to send it, in ms."""
    async with open_database(url):
        queue, taken = DeliveryQueue(channel=DISCORD.name, daemon_id="growth"), list[float]()
        for _ in range(_CLAIMS):
            began = perf_counter()
            claims = await queue.claim(1, datetime.now(UTC))
            taken.append((perf_counter() - began) * 1000)
            if len(claims) != 1:
                sys.exit("There was nothing to claim.")
            await queue.put_back(sparing=())
    return statistics.median(taken)


def main(rounds: int) -> None:
    machine = this_machine()
    print("\n".join([*machine.lines(), *(f"Mind: {line}" for line in machine.warnings())]), flush=True)
    began = datetime.now(UTC)
    sections = tuple(measure(rounds=rounds))
    results = Results(date=began, commit=this_commit(), machine=machine, sections=sections)
    print("\n".join(page.growth_table(results)))
    print(f"{results.seconds / 60:.1f} minutes, without making the databases.")
    if rounds >= ROUNDS:
        results.save(GROWTH)
        page.update()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
