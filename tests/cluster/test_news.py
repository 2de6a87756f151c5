"""What daemons tell each other over PostgreSQL, whatever becomes of the connection."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from models.backends.listening import APPLICATION
from pingpilot.channels import CHANNELS
from pingpilot.cluster.news import (
    CHANNEL,
    MOST_ACCOUNTS,
    MOST_EVENTS,
    MOST_KEPT,
    Bulletin,
    PostgresNews,
    Silence,
    news_of,
)
from tests.support.waiting import until

EVENT = UUID("019ac3f2-7b1c-7d52-8e0a-0123456789ab")
LARGEST = 2**63 - 1
FORGED = (
    "",
    "not json",
    "[" * 7999,
    '{"accounts":' + "[" * 7000,
    "[1,2]",
    "null",
    '{"accounts":[-1]}',
    f'{{"accounts":[{2**63}]}}',
    '{"accounts":["7"]}',
    '{"accounts":[1.5]}',
    '{"events":["019ac3f2"]}',
    '{"events":[7]}',
    '{"channels":"email"}',
    json.dumps({"channels": ["x" * 65]}),
    json.dumps({"channels": [f"channel {number}" for number in range(65)]}),
    '{"channels":["email"],"accounts":[true]}',
    '{"every_account":"yes"}',
    "{}",
    '{"accounts":[]}',
)
_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()"


class Reader:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.bulletins: list[Bulletin] = []
        self.caught_up = 0

    def hear(self, bulletin: Bulletin) -> None:
        self.bulletins.append(bulletin)

    def catch_up(self) -> None:
        self.caught_up += 1

    @property
    def channels(self) -> set[str]:
        return {each for bulletin in self.bulletins for each in bulletin.channels}

    @property
    def accounts(self) -> set[int]:
        return {each for bulletin in self.bulletins for each in bulletin.accounts}

    @property
    def events(self) -> set[UUID]:
        return {each for bulletin in self.bulletins for each in bulletin.events}


@asynccontextmanager
async def reading(news: PostgresNews) -> AsyncIterator[Reader]:
    """Have somebody hear the news, who listens already."""
    reader = Reader()
    task = asyncio.create_task(news.run(reader))
    try:
        await until(lambda: reader.caught_up == 1)
        yield reader
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def outsider(postgres: str) -> AsyncIterator[asyncpg.Connection]:
    """Another program that may connect to the database."""
    connection = await asyncpg.connect(postgres)
    yield connection
    await connection.close()


async def say(outsider: asyncpg.Connection, text: str) -> None:
    """Send a notification as daemons do."""
    await outsider.execute("SELECT pg_notify($1, $2)", CHANNEL, text)


async def test_what_one_tells_the_others_hear_and_it_does_not_itself(
    postgres: str, outsider: asyncpg.Connection
) -> None:
    teller, other, third = (PostgresNews(postgres) for _ in range(3))
    from_a_row = await outsider.fetchval("SELECT $1::uuid", EVENT)  # the driver's own kind

    async with reading(teller) as own, reading(other) as theirs, reading(third) as thirds:
        teller.tell(Bulletin(channels=frozenset({"email"}), accounts=frozenset({7, 8})))
        teller.tell(Bulletin(incoming=frozenset({"telegram"}), events=frozenset({from_a_row})))
        await until(lambda: bool(theirs.bulletins and thirds.bulletins))
        other.tell(Bulletin(accounts=frozenset({9})))  # in order: its own would have come before
        await until(lambda: bool(own.bulletins))

    told = Bulletin(
        channels=frozenset({"email"}),
        incoming=frozenset({"telegram"}),
        accounts=frozenset({7, 8}),
        events=frozenset({EVENT}),
    )
    assert theirs.bulletins == [told]
    assert own.bulletins == [Bulletin(accounts=frozenset({9}))]


async def test_much_news_makes_few_notifications(postgres: str, outsider: asyncpg.Connection) -> None:
    sent: list[str] = []
    await outsider.add_listener(CHANNEL, lambda *told: sent.append(told[3]))
    news, loop = PostgresNews(postgres, apart=0.05), asyncio.get_running_loop()
    events = {uuid4() for _ in range(1000)}

    async with reading(news), reading(PostgresNews(postgres)) as reader:
        began = loop.time()
        for number, event in enumerate(events):
            one = Bulletin(accounts=frozenset({number}), events=frozenset({event}))
            news.tell(one)
            if number % 10 == 0:
                await asyncio.sleep(0.001)
        await news.told(within=30)
        took = loop.time() - began
        await until(lambda: reader.events == events)

    assert reader.accounts == set(range(1000))
    assert len(sent) <= took / 0.05 + 1
    assert max(map(len, sent)) < 8000


async def test_the_longest_bulletin_is_one_that_the_server_takes(postgres: str) -> None:
    news = PostgresNews(postgres)
    longest = Bulletin(
        channels=frozenset(CHANNELS),
        incoming=frozenset(CHANNELS),
        accounts=frozenset(LARGEST - number for number in range(MOST_ACCOUNTS)),
        every_account=False,
        events=frozenset(uuid4() for _ in range(MOST_EVENTS)),
    )

    async with reading(news), reading(PostgresNews(postgres)) as reader:
        news.tell(longest)
        await until(lambda: bool(reader.bulletins))

    assert reader.bulletins == [longest]


async def test_of_too_many_accounts_all_are_told_and_too_many_events_are_left_to_those_who_look(
    postgres: str,
) -> None:
    news = PostgresNews(postgres, apart=0)

    async with reading(news), reading(PostgresNews(postgres, apart=0)) as reader:
        events = frozenset(uuid4() for _ in range(2 * MOST_KEPT))
        news.tell(Bulletin(accounts=frozenset(range(MOST_KEPT + 1)), events=events))
        await news.told(within=30)
        await until(lambda: len(reader.events) == MOST_KEPT)

    assert [each.every_account for each in reader.bulletins].count(True) == 1
    assert reader.accounts == set()


async def test_what_is_no_bulletin_is_passed_over(postgres: str, outsider: asyncpg.Connection) -> None:
    async with reading(PostgresNews(postgres, apart=0)) as reader:
        for each in FORGED:
            await say(outsider, each)
        await say(outsider, '{"accounts":[7],"of a later version":{"a":[1]}}')
        await until(lambda: bool(reader.bulletins))

    assert reader.bulletins == [Bulletin(accounts=frozenset({7}))]
    assert reader.caught_up == 1


async def test_a_flood_of_notifications_is_passed_on_in_few_pieces(
    postgres: str, outsider: asyncpg.Connection
) -> None:
    loop = asyncio.get_running_loop()
    async with reading(PostgresNews(postgres, apart=0.05)) as reader:
        began = loop.time()
        await outsider.execute(
            """SELECT pg_notify($1, format('{"channels":["email"],"accounts":[%s]}', number))
            FROM generate_series(1, 20000) AS number""",
            CHANNEL,
        )
        await say(outsider, '{"channels":["discord"]}')
        await until(lambda: "discord" in reader.channels)
        took = loop.time() - began

    assert len(reader.bulletins) <= took / 0.05 + 1
    assert any(each.every_account for each in reader.bulletins)


async def test_a_connection_that_was_ended_comes_back_with_one_look_at_everything(
    postgres: str, outsider: asyncpg.Connection
) -> None:
    news = PostgresNews(postgres, first_backoff=0.05)

    async with reading(news) as reader, reading(PostgresNews(postgres)) as other:
        [pid, _] = [
            row["pid"] for row in await outsider.fetch(f"{_SESSIONS} ORDER BY backend_start", APPLICATION)
        ]
        await outsider.execute("SELECT pg_terminate_backend($1)", pid)
        news.tell(Bulletin(accounts=frozenset({7})))  # by whatever connection
        await until(lambda: reader.caught_up == 2)
        await until(lambda: other.accounts == {7})
        await say(outsider, '{"accounts":[8]}')
        await until(lambda: reader.accounts == {8})

    assert (reader.caught_up, other.caught_up) == (2, 1)


async def test_a_connection_without_an_answer_is_given_up_and_another_one_opened(
    postgres: str, outsider: asyncpg.Connection
) -> None:
    news = PostgresNews(postgres, checked_every=0.1, patience=0.3, first_backoff=0.05)

    async with reading(news) as reader:
        pid = await outsider.fetchval(_SESSIONS, APPLICATION)
        os.kill(pid, signal.SIGSTOP)
        try:
            await until(lambda: reader.caught_up >= 2)
            await say(outsider, '{"accounts":[7]}')
            await until(lambda: reader.accounts == {7})
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_there_is_no_news_on_sqlite(sqlite_url: str) -> None:
    news, reader = news_of(sqlite_url), Reader()

    async with asyncio.timeout(5):
        news.tell(Bulletin(accounts=frozenset({7}), events=frozenset({EVENT})))
        await news.run(reader)
        await news.told(within=60)

    assert isinstance(news, Silence)
    assert (reader.bulletins, reader.caught_up) == ([], 0)


def test_a_bulletin_says_nothing_but_what_changed() -> None:
    """So that no content of an event can get into it, whoever tells."""
    fields: dict[str, Any] = Bulletin.__annotations__

    assert set(fields) == {"channels", "incoming", "accounts", "every_account", "events"}
