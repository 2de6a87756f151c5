"""The database: its configuration, opening, migrating and closing, and the unit of work."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from functools import wraps
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionContext
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.transactions import in_transaction

from models import migrations
from models.backends import ASIDE, LEASES, READER
from models.sql import is_postgres, query
from models.work import Work
from pingpilot.database_url import sqlite_path
from pingpilot.errors import DatabaseUnavailable, NewerSchema

P = ParamSpec("P")
T = TypeVar("T")

_MODULES = [
    "models.account",
    "models.activity",
    "models.api_key",
    "models.bot",
    "models.category",
    "models.category_usage",
    "models.delivery",
    "models.delivery_attempt",
    "models.destination",
    "models.event",
    "models.fact",
    "models.failure_count",
    "models.idempotency_key",
    "models.incoming_update",
    "models.leader",
    "models.link_code",
    "models.link_guess",
    "models.member",
    "models.monthly_usage",
    "models.session",
    "models.sign_in_link",
    "models.sign_up_link",
]
_MIGRATIONS = "tortoise_migrations"
_LOCKS_OF_AN_EVENT = {
    "ROW EXCLUSIVE": (
        "monthly_usage",
        "category_usage",
        "category_activity",
        "number_totals",
        "events",
        "deliveries",
        "idempotency_keys",
    ),
    "ROW SHARE": ("accounts", "api_keys", "destinations", "categories"),  # read, and referred to
}

_MAY_WRITE = """
SELECT pg_is_in_recovery() AS is_standby, current_setting('transaction_read_only')::boolean AS is_read_only
"""

PATIENCE = 4.0
"""Seconds that a call of the database, or a whole transaction, may take with its wait for a turn."""
MIGRATES_WITHIN = 60.0
"""Seconds that a process waits for another one that migrates the same database."""
BREAKS = re.compile(r"\d+_breaks_")
"""Begins the name of a migration that the version before can't live with; all others only add."""
_LOOKS_EVERY = 0.1  # seconds
_STILL_THERE_EVERY = 1.0  # seconds between questions to a database that is being migrated

_units_under_way: set[asyncio.Task[Any]] = set()
_speaks: dict[str, "_Engine"] = {}
"""The engine whose SQL the `models` have ready."""


class _Engine(Protocol):
    """What a module of `models.backends` has."""

    our_errors: Callable[[], AbstractContextManager[None]]

    def connections(self, url: str, *, patience: float | None) -> dict[str, dict[str, Any]]:
        """Return Tortoise's configuration of the connections; without patience they are for migrations."""

    def migration_lock(self, url: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[bool]]]:
        """Give what tries to lock other processes that migrate out, until it returns true, and after that."""


def _engine(url: str) -> _Engine:
    """Return the engine of a database; the other's driver, 2 MB and 15 ms of a start, is not loaded."""
    return cast("_Engine", import_module(f"models.backends.{'sqlite' if sqlite_path(url) else 'asyncpg'}"))


def tortoise_config(url: str, *, patience: float | None = PATIENCE) -> dict[str, Any]:
    """Return Tortoise's configuration for a database URL of the settings.

    A commit returns when it is on the disk: `synchronous=FULL` on SQLite, `synchronous_commit=on` on
    PostgreSQL. `patience` None is for migrations: as long as it takes, and nothing read beside it.
    """
    app = {"models": _MODULES, "default_connection": "default", "migrations": "models.migrations"}
    return {
        "connections": _engine(url).connections(url, patience=patience),
        "apps": {"models": app},
        "use_tz": True,
    }


TORTOISE_ORM = tortoise_config("sqlite://:memory:")
"""For `tortoise -c models.database.TORTOISE_ORM makemigrations`."""


