"""PostgreSQL over asyncpg: a pool of connections."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, TypeVar

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

from models.backends import LEASES
from models.backends.errors import OF_ALL, GuardedTransaction, as_ours, in_short, no_answer_within
from models.backends.statements import statement
from models.work import Ask, AskAll, Asked, Work
from pingpilot.database_url import PostgresUrl, parse_postgres_url
from pingpilot.errors import CommitInDoubt, DatabaseUnavailable, PingPilotError

T = TypeVar("T")

# The internal one is of a connection whose server has said farewell, before its socket is seen closed
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, *OF_ALL)
# What says nothing of the server's mind: the connection broke, or was cut off
_NO_ANSWER = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_CONNECTS_WITHIN = 3.0  # seconds
_HOST_ANSWERS_WITHIN = 1.2  # seconds, where another one is left: less than a lease may wait for a connection
_SILENT_FOR = 30.0  # seconds for which a host that gave no answer is tried after the others
_SESSION = {
    "synchronous_commit": "on",
    # A session keeps what it planned while a table was empty, and goes through all of it as it grows, for
    # each row that refers to it: a quarter of the events a second. What is asked for often has an index.
    "enable_seqscan": "off",
}
_LOCKED_FOR = 10.0  # seconds that a migration, or a command, waits for what others have locked
_ALIVE_WITHIN = 10.0  # seconds in which a server that is busy with a migration answers a question beside it
_MIGRATION_LOCK = 7_464_752_173  # any number of ours: PostgreSQL's advisory locks share one space
_PATIENCE_OF_LEASES = 1.5  # seconds: of the five of a leader's trust, enough are left to try again
_CLOSES_WITHIN = 2.0  # seconds for a goodbye to a server that may not answer

_NO_SESSION = "a pooler, taken for a server, gives each transaction another session: it has to keep sessions"

our_errors: Callable[[], AbstractContextManager[None]] = partial(
    as_ours,
    failures=_FAILURES,
    conflicts=(asyncpg.IntegrityConstraintViolationError,),
    undone=(asyncpg.DeadlockDetectedError,),
    told={
        asyncpg.DuplicatePreparedStatementError: _NO_SESSION,
        asyncpg.InvalidSQLStatementNameError: _NO_SESSION,
    },
)


def connections(url: str, *, patience: float | None) -> dict[str, dict[str, Any]]:
    """Return Tortoise's configuration: a pool of connections, and one for leases.

    Those must not wait until others have done with the pool, and are tried again rather than waited for.
    """
    if patience is None:
        return {"default": _pool(url, most=10, patience=None)}
    of_leases = _pool(url, most=1, patience=min(patience, _PATIENCE_OF_LEASES))
    return {"default": _pool(url, most=10, patience=patience), LEASES: of_leases}


def _pool(url: str, *, most: int, patience: float | None) -> dict[str, Any]:
    credentials = {
        **_how_to_connect(url),
        "maxsize": most,
        "patience": patience,
        "session": {**_SESSION, **_time_limits(patience)},
        "connect": partial(_reach, parse_postgres_url(url)),
        "reset": _keep_session,
    }
    return {"engine": __name__, "credentials": credentials}


async def connect(url: str, *, command_timeout: float) -> Any:
    """Return a connection of its own, in autocommit, whose calls may take so many seconds.

    Raises `DatabaseUnavailable`; what asyncpg raises on it is for `our_errors`. It ends by `terminate`, at
    once, or by `close`, for which the server has to answer.
    """
    with our_errors():
        arguments = {**_how_to_connect(url), "command_timeout": command_timeout, "statement_cache_size": 0}
        return await _reach(parse_postgres_url(url), **arguments)


_silent_until: dict[str, float] = {}
"""When a host that gave no answer, by its DSN, is tried in its turn again, by the monotonic clock."""


async def _reach(place: PostgresUrl, dsn: str, *, timeout: float, **arguments: Any) -> Any:
    """Return a connection, as asyncpg does, to the first of the place's hosts that gives one.

    asyncpg has one time limit for all of them, which a first one that is silent uses up, such as a machine
    that is off. Raises `DatabaseUnavailable` where there is no way to the server, and names its place from
    the URL: the system says neither which name is unknown nor which socket is missing.
    """
    now, end = time.monotonic(), time.monotonic() + timeout
    dsns = sorted(place.dsns, key=lambda each: _silent_until.get(each, 0) > now)
    if len(dsns) == 1 or "target_session_attrs=prefer-standby" in dsn:  # it has to see all of them
        dsns = [dsn]
    try:
        while True:
            host = dsns.pop(0)
            left = max(end - time.monotonic(), 0.1)
            try:
                return await asyncpg.connect(
                    host, timeout=min(left, _HOST_ANSWERS_WITHIN) if dsns else left, **arguments
                )
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched) as exc:
                if isinstance(exc, TimeoutError):
                    _silent_until[host] = time.monotonic() + _SILENT_FOR
                if not dsns:
                    raise
    except OSError as exc:
        raise DatabaseUnavailable(in_short(exc) + (f", at {place.host}" if place.host else "")) from exc


@asynccontextmanager
async def migration_lock(url: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Give what tries to lock other processes that migrate out, until it returns true, and after that.

    A transaction that stays open holds the lock: of a session a pooler may make several. Who waits has none
    open, since it would keep one of the pooler's few connections to the server.
    """

    async def has_locked() -> bool:
        if not holder.is_in_transaction():
            await holder.execute("BEGIN")
        if await holder.fetchval("SELECT pg_try_advisory_xact_lock($1)", _MIGRATION_LOCK):
            return True
        await holder.execute("ROLLBACK")
        return False

    with our_errors():
        holder = await connect(url, command_timeout=_ALIVE_WITHIN)
        try:
            yield has_locked
        finally:
            holder.terminate()  # with it goes the lock, also where the server does not answer


