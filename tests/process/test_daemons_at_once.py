"""Several daemons on one PostgreSQL behind a pooler, from their very first start on."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from api.resources.health import DATABASE_MARK
from models.backends.listening import APPLICATION
from models.database import connection, open_database
from models.sql import query
from tests.support.crowd import linked_accounts
from tests.support.daemon import a_daemon
from tests.support.databases import PostgresCopies
from tests.support.pgbouncer import a_pgbouncer
from tests.support.platforms import Platforms

LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = ?"


EVENTS = 4


async def test_three_that_start_at_once_on_an_empty_database_make_it_once_and_all_work(
    platforms: Platforms, postgres_copies: PostgresCopies, tmp_path: Path
) -> None:
    direct = postgres_copies.new_empty()
    settings = {**platforms.settings, "PINGPILOT_DATABASE_DIRECT_URL": direct}
    async with AsyncExitStack() as stack:
        server = parse_qs(urlsplit(direct).query)["host"][0]
        through = await stack.enter_async_context(a_pgbouncer(server, tmp_path, pool_size=4))
        daemons = []
        for number in range(3):
            (folder := tmp_path / str(number)).mkdir()
            made = a_daemon(settings, database_url=through(direct), folder=folder)
            daemons.append(await stack.enter_async_context(made))
        await asyncio.gather(*(each.start() for each in daemons))
        marks = {(await each.get("/readyz")).headers[DATABASE_MARK] for each in daemons}
        keys = await linked_accounts(direct, platforms)
        posts = [
            each.post(keys[number], {"category": "sale"}, prefer="wait=20")
            for number in range(EVENTS)
            for each in daemons
        ]
        answers = await asyncio.gather(*posts)
        async with open_database(direct):
            listening = await query(connection(), LISTENING, [APPLICATION])
        codes = await asyncio.gather(*(each.stop() for each in daemons))
    postgres_copies.drop(direct)

    assert len(marks) == 1
    assert {(each.status, each.body["deliveryStatus"]) for each in answers} == {(200, "DELIVERED")}
    assert len(platforms.telegram.messages) == len(platforms.discord.messages) == len(answers)
    assert (platforms.telegram.conflicts, platforms.discord.takeovers) == ([], [])
    assert listening == [{"count": len(daemons)}]
    assert codes == [0, 0, 0]
    assert "warning" not in "".join(each.log for each in daemons)
