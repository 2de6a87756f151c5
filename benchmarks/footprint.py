"""The daemon's start, its memory and its processor time while idle, with both bots, e-mail and the dashboard.

    .venv/bin/python -m benchmarks.footprint [--environment] [ROUNDS]

Needs Linux for /proc. Each round's daemon runs on an SQLite file of its own, migrated before, with stand-ins
for all platforms. All of them stay, and are idle together: a daemon takes too little to disturb the others.
The growth with deliveries that wait is measured once, since its file takes a while to fill.

A daemon has what a user has, and no more: packages of this environment that PingPilot does not ask for, such
as those of the tests, are hidden from it. (python-telegram-bot loads `cryptography` where it finds it, which
are 8 MB.) `--environment` makes a virtual environment of its own instead, as `pip install .` does, in about
a minute, for which it needs the package index.

MB are millions of bytes. Figures until 0.1.0 called 1,024,000 bytes one: 112 of those are 115.
"""

import asyncio
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import aiohttp
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks import processes
from benchmarks.figures import Figure
from tests.support.metrics import Samples
from tests.support.platforms import running_platforms
from tests.support.waiting import comes_true

PENDING, ACCOUNTS = 1_000_000, 1_000
SETTLED, IDLE, WAITING = 5.0, 20.0, 10.0
"""Seconds until a daemon that came up is idle, that it is watched then, and that one with a backlog is."""
_CHANNELS = ("discord", "telegram", "email", "webhook")
_RUN = ("-m", "pingpilot", "run")
_AS_A_USER = (
    "import sys; names = sys.argv.pop(1); sys.modules.update(dict.fromkeys(names.split(',')));"
    "from pingpilot.cli import main; main()"
)
_LOOKS_EVERY = 0.005
# An e-mail for each event, of the accounts in turn
_PENDING = (
    """
    WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :accounts)
    INSERT INTO accounts (id, email, plan, time_zone, created_at)
    SELECT i, 'account-' || i || '@example.com', 'enterprise', 'UTC', :at FROM numbers
    """,
    """
    INSERT INTO destinations (account_id, channel, kind, name, enabled, address)
    SELECT id, 'email', 'direct', 'email', 1, email FROM accounts
    """,
    """
    WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :pending)
    INSERT INTO events (id, account_id, category, description, fields_json, created_at)
    SELECT printf('019b7000-%04x-7000-8000-%012x', i >> 16, i), i % :accounts + 1, 'sale',
        'Somebody bought lamp ' || i, '{}', :at FROM numbers
    """,
    """
    INSERT INTO deliveries (event_id, account_id, channel, destination, status, next_attempt_at)
    SELECT id, account_id, 'email', 'email', 'pending', :at FROM events ORDER BY id
    """,
)
_ROOT = Path(__file__).parents[1]


def measure(*, rounds: int = 5, environment: bool = False) -> list[Figure]:
    """Return the figures; one round for the growth, however many are asked for."""
    with _new_environment() if environment else nullcontext(_command_of_a_user()) as command:
        return asyncio.run(_measure(command, rounds))


def main(rounds: int, *, environment: bool) -> None:
    for figure in measure(rounds=rounds, environment=environment):
        shown = ", ".join(f"{each:.2f}" for each in figure.rounds)
        print(f"{figure.name}: {figure.value:.2f} {figure.unit} (to reach {figure.target:g}; rounds {shown})")
        for name, value in figure.details.items():
            print(f"    {name}: {value:.2f}")


@dataclass(frozen=True, slots=True)
class _Daemon:
    """A daemon that runs, with the seconds from its start to the first 200 and to all channels being up.

    `took` is the processor time of the former.
    """

    url: str
    pid: int
    ready: float
    up: float
    took: float

    @property
    def megabytes(self) -> float:
        """Its resident memory, in millions of bytes."""
        return self._of_status("VmRSS")

    @property
    def own_megabytes(self) -> float:
        """What of that no file holds, such as a program's text: what other processes can't share."""
        return self._of_status("RssAnon")

    @property
    def processor_seconds(self) -> float:
        """What it has used so far."""
        return _processor_seconds(self.pid)

    def _of_status(self, name: str) -> float:
        [kibibytes] = re.findall(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.M)
        return int(kibibytes) * 1024 / 1e6