async def place_of(url: str) -> object:
    """Return what is the same for all URLs of one database on one server. Raises `DatabaseUnavailable`."""
    connection = await connect(url, command_timeout=_CONNECTS_WITHIN)
    try:
        with our_errors():
            return await connection.fetchrow("SELECT current_database(), pg_postmaster_start_time()")
    finally:
        connection.terminate()


async def has_pooler(connection: Any) -> bool:
    """Whether a pooler stands between, such as PgBouncer.

    A server names its process as a connection begins, by which a statement is cancelled. A pooler, which
    gives each transaction the process that is free, makes a name up.
    """
    return bool(connection.get_server_pid() != await connection.fetchval("SELECT pg_backend_pid()"))


def _how_to_connect(url: str) -> dict[str, Any]:
    """Return the arguments of `asyncpg.connect`, and of `Client`, that reach the database of a URL.

    What a URL may say beyond the place, such as `sslmode`, asyncpg takes in a DSN alone. The password
    stands beside it, where no log shows it.
    """
    place = parse_postgres_url(url)
    timeout = min(place.connect_timeout or _CONNECTS_WITHIN, _CONNECTS_WITHIN)
    arguments: dict[str, Any] = {"dsn": place.dsn, "password": place.password, "timeout": timeout}
    if place.tls is not None:
        arguments["ssl"] = _trusting_system(place.tls)
    return arguments


def _trusting_system(tls: Mapping[str, str]) -> ssl.SSLContext:
    """Return what libpq makes of `sslrootcert=system` and the other parameters of TLS.

    Raises `DatabaseUnavailable` for a file that can't be used.
    """
    context = ssl.create_default_context()
    with our_errors():
        if certificate := tls.get("sslcert"):
            context.load_cert_chain(certificate, tls.get("sslkey"), password="")
        if revoked := tls.get("sslcrl"):
            context.load_verify_locations(cafile=revoked)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    for name, bound in (
        ("ssl_min_protocol_version", "minimum_version"),
        ("ssl_max_protocol_version", "maximum_version"),
    ):
        if version := tls.get(name):
            setattr(context, bound, ssl.TLSVersion[version.replace(".", "_")])
    context.set_alpn_protocols(["postgresql"])  # which a server wants that is spoken to in TLS at once
    return context


class _PoolerBetweenError(DatabaseUnavailable):
    """A connection has no session of its own: what it sets or prepares, another client may meet next."""


async def _begin_session(settings: Mapping[str, str], connection: Any) -> None:
    """Set what holds for all that a connection does. Raises `_PoolerBetweenError` where nothing would stay.

    Not as parameters of its start, of which PgBouncer refuses those it does not know. It is one statement
    with what `has_pooler` asks, so that nothing is set on a session that is not ours.
    """
    given = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
    mine = f"pg_backend_pid() = {int(connection.get_server_pid())}"
    if await connection.execute(f"SELECT {given} WHERE {mine}") == "SELECT 0":
        raise _PoolerBetweenError("a pooler stands where a server did: start PingPilot anew")


class _PooledConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection to a pooler: each transaction begins with what a session would keep."""

    session: ClassVar[Mapping[str, str]]

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if query.startswith("BEGIN"):  # as asyncpg's transactions do: no further way to the server and back
            query += "".join(f"SET LOCAL {name} = '{value}';" for name, value in self.session.items())
        return str(await super().execute(query, *args, timeout=timeout))


def _time_limits(patience: float | None) -> dict[str, str]:
    """Return PostgreSQL's own limits, in milliseconds.

    They come a little before ours, so that an answer says what took so long and the connection stays. A
    process that is stopped in the middle of a transaction, or cut off, keeps its locks for as long only.
    """
    if patience is None:
        return {"lock_timeout": f"{_LOCKED_FOR * 1000:.0f}"}
    locked_for = min(patience * 0.8, _LOCKED_FOR)
    return {
        "statement_timeout": f"{patience * 900:.0f}",
        "lock_timeout": f"{locked_for * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{patience * 900:.0f}",
    }


async def _keep_session(_connection: Any) -> None:
    """Spare asyncpg's reset of a released connection, a round trip: no statement here leaves a trace."""


