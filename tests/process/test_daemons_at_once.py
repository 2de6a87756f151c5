"""Several daemons on one PostgreSQL behind a pooler, from their very first start on."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from api.resources.health import DATABASE_MARK
from models.backends.listening import APPLICATION
from models.database import connection, open_database
from models.sql import query
from tests.support.crowd import linked_accounts
from tests.support.daemon import Daemon, a_daemon
from tests.support.databases import PostgresCopies
from tests.support.pgbouncer import a_pgbouncer
from tests.support.platforms import Platforms
from tests.support.waiting import eventually

LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = ?"


EVENTS = 4


Agreement = tuple[Mapping[str, int], int] | None


async def agreement(daemons: Sequence[Daemon]) -> Agreement:
    """Return how many daemons lead each bot, as each tells of itself, and how many they know to live.

    None where they contradict each other, or a part works on another daemon than its bot's leader.
    """
    told = [(await each.get("/readyz")).body for each in daemons]
    leading = [(await each.metrics()).by_label("pingpilot_leader", "bot") for each in daemons]
    leaders = {each["bot"]: each["daemon"] for each in told[0]["leaders"]}
    alive = {each["id"] for each in told[0]["daemons"] if each["alive"]}
    for body, own in zip(told, leading, strict=True):
        [me] = [each["id"] for each in body["daemons"] if each["answering"]]
        led = {bot for bot, leader in leaders.items() if leader == me}
        working = {bot for bot in leaders if body["parts"][bot.partition(":")[0]] == "up"}
        same = body["leaders"] == told[0]["leaders"] and alive == {each["id"] for each in body["daemons"]}
        if not same or not led == working == {bot for (bot,), value in own.items() if value}:
            return None
    counts = Counter(bot.partition(":")[0] for own in leading for (bot,), value in own.items() if value)
    return counts, len(alive)


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
        of_the_start = "".join(each.log for each in daemons)
        marks = {(await each.get("/readyz")).headers[DATABASE_MARK] for each in daemons}
        keys = await linked_accounts(direct, platforms, EVENTS)
        posts = [
            each.post(keys[number], {"category": "sale"}, prefer="wait=20")
            for number in range(EVENTS)
            for each in daemons
        ]
        answers = await asyncio.gather(*posts)
        one_each: Agreement = ({"discord": 1, "telegram": 1}, 3)
        await eventually(lambda: agreement(daemons), one_each)
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
    assert "warning" not in of_the_start  # later, a busy machine may cost one its lead, and is told so
    assert "[error" not in "".join(each.log for each in daemons)
