"""Whatever a database raises reaches its callers as one of our errors, and leaves nobody waiting."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tortoise import Tortoise
from tortoise.exceptions import DoesNotExist

from models import Account, Destination, Plan
from models.backends.errors import IntegrityConflict
from models.database import connect_models, connection, transaction
from models.sql import query
from pingpilot.errors import DatabaseUnavailable
from tests.support.databases import PostgresCopies

AT = datetime(2026, 1, 31, tzinfo=UTC)
Call = Callable[[], Awaitable[object]]


async def by_the_models() -> None:
    await Account.all().count()


async def by_sql() -> None:
    await query(connection(), "SELECT 1")


async def in_a_transaction() -> None:
    async with transaction() as own:
        await query(own, "SELECT 1")


async def add_account() -> Account:
    return await Account.create(email="a@example.com", plan=Plan.FREE, time_zone="UTC", created_at=AT)


@asynccontextmanager
async def not_yet_open(url: str) -> AsyncIterator[None]:
    """Let the first call connect, which `open_database` does before there are any."""
    await connect_models(url)
    try:
        yield
    finally:
        await Tortoise.close_connections()


@pytest.fixture(params=["folder", "text"])
def unusable(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A SQLite URL whose path is something else than a database."""
    if request.param == "folder":
        return f"sqlite://{tmp_path}"
    file = tmp_path / "notes.txt"
    file.write_text("This is not a database. " * 100)
    return f"sqlite://{file}"


@pytest.mark.parametrize("call", [by_the_models, by_sql, in_a_transaction])
async def test_a_file_that_is_no_database_fails_each_call_at_once(unusable: str, call: Call) -> None:
    async with not_yet_open(unusable):
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match=r"^(Operational|Database)Error: "):
                async with asyncio.timeout(10):
                    await call()


@pytest.mark.parametrize("call", [by_the_models, by_sql, in_a_transaction])
async def test_a_server_that_is_away_fails_each_call_at_once(call: Call) -> None:
    async with not_yet_open("postgres://somebody:a-password@127.0.0.1:1/pingpilot"):
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match=r"^ConnectionRefusedError: .+, at 127.0.0.1:1$"):
                async with asyncio.timeout(10):
                    await call()


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            "%2Fno%20such%2Ffolder",
            "FileNotFoundError: [Errno 2] No such file or directory, at /no such/folder",
        ),
        ("nobody.invalid:5433", ", at nobody.invalid:5433"),
    ],
)
@pytest.mark.parametrize("call", [by_the_models, by_sql, in_a_transaction])
async def test_a_server_to_which_no_way_leads_is_named_without_its_password(
    call: Call, host: str, said: str
) -> None:
    async with not_yet_open(f"postgres://somebody:a-password@{host}/pingpilot"):
        with pytest.raises(DatabaseUnavailable) as failure:
            await call()

    assert str(failure.value).endswith(said)
    assert "a-password" not in str(failure.value)


@pytest.mark.parametrize("call", [by_the_models, by_sql, in_a_transaction])
async def test_a_database_that_is_not_there_is_named(
    postgres_copies: PostgresCopies, tmp_path: Path, call: Call
) -> None:
    there = postgres_copies.new(tmp_path)
    async with not_yet_open(re.sub(r"/test_\d+", "/nowhere", there)):
        with pytest.raises(DatabaseUnavailable, match=r'^database "nowhere" does not exist: create it first'):
            await call()
    postgres_copies.drop(there)


@pytest.mark.usefixtures("database")
async def test_what_can_not_be_done_is_told_with_the_words_of_the_database() -> None:
    with pytest.raises(DatabaseUnavailable, match="nowhere") as failure:
        await query(connection(), "SELECT * FROM nowhere")

    assert failure.value.__cause__ is not None


@pytest.mark.usefixtures("database")
async def test_a_row_that_is_not_there_is_no_outage() -> None:
    with pytest.raises(DoesNotExist) as failure:
        await Account.get(id=1)

    assert not isinstance(failure.value, DatabaseUnavailable)


@pytest.mark.usefixtures("database")
async def test_a_row_that_is_there_already_is_a_conflict_and_no_outage() -> None:
    await add_account()

    with pytest.raises(IntegrityConflict) as failure:
        await add_account()

    assert not isinstance(failure.value, DatabaseUnavailable)
    assert await Account.all().count() == 1


@pytest.mark.usefixtures("database")
async def test_what_fails_within_a_transaction_but_not_in_the_database_stays_what_it_is() -> None:
    async def work() -> None:
        async with transaction():
            await add_account()
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await work()

    assert await Account.all().count() == 0


@pytest.mark.usefixtures("database")
async def test_a_transaction_within_another_fails_with_our_errors_too() -> None:
    async with transaction():
        await add_account()
        with pytest.raises(DatabaseUnavailable):
            async with transaction() as inner:
                await query(inner, "SELECT * FROM nowhere")

    assert await Account.all().count() == 1


async def test_a_connection_whose_pragmas_failed_is_not_used(sqlite_url: str) -> None:
    """Otherwise commits would not wait for the disk."""
    path = sqlite_url.removeprefix("sqlite://")
    other = sqlite3.connect(path)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN EXCLUSIVE")
    async with not_yet_open(sqlite_url):
        with pytest.raises(DatabaseUnavailable, match="locked"):
            await by_sql()
        other.rollback()
        other.close()

        [row] = await query(connection(), "PRAGMA journal_mode")
        [keys] = await query(connection(), "PRAGMA foreign_keys")

    assert (row["journal_mode"], keys["foreign_keys"]) == ("wal", 1)


@pytest.mark.usefixtures("sqlite")
async def test_what_could_not_be_committed_is_not_committed_with_what_comes_next() -> None:
    async def work() -> None:
        async with transaction() as own:
            await add_account()
            await query(own, "PRAGMA defer_foreign_keys = ON")  # asks for the account at the end alone
            await Destination.create(
                account_id=999, channel="email", kind="direct", name="email", enabled=True
            )

    with pytest.raises(IntegrityConflict):
        await work()
    async with transaction() as own:
        await query(own, "SELECT 1")

    assert (await Account.all().count(), await Destination.all().count()) == (0, 0)
