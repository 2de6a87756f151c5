"""Durable intake against bare servers that are measured around it, on SQLite and on PostgreSQL.

    .venv/bin/python -m benchmarks.intake [ROUNDS] [SECONDS]

Needs `wrk`. The daemon's channels are off; SQLite commits with `synchronous=FULL`, PostgreSQL, on the same
machine, with `synchronous_commit=on`. At 64 connections each round measures a bare aiohttp handler, the
daemon, and the bare handler again; a round's ratio is the daemon's rate over the mean of the two. Every
answer must be 200, and the events stored must be the answers counted.

One connection posts an event at a time. Its p50 is told as a multiple of what it can't be less than: a
request to the bare handler, and a commit of a row of this size by SQLite alone, in the same folder and with
`synchronous=FULL`.
"""

import asyncio
import json
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import asyncpg

from benchmarks import postgres, processes
from benchmarks.figures import Figure
from benchmarks.wrk import BODY, CONNECTIONS, Posted, post

SINGLES = 400
"""Requests, and commits, of a round that are measured one after the other."""


def main(rounds: int, seconds: int) -> None:
    for figure in measure(rounds=rounds, seconds=seconds):
        target = "" if figure.target is None else f" (to reach: {figure.target})"
        each = ", ".join(f"{value:.3f}" for value in figure.rounds)
        print(f"{figure.name}: {figure.value:.3f} {figure.unit}{target}; rounds {each}")
        print("  " + ", ".join(f"{name} {value:,.2f}" for name, value in figure.details.items()))


def measure(*, rounds: int = 5, seconds: int = 4) -> list[Figure]:
    """Return the figures of 64 connections on both databases, and of one connection."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variables = processes.environment(folder / "bench.sqlite3")
        with _bare(variables) as bare, postgres.running(folder) as server:
            with processes.daemon(variables) as daemon:
                key = create_account(variables)
                length = {"rounds": rounds, "seconds": seconds}
                figures = [_many(bare, daemon, key, folder, **length, database="SQLite", target=0.50)]
                figures.append(_one(bare, daemon, key, folder, rounds))
            _check(figures[0], _stored_by_sqlite(folder), SINGLES * rounds)
            url = server.url("intake")
            asyncio.run(_create_database(server.url("postgres")))
            variables |= {"PINGPILOT_DATABASE_URL": url, "PINGPILOT_HTTP_PORT": str(processes.free_port())}
            with processes.daemon(variables) as daemon:
                key = create_account(variables)
                figures.append(_many(bare, daemon, key, folder, **length, database="PostgreSQL", target=0.45))
                _check(figures[-1], asyncio.run(_stored_by_postgres(url)), 0)
    return figures


def create_account(variables: dict[str, str]) -> str:
    """Make the account whose events are counted; return its key."""
    command = ["account", "create", "bench@example.com", "--plan", "enterprise", "--channels", "", "--json"]
    made = subprocess.run(
        [sys.executable, "-m", "pingpilot", *command], env=variables, check=True, capture_output=True
    )
    return str(json.loads(made.stdout)["apiKey"])


def _many(
    bare: str, daemon: str, key: str, folder: Path, *, rounds: int, seconds: int, database: str, target: float
) -> Figure:
    ratios, bares, ours = list[float](), list[Posted](), list[Posted]()
    for _ in range(rounds):
        before, own, after = (post(url, key, folder, seconds) for url in (bare, daemon, bare))
        ratios.append(own.rate / statistics.mean((before.rate, after.rate)))
        bares += [before, after]
        ours.append(own)
    rate = statistics.median(each.rate for each in ours)
    bare_rate = statistics.median(each.rate for each in bares)
    microseconds = 1e6 / rate - 1e6 / bare_rate
    return Figure(
        name=f"Durable intake, {CONNECTIONS} connections, {database}",
        unit="of the bare handler",
        rounds=tuple(ratios),
        target=target,
        bound=(
            f"Python on one thread: the bare handler's request takes {1e6 / bare_rate:.0f} µs, and "
            f"{microseconds:.0f} µs more go to looking at an event and storing it; at 1 they cost nothing."
        ),
        details={
            "events/s": rate,
            "bare handler's requests/s": bare_rate,
            "p99 ms": statistics.median(each.p99 for each in ours),
            "events": sum(each.count for each in ours),
        },
    )


def _one(bare: str, daemon: str, key: str, folder: Path, rounds: int) -> Figure:
    multiples, requests, commits, events = list[float](), list[float](), list[float](), list[float]()
    for _ in range(rounds):
        requests.append(_p50_of_posts(bare, key))
        commits.append(_p50_of_commits(folder))
        events.append(_p50_of_posts(daemon, key))
        multiples.append(events[-1] / (requests[-1] + commits[-1]))
    return Figure(
        name="One connection, SQLite",
        unit="of request and commit",
        rounds=tuple(multiples),
        target=2.0,
        less_is_better=True,
        bound=(
            "A request to the bare handler and a commit that is synced, one after the other; 1 is the bound. "
            "An event's commit is larger: with indexes and counters it writes ten pages instead of one. The "
            "rest is the way to SQLite's thread and back, and the checks."
        ),
        details={
            "p50 ms": statistics.median(events),
            "bare request's p50 ms": statistics.median(requests),
            "bare commit's p50 ms": statistics.median(commits),
        },
    )


def _p50_of_posts(url: str, key: str) -> float:
    place = urlsplit(url)
    body = json.dumps(BODY).encode()
    head = f"POST /api/v1/event HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send() -> None:
            connection.sendall(head.encode() + body)
            answer = connection.recv(65536)  # small answers on this machine come whole
            if not answer.startswith(b"HTTP/1.1 200"):
                sys.exit(f"An event was refused: {answer!r}")

        return _p50(send)


def _p50_of_commits(folder: Path) -> float:
    with closing(sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body TEXT)")

        def commit() -> None:
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO rows (body) VALUES (?)", [json.dumps(BODY)])
            database.execute("COMMIT")

        return _p50(commit)


def _p50(do: Callable[[], None]) -> float:
    """Return the median of a round in milliseconds."""
    times = []
    for _ in range(SINGLES):
        began = perf_counter()
        do()
        times.append((perf_counter() - began) * 1000)
    return statistics.median(times)


@contextmanager
def _bare(variables: dict[str, str]) -> Iterator[str]:
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    with processes.process([sys.executable, "-m", "benchmarks.bare", str(port)], variables, url):
        yield url


def _check(figure: Figure, stored: int, singles: int) -> None:
    if stored < figure.details["events"] + singles:
        sys.exit("Events that were accepted are missing.")


def _stored_by_sqlite(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "bench.sqlite3")) as database:
        return int(database.execute("SELECT COUNT(*) FROM events").fetchone()[0])


async def _create_database(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE DATABASE intake")
    await connection.close()


async def _stored_by_postgres(url: str) -> int:
    connection = await asyncpg.connect(url)
    stored = await connection.fetchval("SELECT COUNT(*) FROM events")
    await connection.close()
    return int(stored)


if __name__ == "__main__":
    main(*(int(text) for text in (*sys.argv[1:], *("5", "4")[len(sys.argv) - 1 :])))
