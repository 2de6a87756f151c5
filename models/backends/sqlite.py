"""SQLite: one connection in a thread of its own, one user at a time."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from types import TracebackType

import aiosqlite
from tortoise.backends.base.client import ConnectionWrapper, NestedTransactionContext, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections

from models.backends.errors import OF_ALL, GuardedTransaction, as_ours

our_errors: Callable[[], AbstractContextManager[None]] = partial(
    as_ours, failures=(sqlite3.Error, *OF_ALL), conflicts=(sqlite3.IntegrityError,)
)


class Client(SqliteClient):
    """A connection to one file."""

    async def create_connection(self, with_db: bool) -> None:
        # The thread of an aiosqlite connection that can't be opened ends at any time, also after the loop
        await asyncio.to_thread(lambda: sqlite3.connect(self.filename).close())
        try:
            await super().create_connection(with_db)
        except BaseException:
            # Tortoise keeps a connection whose pragmas failed: its commits would not reach the disk
            await self.close()
            raise

    async def close(self) -> None:
        with our_errors():
            await super().close()

    def acquire_connection(self) -> "_Turn":
        return _Turn(self._lock, self)

    def _in_transaction(self) -> GuardedTransaction:
        return GuardedTransaction(_Transaction(_TransactionClient(self), self._lock), our_errors)


class _TransactionClient(SqliteTransactionWrapper):
    """The connection as those see it who are within a transaction."""

    def acquire_connection(self) -> "_Turn":
        return _Turn(self._lock, self)

    def _in_transaction(self) -> GuardedTransaction:
        return GuardedTransaction(NestedTransactionContext(_TransactionClient(self)), our_errors)

    async def commit(self) -> None:
        try:
            await super().commit()
        except sqlite3.Error:
            # A full disk may leave the transaction open, and the next one begins by committing what is
            await self._connection.rollback()
            raise


class _Turn(ConnectionWrapper[aiosqlite.Connection]):
    """The connection for one call."""

    async def __aenter__(self) -> aiosqlite.Connection:
        with our_errors():
            await self._lock.acquire()
            try:
                await self.ensure_connection()
            except BaseException:
                self._lock.release()  # Tortoise would keep it, and everybody after this would wait for ever
                raise
        return self.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if error:
            with our_errors():
                raise error


class _Transaction(SqliteTransactionContext):
    """A transaction, which has the connection to itself."""

    _trxlock: asyncio.Lock

    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException:
            if self.connection._connection:  # begun after all, if only our wait for it was cancelled
                with suppress(sqlite3.Error):
                    await self.connection.rollback()
            self._trxlock.release()  # as in `_Turn`
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        client: TransactionalDBClient = self.connection
        return client


client_class = Client
