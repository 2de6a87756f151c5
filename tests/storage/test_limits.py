"""A database that does not answer, or whose file is taken away: every call comes to an end, in time."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from models import Fact
from models.backends import asyncpg as backend
from models.database import answers, migrate, open_database, transaction, unit_of_work
from pingpilot.clock import SystemClock
from pingpilot.errors import DatabaseUnavailable
from pingpilot.storage.watch import DatabaseWatch
from tests.support.databases import PostgresCopies, locked, taken_away
from tests.support.waiting import comes_true, eventually, until

PATIENCE = 0.5
IN_TIME = 10.0  # seconds, on a machine that is busy: far less than one wait after the other would take
CALLERS = 40


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[str]:
    """A database of each kind that is given half a second; returns its URL."""
    async with open_database(database_url, patience=PATIENCE):
        yield database_url


@asynccontextmanager
async def busy(url: str) -> AsyncIterator[None]:
    """Let another program hold the lock on what is to be written."""
    if url.startswith("sqlite"):
        with locked(url):
            yield
        return
    other = await asyncpg.connect(url)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE events, facts IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await other.close()


@unit_of_work
async def write_in_a_transaction() -> None:
    async with transaction():
        await Fact.create(name="in a transaction", value="")


async def outcome_of(call: Awaitable[object]) -> str:
    try:
        await call
    except DatabaseUnavailable as exc:
        return type(exc).__name__
    return "done"


async def is_used_again() -> None:
    """Return once each kind of call goes through: a busy machine may take half a second for one."""

    async def outcomes() -> set[str]:
        return {
            await outcome_of(call) for call in (Fact.write_probe(1000), write_in_a_transaction(), answers())
        }

    await eventually(outcomes, {"done"})


async def test_all_who_find_the_database_locked_give_up_at_the_same_time(impatient: str) -> None:
    async with busy(impatient), asyncio.timeout(IN_TIME):
        calls = [Fact.write_probe(1000) for _ in range(CALLERS)]
        outcomes = await asyncio.gather(*map(outcome_of, [*calls, write_in_a_transaction(), answers()]))

    assert set(outcomes) == {"DatabaseUnavailable"}
    await is_used_again()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("table", ["accounts", "api_keys", "destinations", "categories", "monthly_usage"])
async def test_a_table_that_an_event_needs_is_away_until_its_lock_is(impatient: str, table: str) -> None:
    watch = DatabaseWatch(clock=SystemClock())
    other = await asyncpg.connect(impatient)
    try:
        async with other.transaction():
            await other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            while_locked = [await watch.is_well() for _ in range(3)]  # the later ones look into it
    finally:
        await other.close()
    await comes_true(watch.is_well, "the database to be back")
    await watch.close()

    assert while_locked == [False] * 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_reads_go_on_while_another_program_keeps_the_file_locked(impatient: str) -> None:
    await Fact.keep("colour", "blue")

    async with busy(impatient):
        waiting = asyncio.create_task(outcome_of(Fact.write_probe(1000)))
        await asyncio.sleep(0)
        values = [await Fact.read("colour") for _ in range(3)]
        was_waiting = not waiting.done()
        await waiting

    assert values == ["blue"] * 3
    assert was_waiting


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_short_lock_is_waited_for(impatient: str) -> None:
    with locked(impatient):
        writing = asyncio.ensure_future(Fact.write_probe(1000))
        await asyncio.sleep(PATIENCE / 10)

    await writing


async def test_a_frozen_postgres_is_told_in_time_and_used_again(
    postgres_copies: PostgresCopies, tmp_path: Path
) -> None:
    url = postgres_copies.new(tmp_path)
    async with open_database(url, patience=PATIENCE):
        async with asyncio.timeout(IN_TIME):
            with postgres_copies.frozen():
                calls = [Fact.write_probe(1000) for _ in range(CALLERS)]
                frozen = await asyncio.gather(*map(outcome_of, [*calls, write_in_a_transaction()]))

        await is_used_again()

    assert set(frozen) == {"DatabaseUnavailable"}
    postgres_copies.drop(url)


async def test_a_postgres_that_freezes_during_a_migration_is_told(
    postgres_copies: PostgresCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_ALIVE_WITHIN", PATIENCE)
    url = postgres_copies.new_empty()
    other = await asyncpg.connect(url)
    others = asyncio.all_tasks()
    async with other.transaction():
        await other.execute("CREATE TABLE accounts ()")  # the migration waits for what becomes of it
        migrating = asyncio.create_task(outcome_of(migrate(url)))
        await eventually(partial(other.fetchval, "SELECT count(*) FROM pg_locks WHERE NOT granted"), 1)
        with postgres_copies.frozen():
            async with asyncio.timeout(IN_TIME * 2):
                outcome = await migrating
    await other.close()
    await until(lambda: asyncio.all_tasks() == others)  # where no process ends, what was cut off goes on

    assert outcome == "DatabaseUnavailable"


async def test_a_commit_without_an_answer_is_in_doubt(
    postgres_copies: PostgresCopies, tmp_path: Path
) -> None:
    @unit_of_work
    async def commit_frozen() -> None:
        async with transaction():
            await Fact.create(name="in doubt", value="")
            until_the_end.enter_context(postgres_copies.frozen())

    url = postgres_copies.new(tmp_path)
    async with open_database(url, patience=PATIENCE):
        with ExitStack() as until_the_end:
            outcome = await outcome_of(commit_frozen())
    postgres_copies.drop(url)

    assert outcome == "CommitInDoubt"


async def test_a_pipe_in_the_place_of_a_migrations_lock_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "new.sqlite3.migrate-lock")

    assert await outcome_of(migrate(f"sqlite://{tmp_path / 'new.sqlite3'}")) == "DatabaseUnavailable"


@contextmanager
def no_file_descriptors() -> Iterator[None]:
    """Let this process open no more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
    held = []
    try:
        try:
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        yield
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_daemon_that_is_open_needs_no_more_files_for_its_first_read(sqlite: str) -> None:
    with no_file_descriptors():
        assert await Fact.read("anything") is None


async def test_a_database_that_cannot_be_opened_leaves_nothing_locked(sqlite_url: str) -> None:
    with no_file_descriptors(), pytest.raises(DatabaseUnavailable, match="unable to open database file"):
        async with asyncio.timeout(IN_TIME), open_database(sqlite_url):
            pass

    async with open_database(sqlite_url):
        await answers()


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("file", ["", "-wal", "-shm"])
async def test_a_file_that_was_taken_away_is_not_written_until_it_is_back(
    sqlite: str, file: str, replaced: bool
) -> None:
    await Fact.keep("colour", "blue")
    with taken_away(sqlite, file=file, replaced=replaced):
        for call in (Fact.write_probe(1000), write_in_a_transaction(), answers(), Fact.read("colour")):
            with pytest.raises(DatabaseUnavailable, match="was deleted or replaced while it was in use"):
                await call

    await Fact.write_probe(1000)
    assert await Fact.read("colour") == "blue"


async def test_a_file_taken_away_during_a_transaction_leaves_its_commit_in_doubt(sqlite: str) -> None:
    async def write() -> None:
        async with transaction():
            await Fact.create(name="in doubt", value="")
            until_the_end.enter_context(taken_away(sqlite))

    with ExitStack() as until_the_end:
        outcome = await outcome_of(write())

    assert outcome == "CommitInDoubt"
