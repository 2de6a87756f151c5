"""The stream that tells a page to load itself anew."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientResponse

from api.dashboard import live
from models import Account, Session
from models.database import connection
from tests.http.api import ON_SQLITE, Api
from tests.support.clock import ManualClock
from tests.support.waiting import until

from .people import Person, a_person

pytestmark = ON_SQLITE


@asynccontextmanager
async def stream(person: Person, seen: str = "", **headers: str) -> AsyncIterator[ClientResponse]:
    """Open the stream of a page that has got as far as `seen`."""
    url = f"{person.api.url}/live?seen={seen}"
    async with person.session.get(url, headers=headers) as response:
        yield response


async def message(response: ClientResponse) -> str:
    """Return the next message as it was sent."""
    async with asyncio.timeout(20):
        return (await response.content.readuntil(b"\r\n\r\n")).decode()


async def mark(person: Person) -> str:
    """Return how far a page is that is loaded now."""
    found = re.search(r'live\?seen=([^"]+)"', (await person.get("/")).text)
    assert found
    return found[1]


async def test_a_page_that_is_up_to_date_is_told_of_the_next_change(
    person: Person, ada: Account, eve: Account
) -> None:
    await person.sign_in(ada)
    seen = await mark(person)

    async with stream(person, seen) as response:
        await until(lambda: person.api.services.live.watchers == 1)
        person.api.services.live.announce([eve.id])
        person.api.services.live.announce([ada.id])
        said = await message(response)

    run, count = seen.split(".")
    assert said == f"id: {run}.{int(count) + 1}\r\nevent: changed\r\ndata: \r\n\r\n"
    assert response.headers["Content-Type"] == "text/event-stream"


@pytest.mark.parametrize("headers", [{}, {"Last-Event-ID": "another-run.3"}])
async def test_a_page_that_missed_something_is_told_at_once(
    person: Person, ada: Account, headers: dict[str, str]
) -> None:
    await person.sign_in(ada)
    seen = await mark(person)
    if not headers:
        person.api.services.live.announce([ada.id])

    async with stream(person, seen, **headers) as response:
        assert "event: changed" in await message(response)


async def test_whoever_is_not_signed_in_gets_none(person: Person) -> None:
    async with stream(person) as response:
        assert (response.status, await response.text()) == (204, "")


async def test_an_account_has_so_many_streams(
    person: Person, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_STREAMS", 1)
    await person.sign_in(ada)
    seen = await mark(person)

    async with stream(person, seen):
        await until(lambda: person.api.services.live.watchers == 1)
        async with stream(person, seen) as further:
            assert further.status == 204
    await until(lambda: not person.api.services.live.watchers)


async def test_a_stop_ends_the_streams(api: Api, ada: Account) -> None:
    async with a_person(api) as person:
        await person.sign_in(ada)
        async with stream(person, await mark(person)) as response:
            await until(lambda: api.services.live.watchers == 1)
            api.services.settlements.close()
            async with asyncio.timeout(20):
                assert await response.text() == ""


async def test_a_session_that_has_ended_ends_its_streams(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    async with stream(person, await mark(person)) as response:
        await until(lambda: person.api.services.live.watchers == 1)
        await Session.all().delete()
        person.api.services.live.announce([ada.id])
        async with asyncio.timeout(20):
            assert (await response.text()).endswith("event: over\r\ndata: \r\n\r\n")


async def test_a_database_that_goes_away_ends_the_streams_in_order(person: Person, ada: Account) -> None:
    await person.sign_in(ada)
    async with stream(person, await mark(person)) as response:
        await until(lambda: person.api.services.live.watchers == 1)
        await connection().execute_query("ALTER TABLE sessions RENAME TO away")
        person.api.services.live.announce([ada.id])
        async with asyncio.timeout(20):
            said = await response.text()  # to its end, and nothing but messages
            assert said == "" or said.endswith("data: \r\n\r\n")
    await connection().execute_query("ALTER TABLE away RENAME TO sessions")

    assert (await person.get("/")).status == 200