@asynccontextmanager
async def open_database(url: str, *, patience: float = PATIENCE) -> AsyncIterator[None]:
    """Connect the models to the database for the calling task and the tasks it makes afterwards.

    Every connection is opened here: one that failed later, for want of file descriptors, would take its
    users with it. On leaving, units of work still under way end first; without the closing, SQLite's
    thread would keep the process alive for ever. Raises `DatabaseUnavailable` where it can't be opened.
    """
    try:
        await connect_models(url, patience=patience)
        for client in {connection(), reader()}:
            async with client.acquire_connection():
                pass
        yield
    finally:
        while _units_under_way:
            await asyncio.wait(_units_under_way)
        await Tortoise.close_connections()


async def connect_models(url: str, *, patience: float = PATIENCE) -> None:
    """Have the models use a database, which their first query connects to; `open_database` does it before.

    Their SQL is made once for all databases of an engine, as that takes longer than all else here.
    """
    engine = _engine(url)
    is_another = _speaks.get("models") is not engine
    if is_another:
        EXECUTOR_CACHE.clear()  # holds statements by the connection's name, whichever database that was
    await Tortoise.init(config=tortoise_config(url, patience=patience), init_connections=is_another)
    _speaks["models"] = engine


def be_impatient(seconds: float) -> None:
    """Give what is asked of the database from now on so many seconds only: the daemon is about to end."""
    for client in {connection(), reader(), aside()}:
        vars(client)["patience"] = seconds


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
    return get_connection(READER) if is_sqlite else connection()


def aside() -> BaseDBAsyncClient:
    """Return a connection for long work in pieces, such as an export: nobody else waits for a piece's end."""
    is_sqlite = connection().capabilities.dialect == "sqlite"
    return get_connection(ASIDE) if is_sqlite else connection()


def leases() -> BaseDBAsyncClient:
    """Return a connection for leases and heartbeats: they are too late once they wait behind other work."""
    return get_connection(LEASES) if is_postgres(connection()) else connection()


