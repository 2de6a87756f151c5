"""A database that stands still, or is taken away, under a running daemon: answers in time, an end in time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.support.daemon import Answer, Daemon, a_daemon
from tests.support.databases import PostgresCopies, locked, taken_away
from tests.support.waiting import until

POSTS = 20
ANSWERED_WITHIN = 10.0  # seconds, whatever happens
STOPS_WITHIN = 14.0  # seconds: the grace of ten, and a little
EVENT = {"category": "bug"}
GONE = "was deleted or replaced while it was in use"


async def timed(call: Awaitable[Answer]) -> tuple[Answer, float]:
    began = time.monotonic()
    return await call, time.monotonic() - began


async def stall(daemon: Daemon, key: str, stalled: Callable[[], AbstractContextManager[None]]) -> Answer:
    """Stall the database, and stop the daemon while it is; return what a read was answered meanwhile."""
    with stalled():
        began = time.monotonic()
        posting = [asyncio.create_task(timed(daemon.post(key, EVENT))) for _ in range(POSTS)]
        read = await daemon.get("/api/v1/quota", key=key)
        posts = await asyncio.gather(*posting)
        ready = await daemon.get("/readyz")
        asked = time.monotonic()
        code = await daemon.stop()
        stopped = time.monotonic()
    longest = max(seconds for _, seconds in posts)
    print(f"answers within {longest:.1f} s, all in {asked - began:.1f} s, stop {stopped - asked:.1f} s")  # noqa: T201
    assert {(answer.status, answer.body["code"]) for answer, _ in posts} == {(500, "processing_failed")}
    assert longest < ANSWERED_WITHIN
    assert (ready.status, ready.body["parts"]["database"]) == (503, "down")
    assert code == 0
    assert stopped - asked < STOPS_WITHIN
    assert daemon.log.count("The database is away or full") == 1
    assert "Traceback" not in daemon.log
    return read


async def test_a_frozen_postgres_leaves_nobody_without_an_answer(
    own_postgres: PostgresCopies, tmp_path: Path
) -> None:
    url = own_postgres.new(tmp_path)
    async with a_daemon({}, database_url=url, folder=tmp_path) as daemon:
        await daemon.start()
        key = await daemon.create_account("alice@example.com", channels=[])

        await stall(daemon, key, own_postgres.frozen)


async def test_a_file_that_another_program_locks_is_read_all_the_same(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with a_daemon({}, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        key = await daemon.create_account("alice@example.com", channels=[])

        read = await stall(daemon, key, lambda: locked(sqlite_url))

    assert read.status == 200


async def test_a_file_that_was_deleted_is_noticed_and_takes_no_event_until_it_is_back(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with a_daemon({}, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        key = await daemon.create_account("alice@example.com", channels=[])

        with taken_away(sqlite_url):
            await until(lambda: GONE in daemon.log)  # although nobody asks for anything
            refused = await daemon.post(key, EVENT)
            ready = await daemon.get("/readyz")
        await daemon.wait_for_part("database", "up")
        afterwards = await daemon.post(key, EVENT)
        await daemon.stop()

    assert (refused.status, refused.body["code"], ready.status) == (500, "processing_failed", 503)
    assert afterwards.status == 200
    assert daemon.log.count(GONE) == 1
    assert "Traceback" not in daemon.log
