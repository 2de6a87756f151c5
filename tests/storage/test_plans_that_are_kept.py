"""What PostgreSQL planned while a table was empty is kept by a session, and has to stay right."""

from pathlib import Path

import asyncpg

from models.database import open_database
from pingpilot.clock import SystemClock
from tests.support.accounts import new_account
from tests.support.databases import PostgresCopies
from tests.support.events import accept

EVENTS = 60


async def test_events_are_not_gone_through_for_each_delivery_where_there_were_none(
    postgres_copies: PostgresCopies, tmp_path: Path
) -> None:
    url, clock = postgres_copies.new(tmp_path), SystemClock()
    await _fetch(url, "VACUUM ANALYZE")
    await _fetch(url, "SELECT pg_stat_reset()")  # another test may have had this database before

    async with open_database(url):
        account = await new_account(clock, "ada@example.com", channels=["email"])
        for _ in range(EVENTS // 20):
            await accept(account, clock, *["sale"] * 20)

    [row] = await _fetch(
        url, "SELECT seq_tup_read, n_tup_ins FROM pg_stat_user_tables WHERE relname = 'events'"
    )
    postgres_copies.drop(url)
    assert row["n_tup_ins"] == EVENTS
    assert row["seq_tup_read"] < EVENTS


async def _fetch(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql))
    finally:
        await connection.close()
