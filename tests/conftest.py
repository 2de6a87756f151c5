"""Fixtures for all tests: real databases, TLS, and a clock that stands still until it is moved."""

import gc
import logging
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog
import trustme

os.environ["PTB_TIMEDELTA"] = "true"  # before any test imports python-telegram-bot

from models.database import open_database
from tests.support.clock import ManualClock
from tests.support.databases import PostgresCopies, SqliteCopies

_TAKES_LONGEST = (
    *("tests/cluster/", "tests/plans/", "tests/process/", "tests/contract/", "tests/browser/"),
    *("tests/commandline/test_sandbox.py", "tests/storage/test_migrating_rows.py"),
)
PATIENT = 60.0
"""Seconds that a statement may take: the limit has tests of its own, and a machine may be busy."""

# structlog's own choice where rich is installed: tracebacks with every local variable. One of them can take
# a busy machine seconds in which the event loop does nothing else, and timeouts run out meanwhile.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_configure() -> None:
    """Look for no garbage while tests are collected, which makes hardly any: it took a third of the time."""
    gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with its share of what takes longest: one that had it last would be busy alone.

    A worker gets as many tests as the others, in this order, and takes over from them once it is done. Tests
    of either database stand together: the models' SQL is made anew where they alternate.
    """
    items.sort(key=lambda item: "postgres" in item.nodeid)
    longest = [item for item in items if item.nodeid.startswith(_TAKES_LONGEST)]
    others = [item for item in items if not item.nodeid.startswith(_TAKES_LONGEST)]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    begun, ordered = 0, list[pytest.Item]()
    for number in range(workers):
        own = longest[number::workers]
        begins, begun = begun, begun + max(len(items) // workers - len(own), 0)
        ordered += own + others[begins:begun]
    items[:] = ordered + others[begun:]


def pytest_collection_finish() -> None:
    """Take what all tests share out of the garbage collector's rounds: they cost a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's environment and `.env` out of the tests."""
    for name in list(os.environ):
        if name.startswith("PINGPILOT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def sqlite_copies(templates: Path) -> SqliteCopies:
    return SqliteCopies(templates)


@pytest.fixture(scope="session")
def postgres_copies(templates: Path) -> Iterator[PostgresCopies]:
    """One server for each process, in a folder of its own: pytest removes other runs' when it starts."""
    with TemporaryDirectory(prefix="pingpilot-postgres-", ignore_cleanup_errors=True) as folder:
        copies = PostgresCopies(Path(folder), templates)
        yield copies
        copies.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database; the test runs once on each kind."""
    copies: SqliteCopies | PostgresCopies = request.getfixturevalue(f"{request.param}_copies")
    url = copies.new(tmp_path)
    yield url
    copies.drop(url)


@pytest.fixture
def sqlite_url(sqlite_copies: SqliteCopies, tmp_path: Path) -> str:
    """A fresh, migrated SQLite file, for tests in which the database makes no difference."""
    return sqlite_copies.new(tmp_path)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[str]:
    """An open database of each kind; returns its URL."""
    async with open_database(database_url, patience=PATIENT):
        yield database_url


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[str]:
    """An open SQLite database; returns its URL."""
    async with open_database(sqlite_url, patience=PATIENT):
        yield sqlite_url


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts the authority, too."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def serving(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context with a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def fresh_log() -> Iterator[None]:
    """Undo in the end what a test does with `configure_logging`."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    tests_own = structlog.get_config()
    # By name: it makes loggers of libraries that are not loaded yet, and other tests listen to them
    known = {name: (each.level, each.filters[:]) for name, each in _loggers().items()}
    yield
    root.handlers, root.level = handlers, level
    for name, each in _loggers().items():
        its_level, each.filters = known.get(name, (logging.NOTSET, []))
        each.setLevel(its_level)
    structlog.configure(**tests_own)


def _loggers() -> dict[str, logging.Logger]:
    known = logging.getLogger().manager.loggerDict
    return {name: each for name, each in known.items() if isinstance(each, logging.Logger)}
