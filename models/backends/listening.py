"""A session of its own on PostgreSQL, which hears notifications and sends them (LISTEN and NOTIFY).

Loaded where the database is PostgreSQL, by `pingpilot/cluster/news.py` alone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from models.backends.asyncpg import _how_to_connect, our_errors
from models.backends.errors import no_answer_within
from pingpilot.errors import DatabaseUnavailable

T = TypeVar("T")

APPLICATION = "pingpilot news"
"""What such a session is called in `pg_stat_activity`."""
# A notification is no truth, and its commit is one of its own: it waits for no disk
_BEGIN = f"SET application_name = '{APPLICATION}'; SET synchronous_commit = off"
_CHECK = "SELECT pg_backend_pid(), $1 = ANY (ARRAY(SELECT pg_listening_channels()))"
_NOT_OURS = (
    "a pooler gives each transaction another session, and none hears what is told: set "
    "PINGPILOT_DATABASE_DIRECT_URL to the server's own address"
)


class Listening:
    """A connection that listens to one channel, in autocommit. With the first trouble it has ended.

    An answer that takes longer than `patience` seconds ends it, too.
    """

    def __init__(self, connection: Any, *, channel: str, patience: float) -> None:
        self._connection = connection
        self._channel = channel
        self._patience = patience

    @property
    def has_ended(self) -> bool:
        return bool(self._connection.is_closed())

    async def begin(self, on_payload: Callable[[str], None], on_end: Callable[[], None]) -> None:
        """Listen: `on_payload` gets what other sessions tell, `on_end` is called at the connection's end."""

        def take(_connection: Any, pid: int, _channel: str, payload: str) -> None:
            if pid != own:
                on_payload(payload)

        self._connection.add_termination_listener(lambda _: on_end())
        await self._within_patience(self._connection.execute(_BEGIN))
        own = await self.check(listens=False)
        await self._within_patience(self._connection.add_listener(self._channel, take))
        await self.check()

    async def notify(self, payload: str) -> None:
        """Tell all who listen, in a transaction of its own. Raises `DatabaseUnavailable`.

        A payload has less than 8,000 bytes (https://www.postgresql.org/docs/current/sql-notify.html).
        """
        await self._within_patience(
            self._connection.execute("SELECT pg_notify($1, $2)", self._channel, payload)
        )

    async def check(self, *, listens: bool = True) -> int:
        """Return the number of the server's process; raise `DatabaseUnavailable` where it doesn't listen."""
        row = await self._within_patience(self._connection.fetchrow(_CHECK, self._channel))
        pid, is_listening = row
        if listens and not is_listening:
            raise DatabaseUnavailable(_NOT_OURS)
        return int(pid)

    async def _within_patience(self, answer: Awaitable[T]) -> T:
        """Await the server's answer. It is cut off from below: a cancelled query would ask the server for
        its end on a connection of its own, and wait for that.
        """
        end = asyncio.get_running_loop().call_later(self._patience, self._connection.terminate)
        try:
            with our_errors():
                return await answer
        except DatabaseUnavailable as exc:
            if asyncio.get_running_loop().time() >= end.when():
                raise no_answer_within(self._patience) from exc
            raise
        finally:
            end.cancel()


@asynccontextmanager
async def listening(
    url: str,
    channel: str,
    *,
    on_payload: Callable[[str], None],
    on_end: Callable[[], None],
    patience: float,
) -> AsyncIterator[Listening]:
    """Open a connection past the pool that listens, until the block ends. Raises `DatabaseUnavailable`."""
    with our_errors():
        connection = await asyncpg.connect(**_how_to_connect(url))
    try:
        session = Listening(connection, channel=channel, patience=patience)
        await session.begin(on_payload, on_end)
        yield session
    finally:
        connection.terminate()
