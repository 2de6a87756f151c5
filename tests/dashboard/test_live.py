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
from pingpilot.events.live import Live
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


def later(mark: str) -> str:
    """Return the mark after one more change."""
    run, count, at = re.split("[.@]", mark)
    return f"{run}.{int(count) + 1}@{at}"


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

    assert said == f"id: {later(seen)}\r\nevent: changed\r\ndata: \r\n\r\n"
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


class WatchedLive(Live):
    """Keeps what it said."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(monotonic=clock.monotonic)
        self.answers: list[bool] = []

    def has_changed(self, account_id: int, *, within: float) -> bool:
        answer = super().has_changed(account_id, within=within)
        self.answers.append(answer)
        return answer


@pytest.mark.parametrize(("since", "missed"), [(20, False), (40, True)])
async def test_a_page_that_another_daemon_made_is_loaded_anew_for_what_it_missed_alone(
    person: Person, ada: Account, since: int, missed: bool
) -> None:
    clock, live = person.api.clock, WatchedLive(person.api.clock)
    person.api.services.live = live
    await person.sign_in(ada)
    clock.advance_seconds(60)
    live.announce([ada.id])
    clock.advance_seconds(30)
    seen, elsewhere = await mark(person), f"another.7@{clock.now().timestamp() - since:.0f}"

    async with stream(person, elsewhere) as response:
        await until(lambda: live.answers[:1] == [missed])
        if missed:
            assert f"id: {seen}\r\n" in await message(response)
        live.announce([ada.id])
        assert f"id: {later(seen)}\r\n" in await message(response)


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
