"""SQLite: one connection in a thread of its own, one user at a time."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO, TypeVar, cast

import aiosqlite
import orjson
from tortoise.backends.base.client import ConnectionWrapper, NestedTransactionContext, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connection, get_connections

from models.backends import ASIDE, READER
from models.backends.errors import OF_ALL, GuardedTransaction, as_ours, no_answer_within
from models.sql import as_stored
from models.work import Ask, AskAll, Asked, Charge, Insert, Work
from pingpilot.database_url import sqlite_path
from pingpilot.errors import CommitInDoubt, DatabaseUnavailable

T = TypeVar("T")

_PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    # Fewer checkpoints, and a log that keeps its size between them: each costs commits a sync. Every
    # commit is synced to the log all the same.
    "wal_autocheckpoint": 4000,  # pages of 4 KiB
    "journal_size_limit": 64 * 1024 * 1024,
}
# For work that is begun anew if the machine loses its power: a commit is not synced, and the next one of
# somebody else, which is, takes it to the disk too. Nor does it move the log into the file while others wait.
_ASIDE = {"synchronous": "NORMAL", "wal_autocheckpoint": 0}
_BUSY = 10.0  # seconds that another process may keep SQLite's lock at most
_MOST_ROWS = 64  # that one statement inserts
_ADD_UP = (
    "ON CONFLICT (account_id, month) DO UPDATE SET events = monthly_usage.events + excluded.events "
    "RETURNING account_id"
)
_CLOSE_ENOUGH = 0.1  # of the patience: SQLite is told its rest only where that has become less by so much

our_errors: Callable[[], AbstractContextManager[None]] = partial(
    as_ours, failures=(sqlite3.Error, *OF_ALL), conflicts=(sqlite3.IntegrityError,)
)


def connections(url: str, *, patience: float | None) -> dict[str, dict[str, Any]]:
    """Return Tortoise's configuration: a connection that does everything, one for reads, one for long work.

    The reads must not queue behind a commit, and nobody behind the long work. Without patience there is one,
    for migrations: foreign keys are off, since rebuilding a parent table would delete its children.
    """
    waits = patience and min(patience, _BUSY)
    options = {"file_path": str(sqlite_path(url)), "patience": waits, **_PRAGMAS}
    if patience is None:
        return {"default": {"engine": __name__, "credentials": {**options, "foreign_keys": "OFF"}}}
    return {
        "default": {"engine": __name__, "credentials": {**options, "reads_on": READER}},
        READER: {"engine": __name__, "credentials": {**options, "query_only": "ON"}},
        ASIDE: {"engine": __name__, "credentials": {**options, **_ASIDE}},
    }


@asynccontextmanager
async def migration_lock(url: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Give what tries to lock other processes that migrate out, until it returns true, and after that."""
    path = cast("Path", sqlite_path(url))
    with our_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
        # For both, not "w" alone: opening a pipe in its place would wait for a reader
        with path.with_name(path.name + ".migrate-lock").open("a+") as lock:
            yield partial(_has_locked, lock)


