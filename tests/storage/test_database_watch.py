"""The watch over the database: a piece of work that failed is told apart from a database that is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from models.database import connection
from pingpilot.storage.watch import ASKED_EVERY, DatabaseWatch
from tests.support.clock import ManualClock
from tests.support.waiting import until

FAILURE = OSError("It broke.")
GONE, BACK, FAILED = "The database is away or full", "The database is back", "Something failed"


@pytest.fixture
async def watch(database: str, clock: ManualClock) -> AsyncIterator[DatabaseWatch]:
    made = DatabaseWatch(clock=clock)
    yield made
    await made.close()


@asynccontextmanager
async def no_writes() -> AsyncIterator[None]:
    """Let the database answer questions, as one does whose disk is full, and refuse the watch's writes."""
    await connection().execute_script("ALTER TABLE facts RENAME TO facts_away")
    yield
    await connection().execute_script("ALTER TABLE facts_away RENAME TO facts")


async def test_a_failure_of_one_piece_of_work_is_logged_with_all_there_is_to_know(
    watch: DatabaseWatch,
) -> None:
    with capture_logs() as log:
        watch.failed(FAILURE, FAILED, delivery=17)
        await until(lambda: bool(log))
        is_well = await watch.is_well()

    assert is_well
    assert log == [{"event": FAILED, "log_level": "error", "exc_info": FAILURE, "delivery": 17}]


async def test_however_much_fails_while_the_database_is_away_the_log_says_so_once(
    watch: DatabaseWatch, clock: ManualClock
) -> None:
    with capture_logs() as log:
        async with no_writes():
            for _ in range(3):
                watch.failed(FAILURE, FAILED)
                is_well = await watch.is_well()
                clock.advance_seconds(ASKED_EVERY)

    assert not is_well
    assert [each["event"] for each in log] == [GONE]
    assert "facts" in log[0]["reason"]


async def test_the_watch_notices_by_itself_that_the_database_is_back(
    watch: DatabaseWatch, clock: ManualClock
) -> None:
    with capture_logs() as log:
        async with no_writes():
            watch.failed(FAILURE, FAILED)
            await until(lambda: len(log) == 1)
        clock.advance_seconds(ASKED_EVERY)
        await until(lambda: len(log) == 2)

    assert [each["event"] for each in log] == [GONE, BACK]


async def test_who_asks_learns_at_once_that_the_database_is_back(watch: DatabaseWatch) -> None:
    async with no_writes():
        watch.failed(FAILURE, FAILED)
        during = await watch.is_well()

    afterwards = await watch.is_well()

    assert (during, afterwards) == (False, True)


async def test_without_a_failure_nothing_is_written(watch: DatabaseWatch) -> None:
    async with no_writes():
        assert await watch.is_well()
