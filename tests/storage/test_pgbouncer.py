"""PgBouncer in transaction mode: each transaction is on whichever of a few connections is free."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from models import Fact
from models.backends.asyncpg import migration_lock
from models.backends.errors import IntegrityConflict
from models.database import (
    connection,
    in_one_go,
    is_current,
    migrate,
    open_database,
    transaction,
    unit_of_work,
)
from models.sql import query
from models.work import Ask, Insert, Work
from pingpilot.errors import DatabaseUnavailable
from tests.support.databases import PostgresCopies
from tests.support.pgbouncer import a_pgbouncer

AT_ONCE = 12
SETTINGS = "SELECT current_setting('synchronous_commit') || current_setting('statement_timeout') AS it"


@pytest.fixture
def direct(postgres_copies: PostgresCopies, tmp_path: Path) -> Iterator[str]:
    """The way past the pooler."""
    url = postgres_copies.new(tmp_path)
    yield url
    postgres_copies.drop(url)


@pytest.fixture
async def through(direct: str, tmp_path: Path) -> AsyncIterator[Callable[[str], str]]:
    """A pooler with two connections to the server: what makes a URL go through it."""
    async with a_pgbouncer(parse_qs(urlsplit(direct).query)["host"][0], tmp_path) as through:
        yield through


@pytest.fixture
def pooled(direct: str, through: Callable[[str], str]) -> str:
    """The same database through the pooler."""
    return through(direct)


async def alone() -> str:
    [row] = await query(connection(), SETTINGS)
    return str(row["it"])


@unit_of_work
async def within_a_transaction() -> str:
    async with transaction() as database:
        return str((await database.execute_query_dict(SETTINGS))[0]["it"])


def asking() -> Work[str]:
    [row] = yield Ask(SETTINGS)
    return str(row["it"])


async def test_what_a_session_would_keep_holds_for_each_statement_and_for_nobody_else(
    direct: str, pooled: str
) -> None:
    server = await asyncpg.connect(direct)
    database = urlsplit(direct).path[1:]
    await server.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    async with open_database(pooled, patience=10):
        asked = [
            each for _ in range(AT_ONCE) for each in (alone(), within_a_transaction(), in_one_go(asking()))
        ]
        seen = await asyncio.gather(*asked)
    another = await asyncpg.connect(pooled, statement_cache_size=0)
    seen_by_another = await another.fetchval(SETTINGS)
    await another.close()
    await server.execute(f"ALTER DATABASE {database} RESET synchronous_commit")
    await server.close()

    assert set(seen) == {"on9s"}
    assert seen_by_another == "off0"


async def test_statements_with_values_are_nobodys_to_keep(pooled: str) -> None:
    async def note(number: int) -> None:
        await Fact.keep(f"number {number % 3}", str(number))
        await in_one_go(noting(number))
        assert await Fact.read(f"one {number}") == await Fact.read(f"two {number}") == str(number)

    def noting(number: int) -> Work[None]:
        rows = [(f"one {number}", str(number)), (f"two {number}", str(number))]
        yield Insert("facts", ("name", "value"), rows)
        yield Ask("SELECT value FROM facts WHERE name = ANY(?)", [["one", "two"]])

    async with open_database(pooled):
        await asyncio.gather(*map(note, range(AT_ONCE)))
        counted = await Fact.all().count()
        async with transaction():
            await Fact.get_or_create(name="nested", defaults={"value": "a savepoint"})
        await Fact.bulk_create([Fact(name=f"many {number}", value="") for number in range(3)])

    assert counted == 3 + 2 * AT_ONCE


async def test_what_failed_or_was_cut_off_leaves_nothing_open(pooled: str) -> None:
    async with open_database(pooled, patience=0.5):
        await Fact.create(name="colour", value="blue")
        for _ in range(2):
            with pytest.raises(IntegrityConflict):
                await Fact.create(name="colour", value="red")
            with pytest.raises(DatabaseUnavailable):
                await query(connection(), "SELECT pg_sleep(5)")
        cancelled = asyncio.create_task(query(connection(), "SELECT pg_sleep(5)"))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
    async with open_database(pooled):
        values = await asyncio.gather(*(Fact.read("colour") for _ in range(AT_ONCE)))
        [row] = await query(
            connection(),
            "SELECT count(*) AS open FROM pg_stat_activity WHERE datname = current_database() "
            "AND state LIKE 'idle in transaction%'",
        )

    assert (set(values), row["open"]) == ({"blue"}, 0)


async def test_one_migrates_while_others_wait_without_a_connection_to_the_server(
    through: Callable[[str], str], postgres_copies: PostgresCopies
) -> None:
    url = through(postgres_copies.new_empty())

    async with AsyncExitStack() as stack, asyncio.timeout(30):
        first, *others = [await stack.enter_async_context(migration_lock(url)) for _ in range(3)]
        tried = [await try_to_lock() for try_to_lock in (first, *others, first)]
    await migrate(url)

    assert tried == [True, False, False, True]
    assert await is_current(url)