def unit_of_work(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Awaitable[T]]:
    """Make a coroutine function run as a task of its own that its caller's cancellation can't reach.

    Cancelling Tortoise inside a transaction leaves SQLite's lock held for ever and leaks a PostgreSQL
    connection, so whatever opens one is decorated with this.
    """

    @wraps(function)
    async def shielded(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(function(*args, **kwargs))
        _units_under_way.add(task)
        task.add_done_callback(_end_unit)
        return await asyncio.shield(task)

    return shielded


def _end_unit(task: asyncio.Task[Any]) -> None:
    """Forget a unit of work; one that nobody waits for any more may fail without asyncio's complaint."""
    _units_under_way.discard(task)
    if not task.cancelled():
        task.exception()


@unit_of_work
async def in_one_go(work: Work[T], *, durable: bool = True, apart: bool = False) -> T:
    """Return what `work` does, whose statements are a transaction of their own, within no other.

    One that is not `durable` waits for no disk on SQLite: a power cut may lose it then, which ends whoever
    relies on it as well. PostgreSQL may crash while its clients live on, and syncs it all the same.

    On PostgreSQL, statements `apart` are a transaction each, which spares two round trips. It is for work
    that reads, and then writes once, with a `Charge`.
    """
    client: Any = connection()
    if is_postgres(client):
        return cast("T", await client.in_one_go(work, apart=apart))
    return cast("T", await client.in_one_go(work, is_synced=durable))


async def within(work: Work[T]) -> T:
    """Return what `work` does, within the transaction that is open."""
    client: Any = connection()
    try:
        asked = next(work)
        while True:
            rows: list[Any] = []
            for sql, values in client.statements(asked):
                rows += await client.execute_query_dict(sql, values)
            asked = work.send(rows)
    except StopIteration as end:
        return cast("T", end.value)


@unit_of_work
async def write_aside(sql: str, values: Sequence[Any]) -> float:
    """Run one statement of long work as a transaction of its own; return how many seconds others waited for.

    On SQLite its commit is not synced: a power cut may undo it, and what others committed stays. It is for
    what is done anew then, and told of after a synced commit that came later.
    """
    loop = asyncio.get_running_loop()
    if is_postgres(connection()):
        began = loop.time()
        await query(connection(), sql, values)
        return loop.time() - began
    # In the turn of whoever writes: two connections that compete for SQLite's lock sleep, and look again
    async with connection().acquire_connection():
        began = loop.time()
        await query(aside(), sql, values)
        return loop.time() - began


@unit_of_work
async def checkpoint() -> None:
    """Move what SQLite's log holds into the file, while others write; whoever fills the log has to.

    A commit of theirs that finds the log long would do it, and all would wait.
    """
    if not is_postgres(connection()):
        await query(aside(), "PRAGMA wal_checkpoint(PASSIVE)")


@unit_of_work
async def answers() -> None:
    """Return when an event could be written. Raises `DatabaseUnavailable` when it can't be.

    Takes the locks that its tables ask for, and writes nothing. PostgreSQL gives them in a transaction
    that may only read as well, which hosting services make of all once the disk is full.
    """
    async with transaction() as database:
        if is_postgres(database):
            [row] = await query(database, _MAY_WRITE)
            if row["is_standby"]:
                raise DatabaseUnavailable("it may only be read, since the server is a standby")
            if row["is_read_only"]:
                raise DatabaseUnavailable("it may only be read: default_transaction_read_only is on")
            for mode, tables in _LOCKS_OF_AN_EVENT.items():
                await database.execute_query(f"LOCK TABLE {', '.join(tables)} IN {mode} MODE")


async def is_current(url: str) -> bool:
    """Return whether every migration is applied.

    A newer version's are no obstacle where they only add: daemons of both run side by side while one after
    the other is upgraded. Raises `DatabaseUnavailable`, or `NewerSchema` for one that does more.
    """
    path = sqlite_path(url)
    with _engine(url).our_errors():
        if path and not path.exists():  # asking would make it
            return False
    async with open_database(url):
        there = (
            "to_regclass(?)" if is_postgres(connection()) else "(SELECT 1 FROM sqlite_master WHERE name = ?)"
        )
        [row] = await query(connection(), f"SELECT {there} AS it", [_MIGRATIONS])
        if row["it"] is None:
            return False
        # Another program's may stand beside ours
        asked = f"SELECT name FROM {_MIGRATIONS} WHERE app = 'models'"  # noqa: S608
        rows = await connection().execute_query_dict(asked)
    ours, applied = {each.name for each in iter_modules(migrations.__path__)}, {row["name"] for row in rows}
    if newer := sorted(name for name in applied - ours if BREAKS.match(name)):
        raise NewerSchema(
            f"A newer PingPilot has changed this database ({newer[-1]}): run that version or a later one, or "
            "put a backup from before the upgrade in its place."
        )
    return ours <= applied


async def migrate(url: str) -> None:
    """Bring the schema up to date; several processes may call this at once, one of them works.

    It may take as long as it needs, and is left to its fate where the database stops answering: whoever
    calls this ends the process then. Raises `DatabaseUnavailable`.
    """
    async with _engine(url).migration_lock(url) as has_locked:
        await _until(has_locked)
        migrating = asyncio.create_task(_migrate(url))
        try:
            while not (await asyncio.wait([migrating], timeout=_STILL_THERE_EVERY))[0]:
                await has_locked()
        except BaseException:
            migrating.cancel()  # not waited for: it may never end
            raise
        await migrating


async def _migrate(url: str) -> None:
    # Whoever need not migrate, which is nearly every start, does without its 1 MB and 15 ms
    from tortoise.migrations.api import migrate as apply_migrations  # noqa: PLC0415

    try:
        await apply_migrations(config=tortoise_config(url, patience=None))
    finally:
        EXECUTOR_CACHE.clear()  # of models as they were, by the same names
        await Tortoise.close_connections()


async def _until(is_locked: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so. Raises `DatabaseUnavailable` where another process migrates for too long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + MIGRATES_WITHIN
    while not await is_locked():
        if loop.time() >= end:
            raise DatabaseUnavailable(f"another process migrates it since {MIGRATES_WITHIN:g} seconds")
        await asyncio.sleep(_LOOKS_EVERY)
