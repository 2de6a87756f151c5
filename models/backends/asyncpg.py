"""PostgreSQL over asyncpg: a pool of connections."""

import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from types import TracebackType
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    ConnectionWrapper,
    NestedTransactionContext,
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContextPooled,
)
from tortoise.connection import get_connections

from models.backends.errors import OF_ALL, GuardedTransaction, as_ours
from pingpilot.database_url import parse_postgres_url

our_errors: Callable[[], AbstractContextManager[None]] = partial(
    as_ours,
    failures=(asyncpg.PostgresError, asyncpg.InterfaceError, *OF_ALL),
    conflicts=(asyncpg.IntegrityConstraintViolationError,),
)


def how_to_connect(url: str) -> dict[str, Any]:
    """Return the arguments of `asyncpg.connect`, and of `Client`, that reach the database of a URL.

    What a URL may say beyond the place, such as `sslmode`, asyncpg takes in a DSN alone. The password stands
    beside it, where no log shows it.
    """
    place = parse_postgres_url(url)
    arguments: dict[str, Any] = {"dsn": place.dsn, "password": place.password}
    if place.connect_timeout:
        arguments["timeout"] = place.connect_timeout
    if place.trusts_system:
        arguments["ssl"] = ssl.create_default_context()
    return arguments


class Client(AsyncpgDBClient):
    """A pool of connections to one database, which `dsn` names in place of Tortoise's own arguments."""

    def __init__(self, *, dsn: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._dsn = dsn

    async def create_pool(self, **kwargs: Any) -> Any:
        for name in ("host", "port", "user", "database"):
            del kwargs[name]
        return await asyncpg.create_pool(self._dsn, **kwargs)

    async def close(self) -> None:
        with our_errors():
            await super().close()

    def acquire_connection(self) -> "_Turn":
        return _Turn(self, self._pool_init_lock)

    def _in_transaction(self) -> GuardedTransaction:
        transaction = _Transaction(_TransactionClient(self), self._pool_init_lock)
        return GuardedTransaction(transaction, our_errors)


class _TransactionClient(TransactionWrapper):
    """A connection as those see it who are within its transaction."""

    def acquire_connection(self) -> "_TurnWithin":
        return _TurnWithin(self._lock, self)

    def _in_transaction(self) -> GuardedTransaction:
        return GuardedTransaction(NestedTransactionContext(_TransactionClient(self)), our_errors)


class _Turn(PoolConnectionWrapper[Any]):
    """One of the pool's connections, for one call."""

    async def __aenter__(self) -> Any:
        with our_errors():
            return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with our_errors():
            await super().__aexit__(kind, error, trace)
            if error:
                raise error


class _TurnWithin(ConnectionWrapper[Any]):
    """The transaction's connection, for one call."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if error:
            with our_errors():
                raise error


class _Transaction(TransactionContextPooled):
    """A transaction on a connection of the pool."""

    async def __aenter__(self) -> TransactionalDBClient:
        client: Any = self.client
        await self.ensure_connection()
        pool = client._parent._pool
        client._connection = await pool.acquire()
        try:
            await client.begin()
        except BaseException:
            await pool.release(client._connection)  # Tortoise would keep it, until the pool had none left
            raise
        self.token = get_connections().set(self.connection_name, client)
        return self.client


client_class = Client