async def _has_locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Client(SqliteClient):
    """A connection to one file.

    A user waits `patience` seconds at most, for those before it and for other processes together: all who
    find the file locked give up in the same moment, not one after another. Queries outside a transaction
    go to the connection called `reads_on`, if there is one: no lock for writing holds it up.
    """

    def __init__(
        self, file_path: str, *, patience: float | None = None, reads_on: str | None = None, **options: Any
    ) -> None:
        super().__init__(file_path, **options)
        self._busy = patience or _BUSY
        # Before the others: setting the journal's mode waits for who has the lock
        self.pragmas = {"busy_timeout": 0, **self.pragmas}
        self._reads_on = reads_on
        self.patience = patience
        self._files: dict[str, tuple[int, int]] = {}

    async def create_connection(self, with_db: bool) -> None:
        self.pragmas["busy_timeout"] = round(self._busy * 1000)
        # First without aiosqlite: its thread would report a failure to open to a loop that may have ended
        await asyncio.to_thread(lambda: sqlite3.connect(self.filename).close())
        try:
            await super().create_connection(with_db)
        except BaseException:
            # Tortoise keeps a connection whose pragmas failed: its commits would not reach the disk
            await self.close()
            raise
        self._files = {path: found for path in self._paths() if (found := _identity(path))}

    async def close(self) -> None:
        with our_errors():
            await super().close()

    def acquire_connection(self) -> "_Turn":
        return _Turn(self._lock, self)

    def _in_transaction(self) -> GuardedTransaction:
        return GuardedTransaction(_Transaction(_TransactionClient(self), self._lock), our_errors)

    async def in_one_go(self, work: Work[T], *, is_synced: bool = True) -> T:
        """Return what `work` does, whose statements are a transaction: one way to the thread and back."""
        with our_errors():
            connection: Any = await self.take()  # which has no public way to run more than a statement
            try:
                run = _run if is_synced else _run_unsynced
                done: T = await connection._execute(run, connection._conn, work)
            finally:
                self._lock.release()
        try:
            self.check_files()
        except DatabaseUnavailable as exc:
            raise CommitInDoubt(str(exc)) from exc
        return done

    async def execute_query(self, query: str, values: list[Any] | None = None) -> Any:
        if self._reads_on and query.startswith("SELECT"):
            return await get_connection(self._reads_on).execute_query(query, values)
        return await super().execute_query(query, values)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        if self._reads_on and query.lstrip().startswith("SELECT"):
            return await get_connection(self._reads_on).execute_query_dict(query, values)
        rows: list[dict[str, Any]] = await super().execute_query_dict(query, values)
        return rows

    async def take(self) -> aiosqlite.Connection:
        """Return the connection for one user, who releases the lock. Raises `DatabaseUnavailable`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self.patience):
                await self._lock.acquire()
        except TimeoutError as exc:
            raise no_answer_within(self.patience or 0) from exc
        try:
            rest = max(0.0, (self.patience or _BUSY) - (loop.time() - began))
            connection = await self._be_ready(rest)
        except BaseException:
            self._lock.release()  # Tortoise would keep it, and everybody after this would wait for ever
            raise
        return connection

    async def _be_ready(self, rest: float) -> aiosqlite.Connection:
        """Connect, if need be, to a file that is still the one; it may be busy for so many seconds."""
        if self._connection is None:
            self._busy = rest
            await self.create_connection(with_db=True)
        connection = cast("aiosqlite.Connection", self._connection)
        self.check_files()
        if abs(rest - self._busy) > _CLOSE_ENOUGH * (self.patience or _BUSY):
            await connection.execute(f"PRAGMA busy_timeout = {round(rest * 1000)}")
            self._busy = rest
        return connection

    def check_files(self) -> None:
        """Raise `DatabaseUnavailable` where what is open is no longer what the path leads to.

        SQLite would go on with files that are gone with the process.
        """
        for path, opened in self._files.items():
            if _identity(path) != opened:
                raise DatabaseUnavailable(
                    f"{path} was deleted or replaced while it was in use: "
                    "stop PingPilot, put the right file in its place, and start it again."
                )
        if not self._files.keys() >= set(self._paths()):  # log and index are made by the first who needs them
            self._files |= {path: found for path in self._paths() if (found := _identity(path))}

    def _paths(self) -> Sequence[str]:
        """Return the files that all processes have to share: the database, its log, and the log's index.

        Whoever has an index of its own overwrites what others have committed to the log.
        """
        name = self.filename
        return () if name == ":memory:" else (name, f"{name}-wal", f"{name}-shm")


def _run(connection: sqlite3.Connection, work: Work[T]) -> T:
    """Run a transaction in the thread that calls this; what `work` raises undoes it."""
    if connection.in_transaction:  # of somebody who was cancelled
        connection.rollback()
    connection.execute("BEGIN IMMEDIATE")
    try:
        try:
            asked = next(work)
            while True:
                asked = work.send(_rows(connection, asked))
        except StopIteration as end:
            done: T = end.value
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may leave it open
            connection.rollback()
        raise
    return done


def _run_unsynced(connection: sqlite3.Connection, work: Work[T]) -> T:
    """Run a transaction whose commit is not synced; the next one that is takes it to the disk, too.

    The setting is changed for so long. A second connection would wait for the lock by looking from time to
    time, and each would lose its cache whenever the other one writes.
    """
    if connection.in_transaction:  # within one, the setting can't be changed
        connection.rollback()
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        return _run(connection, work)
    finally:
        try:
            connection.execute(f"PRAGMA synchronous = {_PRAGMAS['synchronous']}")
        except sqlite3.Error:
            connection.close()  # rather none than one whose commits do not reach the disk
            raise


def _rows(connection: sqlite3.Connection, asked: Asked | AskAll) -> list[Any]:
    if isinstance(asked, AskAll):
        return [_rows(connection, each) for each in asked.asks]
    return [row for sql, values in _statements(asked) for row in connection.execute(sql, values)]


def _statements(asked: Asked) -> Iterator[tuple[str, list[Any]]]:
    """Give statements of few different texts, which sqlite3 keeps prepared.

    Rows go in by powers of two.
    """
    if isinstance(asked, Charge):  # the counters are as they were read: nobody else writes meanwhile
        added = [(account, asked.month, count) for account, _, count in asked.counts]
        asked = [Insert("monthly_usage", ("account_id", "month", "events"), added, _ADD_UP), *asked.then]
    if isinstance(asked, Ask):
        values = [orjson.dumps(each).decode() if type(each) is list else each for each in asked.values]
        yield _with_lists(asked.sql), [as_stored(each) for each in values]
        return
    for each in [asked] if isinstance(asked, Insert) else asked:
        place, size = 0, _MOST_ROWS
        while place < len(each.rows):
            while size > len(each.rows) - place:
                size //= 2
            values = [as_stored(value) for row in each.rows[place : place + size] for value in row]
            yield _insert(each.table, each.columns, size, each.then), values
            place += size


@lru_cache
def _with_lists(sql: str) -> str:
    return sql.replace("= ANY(?)", "IN (SELECT value FROM json_each(?))")


@lru_cache
def _insert(table: str, columns: tuple[str, ...], rows: int, then: str) -> str:
    marks = ", ".join([f"({', '.join('?' * len(columns))})"] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks} {then}"  # noqa: S608


def _identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of what is at the path, None where there is nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class _TransactionClient(SqliteTransactionWrapper):
    """The connection as those see it who are within a transaction."""

    _parent: Client

    @staticmethod
    def statements(asked: Asked) -> Iterator[tuple[str, list[Any]]]:
        """Give what is asked as statements of SQLite's."""
        return _statements(asked)

    def acquire_connection(self) -> "_TurnWithin":
        return _TurnWithin(self._lock, self)

    def _in_transaction(self) -> GuardedTransaction:
        return GuardedTransaction(NestedTransactionContext(_TransactionClient(self)), our_errors)

    async def begin(self) -> None:
        """Begin with the lock for writing: nothing after this waits for another process."""
        if self._connection.in_transaction:  # of somebody who was cancelled; what it holds is not whole
            await self._connection.rollback()
        await self._connection.execute("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        try:
            await super().commit()
        except sqlite3.Error:
            # A full disk may leave the transaction open, and the next one could not begin
            await self._connection.rollback()
            raise


class _Turn(ConnectionWrapper[aiosqlite.Connection]):
    """The connection for one call."""

    client: Client

    async def __aenter__(self) -> aiosqlite.Connection:
        with our_errors():
            self.connection = await self.client.take()
        return self.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if error:
            with our_errors():
                raise error
        self.client.check_files()


class _TurnWithin(ConnectionWrapper[aiosqlite.Connection]):
    """The transaction's connection, for one call."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if error:
            with our_errors():
                raise error


class _Transaction(SqliteTransactionContext):
    """A transaction, which has the connection to itself."""

    connection: _TransactionClient
    _trxlock: asyncio.Lock

    async def __aenter__(self) -> TransactionalDBClient:
        connection = await self.connection._parent.take()
        self.connection._connection = connection
        try:
            await self.connection.begin()
        except BaseException:
            with suppress(sqlite3.Error):  # begun after all, if only our wait for it was cancelled
                await connection.rollback()
            self._trxlock.release()  # as in `take`
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if error is None:
            try:
                self.connection._parent.check_files()
            except DatabaseUnavailable as exc:
                raise CommitInDoubt(str(exc)) from exc


client_class = Client
