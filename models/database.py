"""The database: its configuration, opening, migrating and closing, and the unit of work."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, ParamSpec, TypeVar

import asyncpg
from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionContext
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.migrations.api import migrate as apply_migrations
from tortoise.transactions import in_transaction

from models import migrations
from models.backends.asyncpg import how_to_connect, our_errors
from pingpilot.errors import DatabaseUnavailable

P = ParamSpec("P")
T = TypeVar("T")

_MODULES = [
    "models.account",
    "models.account_channel",
    "models.api_key",
    "models.category",
    "models.category_usage",
    "models.delivery",
    "models.delivery_attempt",
    "models.event",
    "models.fact",
    "models.idempotency_key",
    "models.link_code",
    "models.link_guess",
    "models.monthly_usage",
]
_MIGRATION_LOCK = 7_464_752_173  # any number of ours: PostgreSQL's advisory locks share one space
_SQLITE = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "busy_timeout": 5000,  # milliseconds
    "foreign_keys": "ON",
    # Fewer checkpoints, and a log that keeps its size between them: each costs commits a sync. Every
    # commit is synced to the log all the same.
    "wal_autocheckpoint": 4000,  # pages of 4 KiB
    "journal_size_limit": 64 * 1024 * 1024,
}

_READER = "reader"

_units_under_way: set[asyncio.Task[Any]] = set()


def tortoise_config(url: str, **pragmas: str) -> dict[str, Any]:
    """Return Tortoise's configuration for a database URL of the settings.

    A commit returns when it is on the disk: `synchronous=FULL` on SQLite, `synchronous_commit=on` on
    PostgreSQL.
    """
    if path := sqlite_path(url):
        # One connection that does everything, and one for reads that must not queue behind a commit
        engine, file = "models.backends.sqlite", {"file_path": str(path)}
        connections = {
            "default": {"engine": engine, "credentials": {**file, **_SQLITE, **pragmas}},
            _READER: {"engine": engine, "credentials": {**file, **_SQLITE, "query_only": "ON"}},
        }
    else:
        credentials = {**how_to_connect(url), "maxsize": 10, "init": _begin_session, "reset": _keep_session}
        connections = {"default": {"engine": "models.backends.asyncpg", "credentials": credentials}}
    app = {"models": _MODULES, "default_connection": "default", "migrations": "models.migrations"}
    return {"connections": connections, "apps": {"models": app}, "use_tz": True}


async def _begin_session(connection: Any) -> None:
    """Set what holds for all that a connection does.

    Not as parameters of its start, of which PgBouncer refuses those it does not know.
    """
    await connection.execute("SET synchronous_commit = on")


async def _keep_session(_connection: Any) -> None:
    """Spare asyncpg's reset of a released connection, a round trip: no statement here leaves a trace."""


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for PostgreSQL."""
    return Path(url.removeprefix("sqlite://").split("?")[0]) if url.startswith("sqlite://") else None


TORTOISE_ORM = tortoise_config("sqlite://:memory:")
"""For `tortoise -c models.database.TORTOISE_ORM makemigrations`."""


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[None]:
    """Connect the models to the database for the calling task and the tasks it makes afterwards.

    On leaving, units of work still under way end first; without the closing, SQLite's thread would
    keep the process alive for ever.
    """
    EXECUTOR_CACHE.clear()  # holds statements by the connection's name, whichever database that was
    try:
        await Tortoise.init(config=tortoise_config(url))
        yield
    finally:
        while _units_under_way:
            await asyncio.wait(_units_under_way)
        await Tortoise.close_connections()


def connection() -> BaseDBAsyncClient:
    """Return the present task's connection: the transaction's within one."""
    return get_connection("default")


def transaction() -> TransactionContext:
    """Begin a transaction, as `async with transaction() as connection`; write first in it, then read.

    SQLite can't turn a read into a write while another process writes.
    """
    return in_transaction("default")


def reader() -> BaseDBAsyncClient:
    """Return a connection for a query that sees what is committed, and waits for no commit under way."""
    is_sqlite = connection().capabilities.dialect == "sqlite"
    return get_connection(_READER) if is_sqlite else connection()


def unit_of_work(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Awaitable[T]]:
    """Make a coroutine function run as a task of its own that its caller's cancellation can't reach.

    Cancelling Tortoise inside a transaction leaves SQLite's lock held for ever and leaks a PostgreSQL
    connection, so whatever opens one is decorated with this.
    """

    @wraps(function)
    async def shielded(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(function(*args, **kwargs))
        _units_under_way.add(task)
        task.add_done_callback(_units_under_way.discard)
        return await asyncio.shield(task)

    return shielded


@unit_of_work
async def answers() -> None:
    """Return when the database has answered. Raises `DatabaseUnavailable` when it does not."""
    await connection().execute_query("SELECT 1")


async def is_current(url: str) -> bool:
    """Return whether every migration is applied; False also where the database can't be asked."""
    path = sqlite_path(url)
    with our_errors():
        if path and not path.exists():  # asking would make it
            return False
    async with open_database(url):
        try:
            rows = await connection().execute_query_dict("SELECT name FROM tortoise_migrations")
        except DatabaseUnavailable:
            return False
    return {each.name for each in iter_modules(migrations.__path__)} <= {row["name"] for row in rows}


async def migrate(url: str) -> None:
    """Bring the schema up to date; several processes may call this at once, one of them works.

    SQLite migrates with foreign keys off: rebuilding a parent table would delete its children. Raises
    `DatabaseUnavailable`.
    """
    async with _migration_lock(url):
        try:
            await apply_migrations(config=tortoise_config(url, foreign_keys="OFF"))
        finally:
            await Tortoise.close_connections()


@asynccontextmanager
async def _migration_lock(url: str) -> AsyncIterator[None]:
    """Keep other processes from migrating the same database: by a file beside it, or PostgreSQL's lock."""
    with our_errors():
        if path := sqlite_path(url):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_name(path.name + ".migrate-lock").open("w") as lock:
                await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
                yield
            return
        holder = await asyncpg.connect(**how_to_connect(url))
        try:
            await holder.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
            yield
        finally:
            await holder.close()
