"""A database that can't take an event, or does not answer at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from models import CategoryUsage, Delivery, IdempotencyKey
from models.database import connection
from models.sql import is_postgres
from tests.support.databases import PostgresCopies, locked

from .api import ON_SQLITE, SALE, Api, Program, Reply

ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
LARGE = {**SALE, "description": "a" * 4000, "fields": {str(number): "b" * 4000 for number in range(12)}}

PATIENCE_MS = 10_000  # with it, PostgreSQL answers once the connections are gone

Gate = Callable[[bool], Awaitable[None]]


@asynccontextmanager
async def no_room_for_events() -> AsyncIterator[None]:
    """Take the table away in the middle of every commit's statements."""
    await connection().execute_script("ALTER TABLE events RENAME TO events_away")
    yield
    await connection().execute_script("ALTER TABLE events_away RENAME TO events")


@asynccontextmanager
async def no_lamps() -> AsyncIterator[None]:
    """Let the database refuse an event of this description."""
    made, taken_away = LAMPS_ON_POSTGRES if is_postgres(connection()) else LAMPS_ON_SQLITE
    await connection().execute_script(made)
    yield
    await connection().execute_script(taken_away)


LAMPS_ON_SQLITE = (
    """
    CREATE TRIGGER no_lamps BEFORE INSERT ON events WHEN NEW.description = 'A lamp'
    BEGIN SELECT RAISE(ABORT, 'no lamps'); END
    """,
    "DROP TRIGGER no_lamps",
)
LAMPS_ON_POSTGRES = (
    """
    CREATE FUNCTION no_lamps() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.description = 'A lamp' THEN RAISE EXCEPTION 'no lamps'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER no_lamps BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_lamps()
    """,
    "DROP TRIGGER no_lamps ON events; DROP FUNCTION no_lamps",
)


@asynccontextmanager
async def full_disk() -> AsyncIterator[None]:
    """Let the SQLite file grow no further."""
    await connection().execute_query("PRAGMA max_page_count = 1")  # SQLite takes it as: what there is
    yield
    await connection().execute_query("PRAGMA max_page_count = 1073741823")


async def nothing_is_stored(program: Program) -> bool:
    models = (CategoryUsage, Delivery, IdempotencyKey)
    rows = [await model.filter(account_id=program.account.id).count() for model in models]
    return (await program.stored_events(), await program.charged_events(), *rows) == (0, 0, 0, 0, 0)


async def test_an_event_that_cannot_be_stored_is_not_charged(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])

    async with no_room_for_events():
        reply = await shop.post(SALE, Idempotency_Key="order-1")

    assert reply.verdict == (500, "processing_failed")
    assert "nothing was charged" in reply.body["message"]
    assert "eventId" not in reply.body
    assert await nothing_is_stored(shop)


async def test_events_are_taken_again_once_they_can_be_stored(shop: Program) -> None:
    async with no_room_for_events():
        refused = await shop.post(SALE, Idempotency_Key="order-1")

    accepted = await shop.post(SALE, Idempotency_Key="order-1")

    assert refused.status == 500
    assert accepted.status == 200
    assert "Idempotent-Replayed" not in accepted.headers
    assert (await shop.stored_events(), await shop.charged_events()) == (1, 1)


@ON_SQLITE
async def test_everybody_who_shares_a_failed_commit_is_told(shop: Program) -> None:
    async with no_room_for_events():
        replies = await asyncio.gather(*(shop.post() for _ in range(20)))

    assert [reply.verdict for reply in replies] == [(500, "processing_failed")] * 20
    assert await nothing_is_stored(shop)


@ON_SQLITE
async def test_a_full_disk_refuses_events_until_there_is_room(shop: Program) -> None:
    async with full_disk():
        refused = await shop.post(LARGE)
        left_nothing = await nothing_is_stored(shop)

    accepted = await shop.post(LARGE)

    assert refused.verdict == (500, "processing_failed")
    assert left_nothing
    assert accepted.status == 200
    assert (await shop.stored_events(), await shop.charged_events()) == (1, 1)


@ON_SQLITE
async def test_a_full_disk_makes_the_daemon_unready_until_there_is_room(shop: Program) -> None:
    async with full_disk():
        unaware = await shop.api.call("GET", "/readyz")
        await shop.post(LARGE)
        full = await shop.api.call("GET", "/readyz")

    room_again = await shop.api.call("GET", "/readyz")

    assert (unaware.status, unaware.body["parts"]["database"]) == (200, "up")
    assert (full.status, full.body["status"], full.body["parts"]["database"]) == (503, "unavailable", "down")
    assert (room_again.status, room_again.body["parts"]["database"]) == (200, "up")


async def test_an_event_that_fails_for_itself_leaves_the_daemon_ready(shop: Program) -> None:
    async with no_lamps():
        refused = await shop.post({**SALE, "description": "A lamp"})
        ready = await shop.api.call("GET", "/readyz")

    assert refused.verdict == (500, "processing_failed")
    assert ready.status == 200
    assert (await shop.post()).status == 200


@ON_SQLITE
async def test_a_database_that_does_not_answer_counts_as_away(shop: Program, database: str) -> None:
    with locked(database):
        posting = asyncio.create_task(shop.post())
        during = await readiness_after(200, shop.api)

    afterwards = await readiness_after(503, shop.api)

    await posting
    assert (during.status, during.body["parts"]["database"]) == (503, "down")
    assert (afterwards.status, afterwards.body["parts"]["database"]) == (200, "up")


async def readiness_after(status: int, api: Api) -> Reply:
    """Ask for the readiness until it is no longer `status`, and return it."""
    async with asyncio.timeout(20):
        while True:
            reply = await api.call("GET", "/readyz")
            if reply.status != status:
                return reply


@pytest.fixture
async def gate(database: str, postgres_copies: PostgresCopies) -> AsyncIterator[Gate]:
    """Lets connections to a PostgreSQL database in, or cuts them and keeps new ones out."""
    name = urlsplit(database).path.strip("/")
    beside = postgres_copies.new_empty()
    admin = await asyncpg.connect(beside)

    async def let_in(allowed: bool) -> None:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
        if not allowed:
            await admin.execute(
                "SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity WHERE datname = $1",
                name,
                PATIENCE_MS,
            )

    try:
        yield let_in
    finally:
        await let_in(True)
        await admin.close()
        postgres_copies.drop(beside)


@ON_POSTGRES
async def test_while_the_database_is_away_calls_fail_in_order(shop: Program, gate: Gate) -> None:
    await gate(False)

    posted = await shop.post()
    read = await shop.get("/api/v1/quota")
    ready = await shop.api.call("GET", "/readyz")
    alive = await shop.api.call("GET", "/healthz")

    assert posted.verdict == (500, "processing_failed")
    assert read.verdict == (500, "processing_failed")
    assert (ready.status, ready.body["status"], ready.body["parts"]["database"]) == (
        503,
        "unavailable",
        "down",
    )
    assert ready.body["daemons"] is ready.body["leaders"] is None
    assert alive.status == 200


@ON_POSTGRES
async def test_when_the_database_is_back_everything_goes_on(shop: Program, gate: Gate) -> None:
    await gate(False)
    away = await shop.post()

    await gate(True)

    assert away.status == 500
    assert (await shop.api.call("GET", "/readyz")).status == 200
    assert (await shop.post()).status == 200
    assert await shop.charged_events() == 1


@ON_POSTGRES
async def test_a_restart_of_the_database_between_requests_goes_unnoticed(shop: Program, gate: Gate) -> None:
    await shop.post()

    await gate(False)
    await gate(True)

    assert (await shop.post()).status == 200