class Client(AsyncpgDBClient):
    """A pool of connections to one database, which `dsn` names in place of Tortoise's own arguments.

    A call, or a whole transaction, that takes longer than `patience` seconds with its wait for a connection
    has that connection cut off: to cancel it instead would leave it in Tortoise's hands. None: no limit.
    `session` has the settings of PostgreSQL's that hold for all that is done.

    Where a pooler answers in the server's place, nothing is left to a session, since each transaction may
    be in another: no statement stays prepared, and one alone is a transaction as well.
    """

    def __init__(
        self, *, dsn: str, session: Mapping[str, str], patience: float | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self._dsn = dsn
        self._session = session
        self.patience = patience
        self.is_pooled = False

    async def create_pool(self, **kwargs: Any) -> Any:
        for name in ("host", "port", "user", "database"):
            del kwargs[name]
        try:
            return await self._new_pool(**kwargs)
        except asyncpg.InvalidCatalogNameError as exc:  # Tortoise would put words of its own in its place
            raise DatabaseUnavailable(f"{exc}: create it first, or name another one in the URL") from exc

    async def _new_pool(self, **kwargs: Any) -> Any:
        if not self.is_pooled:
            try:
                return await asyncpg.create_pool(
                    self._dsn, **kwargs, init=partial(_begin_session, self._session)
                )
            except _PoolerBetweenError:
                self.is_pooled = True
        pooled = type("PooledConnection", (_PooledConnection,), {"session": self._session})
        kwargs |= {"connection_class": pooled, "statement_cache_size": 0}
        return await asyncpg.create_pool(self._dsn, **kwargs)

    async def close(self) -> None:
        with our_errors():
            await super().close()

    async def _close(self) -> None:
        if self._pool:
            with suppress(TimeoutError):  # cut off then
                await asyncio.wait_for(self._pool.close(), _CLOSES_WITHIN)
            self._pool = None

    async def take(self) -> "Hold":
        """Return one of the pool's connections for one user; raises what asyncpg does, too."""
        began = asyncio.get_running_loop().time()
        if not self._pool:
            async with self._pool_init_lock:
                if not self._pool:
                    await self.create_connection(with_db=True)
        pool: Any = self._pool
        try:
            connection = await pool.acquire(timeout=self.patience)
        except TimeoutError as exc:
            raise no_answer_within(self.patience or 0) from exc
        return Hold(pool, connection, began=began, patience=self.patience)

    def acquire_connection(self) -> "_Turn":
        return _Turn(self, self._pool_init_lock)

    def _in_transaction(self) -> GuardedTransaction:
        transaction = _Transaction(_TransactionClient(self), self._pool_init_lock)
        return GuardedTransaction(transaction, our_errors)

    async def in_one_go(self, work: Work[T], *, apart: bool = False) -> T:
        """Return what `work` does, whose statements are a transaction, past Tortoise's wrappers.

        Where they are `apart`, each is one of its own; none is on a session that is not ours, whose settings
        begin with a transaction.
        """
        with our_errors():
            hold = await self.take()
            try:
                run = _run_apart if apart and not self.is_pooled else _run
                return await run(hold.connection, work)
            except BaseException as exc:
                hold.check(exc)
                raise
            finally:
                await hold.release()


async def _run(connection: Any, work: Work[T]) -> T:
    """Run a transaction; what `work` raises undoes it."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        asked = next(work)
        while True:
            asked = work.send(await _rows(connection, asked))
    except StopIteration as end:
        done: T = end.value
    except BaseException:
        with suppress(*_FAILURES):  # the server forgets the transaction of a connection that is gone
            await transaction.rollback()
        raise
    await _commit(transaction.commit)
    return done


async def _run_apart(connection: Any, work: Work[T]) -> T:
    """Run each statement as a transaction of its own."""
    asked = next(work)
    try:
        while True:
            asked = work.send(await _rows(connection, asked))
    except StopIteration as end:
        done: T = end.value
    except _NO_ANSWER as exc:
        if isinstance(asked, Ask | AskAll):
            raise
        raise CommitInDoubt(f"No answer to a statement: {type(exc).__name__}: {exc}") from exc
    return done


async def _rows(connection: Any, asked: Asked | AskAll) -> list[Any]:
    found: list[Any] = await connection.fetch(*statement(asked))
    if not isinstance(asked, AskAll):
        return found
    rows: list[Any] = [[] for _ in asked.asks]
    for place, row in found:
        rows[place].append(row)
    return rows


async def _commit(commit: Callable[[], Awaitable[None]]) -> None:
    try:
        await commit()
    except _NO_ANSWER as exc:
        raise CommitInDoubt(f"No answer to a commit: {type(exc).__name__}: {exc}") from exc


class Hold:
    """A connection in the hands of one user, until it is given back or the time is over."""

    def __init__(self, pool: Any, connection: Any, *, began: float, patience: float | None) -> None:
        self.connection = connection
        self._pool = pool
        self._patience = patience
        self._is_over = False
        loop = asyncio.get_running_loop()
        self._end = loop.call_at(began + patience, self._cut_off) if patience else None

    async def release(self) -> None:
        """Give the connection back."""
        if self._end:
            self._end.cancel()
        await self._pool.release(self.connection)

    def check(self, error: BaseException) -> None:
        """Raise `DatabaseUnavailable` with the reason, where the time was over or the connection is gone.

        asyncpg trips over one that goes while it is at work, in ways that are no errors of its own
        (`AttributeError: 'NoneType' object has no attribute 'bind_execute'`).
        """
        if isinstance(error, asyncpg.InternalClientError):
            self._terminate()  # of no use to the pool any more
        if isinstance(error, PingPilotError) or not isinstance(error, Exception):
            return
        is_known = isinstance(error, _FAILURES)
        if self._is_over and self._patience and (isinstance(error, _NO_ANSWER) or not is_known):
            raise no_answer_within(self._patience) from error
        if is_known:
            return
        try:
            is_lost = self.connection.is_closed()
        except asyncpg.InterfaceError:  # the pool has it back already
            is_lost = True
        if is_lost:
            raise DatabaseUnavailable(f"the connection was lost ({type(error).__name__}: {error})") from error

    def _cut_off(self) -> None:
        self._is_over = True
        self._terminate()

    def _terminate(self) -> None:
        with suppress(asyncpg.InterfaceError):  # it is closed already
            self.connection.terminate()


class _TransactionClient(TransactionWrapper):
    """A connection as those see it who are within its transaction."""

    def __init__(self, connection: AsyncpgDBClient, hold: Hold | None = None) -> None:
        super().__init__(connection)
        self.hold = hold

    @staticmethod
    def statements(asked: Asked) -> list[tuple[str, list[Any]]]:
        """Return what is asked as statements of PostgreSQL's."""
        sql, *values = statement(asked)
        return [(sql, values)]

    def acquire_connection(self) -> "_TurnWithin":
        return _TurnWithin(self._lock, self)

    def _in_transaction(self) -> GuardedTransaction:
        return GuardedTransaction(NestedTransactionContext(_TransactionClient(self, self.hold)), our_errors)


class _Turn(PoolConnectionWrapper[Any]):
    """One of the pool's connections, for one call."""

    client: Client
    _hold: Hold
    _transaction: Any = None

    async def __aenter__(self) -> Any:
        with our_errors():
            self._hold = await self.client.take()
        if self.client.is_pooled:
            transaction = self._hold.connection.transaction()
            try:
                await transaction.start()
            except BaseException as exc:
                await self.__aexit__(type(exc), exc, exc.__traceback__)  # which raises it as ours
                raise
            self._transaction = transaction
        return self._hold.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with our_errors():
            if transaction := self._transaction:
                try:
                    await (transaction.rollback if error else transaction.commit)()
                except BaseException as exc:  # noqa: BLE001  # raised below, once the connection is back
                    error = error or exc
            try:
                if error:
                    self._hold.check(error)
                    raise error
            finally:
                await self._hold.release()


class _TurnWithin(ConnectionWrapper[Any]):
    """The transaction's connection, for one call."""

    client: _TransactionClient

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if error:
            with our_errors():
                if self.client.hold:
                    self.client.hold.check(error)
                raise error


class _Transaction(TransactionContextPooled):
    """A transaction on a connection of the pool."""

    client: _TransactionClient
    _hold: Hold

    async def __aenter__(self) -> TransactionalDBClient:
        parent: Any = self.client._parent
        self._hold = self.client.hold = await parent.take()
        self.client._connection = self._hold.connection
        try:
            await self.client.begin()
        except BaseException as exc:
            await self._hold.release()  # Tortoise would keep it, until the pool had none left
            self._hold.check(exc)
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.client._finalized:
                return
            if error is None:
                await _commit(self.client.commit)
            else:
                with suppress(*_FAILURES):  # the server forgets the transaction of a connection that is gone
                    await self.client.rollback()
        finally:
            get_connections().reset(self.token)
            await self._hold.release()


client_class = Client
