"""A transaction in one go: without a sync where its loss does no harm, and within another one."""

import pytest

from models import Fact
from models.database import connection, in_one_go, transaction, unit_of_work, within
from models.sql import is_postgres
from models.work import Ask, Insert, Work
from pingpilot.errors import DatabaseUnavailable

SYNCED = ("on", 2)  # PostgreSQL's word and SQLite's
NOTE = Insert("facts", ("name", "value"), [("one", "1"), ("two", "2")])


def noting(what: Insert = NOTE) -> Work[int]:
    """Store something; return how many rows there are of it."""
    yield what
    [row] = yield Ask("SELECT COUNT(*) AS count FROM facts WHERE name = ANY(?)", [["one", "two"]])
    count: int = row["count"]
    return count


def level() -> Work[object]:
    """Return how the transaction's commit will be synced."""
    asked = Ask("SHOW synchronous_commit" if is_postgres(connection()) else "PRAGMA synchronous")

    def reading() -> Work[object]:
        [row] = yield asked
        return row[0]

    return reading()


def failing() -> Work[None]:
    yield NOTE
    yield Ask("SELECT * FROM no_such_table")


@pytest.mark.usefixtures("database")
async def test_only_what_may_be_lost_with_this_process_is_not_synced() -> None:
    levels = [
        await in_one_go(level()),
        await in_one_go(level(), durable=False),
        await in_one_go(level()),
    ]

    with pytest.raises(DatabaseUnavailable):
        await in_one_go(failing(), durable=False)

    outlives_us = is_postgres(connection())
    assert [each in SYNCED for each in levels] == [True, outlives_us, True]
    assert await in_one_go(level()) in SYNCED
    assert await Fact.all().count() == 0


@pytest.mark.usefixtures("database")
async def test_work_within_a_transaction_is_undone_with_it() -> None:
    @unit_of_work
    async def note_and_fail() -> None:
        async with transaction():
            counts.append(await within(noting()))
            raise LookupError

    counts = list[int]()
    with pytest.raises(LookupError):
        await note_and_fail()

    assert counts == [2]
    assert await Fact.all().count() == 0
    assert await in_one_go(noting()) == 2