def _processor_seconds(pid: int) -> float:
    """Return what all threads have used, to the nanosecond: `stat` counts in hundredths of a second."""
    return sum(
        int(path.read_text().split()[0]) / 1e9 for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


async def _measure(command: Sequence[str], rounds: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        daemons = []
        for _ in range(rounds):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _migrate(command, folder / "bench.sqlite3")
            daemons.append(await stack.enter_async_context(_daemon(command, folder / "bench.sqlite3")))
        await asyncio.sleep(SETTLED)
        resident, own = [each.megabytes for each in daemons], [each.own_megabytes for each in daemons]
        shares = await _shares(daemons, IDLE)
        visited = [await _after_a_visit(each) for each in daemons]
    growth, share_pending = await _with_pending(command, idle=statistics.median(resident))
    return [
        Figure(
            name="Start to ready",
            unit="s",
            rounds=tuple(each.ready for each in daemons),
            target=0.75,
            less_is_better=True,
            bound="Loading modules on one core: Tortoise, aiohttp, pydantic and our own; the bots' libraries "
            "are loaded after that.",
            details={
                "processor s": statistics.median(each.took for each in daemons),
                "all channels up s": statistics.median(each.up for each in daemons),
            },
        ),
        Figure(
            name="Memory, idle",
            unit="MB",
            rounds=tuple(resident),
            target=100,
            less_is_better=True,
            bound="Modules: discord.py and python-telegram-bot are a fifth of it, whatever of them is used.",
            details={
                "of it in no file MB": statistics.median(own),
                "after the dashboard and /docs were opened MB": statistics.median(visited),
            },
        ),
        Figure(
            name=f"Memory, {PENDING:,} pending",
            unit="MB more than idle",
            rounds=(growth,),
            target=10,
            less_is_better=True,
            bound="SQLite's page caches, up to 3 MB a connection, what the first mail loads, 2.5 MB, and a "
            "round of claims: the database is the only queue.",
        ),
        Figure(
            name="Processor, idle",
            unit="% of a core",
            rounds=tuple(shares),
            target=0.5,
            less_is_better=True,
            bound="Questions to the database: each channel's dispatcher asks once a second for what other "
            "processes put there.",
            details={f"with {PENDING:,} pending %": share_pending},
        ),
    ]


async def _shares(daemons: Sequence[_Daemon], seconds: float) -> list[float]:
    """Return how much of a core each uses in some seconds while nothing happens, in percent."""
    before, began = [each.processor_seconds for each in daemons], time.monotonic()
    await asyncio.sleep(seconds)
    after, took = [each.processor_seconds for each in daemons], time.monotonic() - began
    return [100 * (end - start) / took for start, end in zip(before, after, strict=True)]


async def _after_a_visit(daemon: _Daemon) -> float:
    """Return the resident memory once somebody has looked at pages and at the API's description."""
    async with aiohttp.ClientSession() as browser:
        for path in ("/", "/sign-in", "/docs", "/openapi.json", "/metrics"):
            async with browser.get(daemon.url + path, headers={"Accept": "text/html"}) as page:
                await page.read()
    return daemon.megabytes


async def _with_pending(command: Sequence[str], *, idle: float) -> tuple[float, float]:
    """Return by how much a daemon outgrows an idle one whose e-mails wait for a server that is away, and its
    share of a core.
    """
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "bench.sqlite3"
        _migrate(command, database)
        _fill(database)
        away = {"PINGPILOT_SMTP_PORT": str(processes.free_port())}
        async with _daemon(command, database, channels=("discord", "telegram"), **away) as daemon:
            await comes_true(lambda: _counts_mail_as_away(daemon.url), "mail to be away", timeout=60)
            await asyncio.sleep(SETTLED)
            [share] = await _shares([daemon], WAITING)
            return daemon.megabytes - idle, share


async def _counts_mail_as_away(url: str) -> bool:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
        return Samples(await answer.text()).of("pingpilot_circuit_open", channel="email") == 1


def _fill(path: Path) -> None:
    """Put deliveries that are due into a database that has none."""
    given = {"accounts": ACCOUNTS, "pending": PENDING, "at": "2026-01-01 00:00:00.000000+00:00"}
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        for statement in _PENDING:
            database.execute(statement, given)


def _migrate(command: Sequence[str], database: Path) -> None:
    migrate = [*command[:-1], "migrate"]
    subprocess.run(migrate, env=processes.environment(database), check=True, stdout=subprocess.DEVNULL)


@asynccontextmanager
async def _daemon(
    command: Sequence[str], database: Path, *, channels: Sequence[str] = _CHANNELS, **variables: str
) -> AsyncIterator[_Daemon]:
    """Run a daemon with stand-ins of its own, from when these channels are up."""
    async with running_platforms() as platforms:
        settings = {**processes.environment(database), **platforms.settings, **variables}
        url = f"http://127.0.0.1:{settings['PINGPILOT_HTTP_PORT']}"
        began = time.monotonic()
        process = subprocess.Popen(command, env=settings, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
        try:
            async with aiohttp.ClientSession() as http, asyncio.timeout(60):
                await _shows(http, url, {})
                ready, took = time.monotonic() - began, _processor_seconds(process.pid)
                await _shows(http, url, dict.fromkeys(channels, "up"))
            yield _Daemon(url, process.pid, ready, time.monotonic() - began, took)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 30)


async def _shows(http: aiohttp.ClientSession, url: str, states: Mapping[str, str]) -> None:
    """Return once the daemon accepts events, with these parts in these states."""
    while True:
        try:
            async with http.get(f"{url}/readyz") as answer:
                if answer.status == 200 and states.items() <= (await answer.json())["parts"].items():
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(_LOOKS_EVERY)


def _command_of_a_user() -> Sequence[str]:
    """Return what runs the daemon with this environment's Python and without the packages of development."""
    wanted, left = set[str](), ["pingpilot"]
    while left:
        name = canonicalize_name(left.pop())
        if name in wanted:
            continue
        wanted.add(name)
        given = [Requirement(each) for each in metadata.requires(name) or []]
        left += [each.name for each in given if not each.marker or each.marker.evaluate({"extra": ""})]
    hidden = [
        module
        for module, owners in metadata.packages_distributions().items()
        if wanted.isdisjoint(map(canonicalize_name, owners))
    ]
    return [sys.executable, "-c", _AS_A_USER, ",".join(hidden), "run"]


@contextmanager
def _new_environment() -> Iterator[Sequence[str]]:
    """Install PingPilot into a virtual environment of its own; give what runs the daemon there."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python, constraints = f"{folder}/bin/python", _ROOT / "constraints.txt"
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--constraint", constraints, _ROOT], check=True
        )
        yield [python, *_RUN]


if __name__ == "__main__":
    words = sys.argv[1:]
    numbers = [int(word) for word in words if word.isdecimal()]
    main(*(numbers or [5]), environment="--environment" in words)
